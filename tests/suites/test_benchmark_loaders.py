"""Every published layout gives the questions that it holds, and each mistake in the data is named by its place."""

import json
import struct
import zlib
from pathlib import Path

import pytest
from benchmark_files import png, write_lines

from mmplat.errors import ConfigError
from mmplat.preparing import prepare
from mmplat.suites import bind


def test_pope_takes_splits_by_turns_and_keeps_questions_about_an_image_together(shelf, prepared):
    samples, said = prepared("pope", shelf.pope())
    assert len(samples) == 54
    assert [s.groups["split"] for s in samples[:3]] == ["random", "popular", "adversarial"]
    assert samples[0].question == "Is there a thing 0 in the image?\nAnswer the question using a single word or phrase."
    assert (samples[0].sample_id, samples[0].gold, samples[3].gold) == ("random-1", "yes", "no")
    assert len({s.cluster for s in samples}) == said["images"] == 3
    assert said["left_out"] == {}


def test_what_is_not_the_published_benchmark_says_so(shelf, prepared):
    _, said = prepared("pope", shelf.pope(), name="small")
    assert "split=random,gold=yes: 9 samples, published are 1500" in said["differs_from_published"]
    _, said = prepared("pope", shelf.pope(), limit=6)
    assert said["differs_from_published"] == []  # a limit is meant to be smaller


def test_pope_of_the_hub_is_one_table(shelf, prepared):
    rows = [
        {"id": str(n), "question_id": str(n // 2), "question": "Is there a cat?", "answer": "no", "category": split,
         "image_source": "COCO_1", "image": {"bytes": png(1), "path": None}}
        for n, split in enumerate(("random", "popular", "random"))
    ]  # fmt: skip
    shelf.parquet("hub/data/test-00000-of-00001.parquet", rows)
    samples, _ = prepared("pope", {"path": str(shelf.root / "hub"), "split": "random"})
    assert [s.sample_id for s in samples] == ["random-0", "random-1"]
    assert len(samples[0].images) == 1


def test_a_single_pope_file_must_say_its_split(shelf, prepared):
    params = shelf.pope()
    file = str(Path(params["path"]) / "coco" / "coco_pope_popular.json")
    assert len(prepared("pope", {**params, "path": file, "split": "popular"})[0]) == 18
    with pytest.raises(ConfigError, match="say which `split` it is"):
        bind("pope", {**params, "path": file})


def test_mme_reads_the_released_folder(shelf, prepared):
    samples, said = prepared("mme", shelf.mme())
    assert len(samples) == 18
    assert [s.gold for s in samples[:2]] == ["yes", "no"]
    assert (
        samples[0].question == "Is it 0? Please answer yes or no."
    )  # the double space of the release is no other question
    assert samples[0].groups == {"subtask": "existence", "pair": "existence/0000"}
    assert samples[0].cluster == samples[1].cluster != samples[2].cluster
    assert "subtask=color: 0 samples, published are 60" in said["differs_from_published"]


def test_mme_reads_the_text_files_of_its_evaluation_tool(shelf, prepared):
    images = shelf.mme(("existence",), images=2)["path"]
    lines = "".join(f"{n:04}.png\tIs it {n + m}? Please answer yes or no.\t{gold}\tsomething said\n"
                    for n in (0, 1) for m, gold in enumerate(("Yes", "No")))  # fmt: skip
    path = shelf.root / "texts" / "existence.txt"
    path.parent.mkdir()
    path.write_text(lines)
    of_texts = prepared("mme", {"path": str(path.parent), "images": images})[0]
    assert [s.sample_key for s in of_texts] == [s.sample_key for s in prepared("mme", {"path": images})[0]]


def test_mme_json_lines_take_their_answers_from_the_release(shelf, prepared):
    images = shelf.mme(("existence",), images=2)["path"]
    rows = [{"question_id": f"existence/{n:04}.png", "image": f"existence/{n:04}.png", "category": "existence",
             "text": f"Is it {n + m}?\nAnswer the question using a single word or phrase."}
            for n in (0, 1) for m in (0, 1)]  # fmt: skip
    file = write_lines(shelf.root / "llava_mme.jsonl", rows)
    samples = prepared("mme", {"path": str(file), "images": images})[0]
    assert [s.gold for s in samples] == ["yes", "no"] * 2
    write_lines(file, [*rows, {**rows[0], "text": "Is it another?"}])
    with pytest.raises(ConfigError, match=r"llava_mme.jsonl:5: the released files have no answer to 'Is it another\?'"):
        bind("mme", {"path": str(file), "images": images})


def test_mme_of_the_hub_is_one_table(shelf, prepared):
    rows = [{"question_id": "OCR/0001.jpg", "question": f"Is it {g}? Please answer yes or no.", "answer": g, "category": "OCR",
             "image": {"bytes": png(1), "path": None}} for g in ("Yes", "No")]  # fmt: skip
    shelf.parquet("mme-hub/test.parquet", rows)
    samples, _ = prepared("mme", {"path": str(shelf.root / "mme-hub")})
    assert [(s.sample_id, s.gold) for s in samples] == [("OCR/0001/1", "yes"), ("OCR/0001/2", "no")]


def test_mme_refuses_a_third_question_about_an_image(shelf):
    params = shelf.mme(("existence",), images=1)
    text = Path(params["path"]) / "existence" / "0000.txt"
    text.write_text(text.read_text() * 2)
    with pytest.raises(ConfigError, match="0000.txt:3: this is the third question about 'existence/0000'"):
        bind("mme", params)


def test_mmmu_shows_the_images_that_the_text_names_and_lists_its_options(shelf, prepared):
    samples, said = prepared("mmmu", shelf.mmmu())
    first, second = samples
    assert first.question == (
        "What is <image 1>?\n(A) $6\n(B) $7\n(C) it's $8\nAnswer with the option's letter from the given choices directly."
    )
    assert (first.labels, first.options, first.gold) == (("A", "B", "C"), ("$6", "$7", "it's $8"), "B")
    assert (len(first.images), len(second.images)) == (1, 3)  # one of the second's is in an option
    assert second.groups == {
        "subject": "Accounting",
        "discipline": "Business",
        "difficulty": "Easy",
        "images": "several",
    }
    assert said["left_out"] == {"it asks for words, not for a letter: mmmu-short asks it": ["validation_Accounting_3"]}


def test_mmmu_short_answers_are_a_suite_of_their_own(shelf, prepared):
    (sample,), _ = prepared("mmmu-short", shelf.mmmu())
    assert sample.labels == ()
    assert sample.reference == {"answers": ["12", "twelve"]}
    assert sample.question == "How many? <image 1>\nAnswer the question using a single word or phrase."


def test_mmmu_reads_the_files_of_its_split_alone(shelf, prepared):
    params = shelf.mmmu()
    rows = [{**row, "id": row["id"].replace("validation", "dev")} for row in shelf.mmmu_rows()]
    shelf.parquet("mmmu/Accounting/dev-00000-of-00001.parquet", rows)
    assert {s.sample_id for s in prepared("mmmu", {**params, "split": "dev"})[0]} == {
        "dev_Accounting_1",
        "dev_Accounting_2",
    }
    assert {s.sample_id.split("_")[0] for s in prepared("mmmu", params)[0]} == {"validation"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "D"}, "validation-00000-of-00001.parquet: row 1: the answer 'D' is none of A, B, C"),
        ({"options": "no list"}, "row 1: options is no list: 'no list'"),
        ({"image_1": None}, r"row 1: the text names \['image_1'\], and the row has no such image"),
        ({"image_1": {"bytes": png(1)[:40], "path": None}}, "row 1: its image cannot be read"),
    ],
)
def test_a_mistake_in_a_table_is_named_by_its_row(shelf, prepared, change, message):
    rows = shelf.mmmu_rows()
    rows[0].update(change)
    with pytest.raises(ConfigError, match=message):
        prepared("mmmu", shelf.mmmu(rows))


def test_hallusion_bench_groups_by_figure_and_by_question(shelf, prepared):
    samples, said = prepared("hallusion-bench", shelf.hallusion())
    assert len(samples) == 10
    blind = [s for s in samples if not s.images]
    assert {s.sample_id for s in blind} == {"VS/chart/0/0/0", "VS/chart/0/0/1"}
    assert all("figure" not in s.groups for s in blind)  # no figure: fAcc leaves it out, as the official script does
    assert samples[2].groups["figure"] == "VD/chart/0/figure-1"
    assert samples[2].groups["question"] == samples[0].groups["question"] == "VD/chart/0/question-0"
    assert {s.cluster for s in samples} == {"VD/chart/0", "VS/chart/0"}
    assert said["images"] == 3  # VD and VS figure 1 look the same


def test_llava_bench_gives_the_judge_its_references(shelf, prepared):
    samples, said = prepared("llava-bench-wild", shelf.llava_wild())
    assert (samples[3].question, samples[3].labels, samples[3].gold) == ("What is 3?", (), "")
    assert samples[3].reference == {"answer": "It is 3.", "context": "A picture of 1."}
    assert samples[2].cluster == samples[3].cluster == "001.jpg"
    assert "category=conv: 2 samples, published are 17" in said["differs_from_published"]


def test_llava_bench_coco_finds_images_and_contexts_under_cocos_names(shelf, prepared, tmp_path):
    folder = shelf.root / "qa90"
    write_lines(
        folder / "qa90_questions.jsonl",
        [{"question_id": 1, "image": "000000000003.jpg", "text": "What?\n<image>", "category": "conv"}],
    )
    write_lines(folder / "qa90_gpt4_answer.jsonl", [{"question_id": 1, "text": "That."}])
    context = {
        "image": "COCO_val2014_000000000003.jpg",
        "captions": ["A dog."],
        "instances": [{"category": "dog", "bbox": [0, 0, 1, 1]}],
    }
    write_lines(folder / "caps_boxes_coco2014_val_80.jsonl", [context])
    images = shelf.coco()["images"]
    (sample,), _ = prepared("llava-bench-coco", {"path": str(folder), "images": images})
    assert sample.question == "What?"
    assert sample.reference == {"answer": "That.", "context": "A dog.\n\ndog: [0, 0, 1, 1]"}


def test_coco_captions_know_what_is_there(shelf, prepared):
    samples, _ = prepared("coco-captions", shelf.coco())
    found = {int(s.sample_id[-2:]): s.reference["objects"] for s in samples}
    assert found == {0: ["dog", "person"], 1: ["hot dog"], 2: ["dog"]}  # image 3 has no annotation, so no truth
    few = prepared("coco-captions", {**shelf_params(shelf), "n": 2}, name="few")[0]
    assert [s.sample_id for s in few] == [s.sample_id for s in samples[:2]]


def shelf_params(shelf):
    return {"path": str(shelf.root / "coco"), "images": str(shelf.root / "coco" / "val2014")}


def test_world_captions_show_the_pictures_of_world_objects(prepared):
    captions, _ = prepared("world-captions", {"n": 4})
    objects, _ = prepared("world-objects", {}, limit=24)
    for sample in captions:
        asked = [s for s in objects if s.cluster == sample.sample_id]
        assert {s.images for s in asked} == {sample.images}
        for one in asked:
            noun = one.question.removeprefix("Is there a ").removesuffix("?")
            assert (noun in sample.reference["objects"]) == (one.gold == "yes")
        assert set(sample.reference["faint"]) <= set(sample.reference["objects"])
        offered = {line[2:] for line in sample.question.splitlines()[1:-1]}
        assert len(offered) == 4
        assert len(offered & set(sample.reference["objects"])) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"question_id": 2, "image": "a.png", "te', r"coco_pope_random.json:2: this is not valid JSON .* Is the file cut off\?"),
        ('{"question_id": 2, "text": "Is it?", "label": "no"}', "random.json:2: there is no 'image'. The row has 'question_id'"),
        ('{"question_id": 1, "image": "COCO_val2014_000000000000.png", "text": "Is it?", "label": "no"}',
         "random.json:2: the id 'random-1' is given twice, first in .*random.json:1"),
        ('{"question_id": 2, "image": "COCO_val2014_000000000000.png", "text": "Is it?", "label": "maybe"}',
         "random.json:2: the answer 'maybe' is none of yes, no"),
        ("[1]", r"random.json:2: a row is a JSON object with named columns, not \[1\]"),
    ],
)  # fmt: skip
def test_a_mistake_in_json_lines_is_named_by_file_and_line(shelf, prepared, line, message):
    params = shelf.pope()
    file = Path(params["path"]) / "coco" / "coco_pope_random.json"
    file.write_text(f"{file.read_text().splitlines()[0]}\n{line}\n")
    with pytest.raises(ConfigError, match=message):
        prepared("pope", {**params, "split": "random"})


def test_a_line_ends_where_json_lines_end_and_nowhere_else(shelf, prepared):
    """U+2028 and U+0085 end a line for Python's splitlines; JSON lets both stand in a text."""
    params = shelf.pope()
    file = Path(params["path"]) / "coco" / "coco_pope_random.json"
    first = json.loads(file.read_text().splitlines()[0]) | {"text": "Is there\u2028a\u0085dog?"}
    file.write_text(json.dumps(first, ensure_ascii=False) + "\r\n\r\n", encoding="utf-8", newline="")
    (sample,), _ = prepared("pope", {**params, "split": "random"})
    assert "Is there\u2028a\u0085dog?" in sample.question


def test_an_image_that_claims_to_be_huge_is_one_clear_error(shelf, prepared):
    """An image of a few bytes that says it is 3.6 gigapixels: Pillow refuses it by an error that is no OSError."""
    params = shelf.pope()
    (Path(params["images"]) / "COCO_val2014_000000000001.png").write_bytes(png_of_size(60_000, 60_000))
    with pytest.raises(ConfigError, match=r"000000000001.png: its image cannot be read .*exceeds limit"):
        prepared("pope", {**params, "split": "random"})


def png_of_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_missing_images_are_counted_and_refused_unless_they_are_to_be_left_out(shelf, prepared, results):
    params = shelf.pope()
    (Path(params["images"]) / "COCO_val2014_000000000001.png").unlink()
    with pytest.raises(
        ConfigError, match=r"1 images are missing; the first is .*001.png, asked about in .*random.json:7"
    ):
        prepare(bind("pope", params), results)
    samples, said = prepared("pope", {**params, "missing_images": "leave-out"})
    assert len(samples) == 36
    assert len(said["left_out"]["its image is missing"]) == 18
    assert len(prepared("pope", {**params, "missing_images": "leave-out"}, limit=20)[0]) == 20


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        (
            "pope",
            {},
            r"Suite 'pope' in grid.yaml:3: give the data as `path` \(the folder with <source>_pope_<split>.json",
        ),
        ("pope", {"path": "/no/such"}, "there is no /no/such. `path` is the folder with"),
        ("pope", {"path": "."}, "images = '' is no folder. Give the folder that holds the images"),
        (
            "pope",
            {"path": ".", "images": ".", "source": "cocoa"},
            "source = 'cocoa' is unknown. Allowed: coco, aokvqa, gqa",
        ),
        ("pope", {"path": ".", "images": "."}, "there is no coco_pope_random.json in"),
        ("mme", {"path": "."}, "holds no <subtask>.txt and no folder of a subtask"),
        ("mmmu", {"path": "."}, "holds no such data. `path` is a folder of Parquet files as the hub has them"),
        ("hallusion-bench", {"path": "."}, "there is no HallusionBench.json"),
        (
            "llava-bench-wild",
            {"path": "."},
            "there is no questions.jsonl. `path` is the folder with questions.jsonl, answers",
        ),
        ("coco-captions", {"path": "."}, "there is no instances_val2014.json"),
        (
            "mme",
            {"hub": "lmms-lab/MME"},
            "needs a `revision` of 40 hex digits, not '': a branch moves. Pin it to the newest",
        ),
        ("mme", {"hub": "lmms-lab/MME", "revision": "main"}, "not 'main': a branch moves"),
    ],
)
def test_a_suite_without_its_data_says_what_to_give(tmp_path, monkeypatch, kind, params, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        bind(kind, params, where=" in grid.yaml:3")


def test_hallusion_bench_is_cut_where_its_file_is(shelf):
    params = shelf.hallusion()
    file = Path(params["path"]) / "HallusionBench.json"
    file.write_text(json.dumps(json.loads(file.read_text()))[:-40])
    with pytest.raises(ConfigError, match=r"HallusionBench.json: this is not valid JSON .* Is the file cut off\?"):
        bind("hallusion-bench", params)
