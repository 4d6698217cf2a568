"""Multiple-choice benchmarks: every published layout gives the questions that it holds, and mistakes are named by their place."""

import base64
import json
import random
from pathlib import Path

import pytest
from benchmark_files import png, write_lines
from choice_files import ChoiceShelf, write_json

from mmplat.errors import ConfigError
from mmplat.suites import _hub, bind, catalog
from mmplat.suites._files import Row

TEXT_ONLY = ("openbookqa", "arc-challenge", "mmlu")
PICTURES = ("mini-imagenet", "caltech-101", "food-101")
BOTH = ("scienceqa", "mmbench", "seed-bench")
NINE = (*PICTURES, *TEXT_ONLY, *BOTH)


@pytest.fixture
def shelf(tmp_path):
    return ChoiceShelf(tmp_path / "data")


@pytest.mark.parametrize("name", NINE)
def test_a_sample_lists_its_options_behind_letters_and_its_bare_question_once(shelf, name):
    suite = catalog.get(name)
    for prompt in ("letter", "interference"):
        samples = [
            one
            for one in suite.samples(bind(name, {**shelf.everything()[name], "prompt": prompt}))
            if hasattr(one, "gold")
        ]
        assert len(samples) >= 3
        for sample in samples:
            assert sample.labels == tuple("ABCDEFG"[: len(sample.options)])
            assert sample.question.count(sample.stem) == 1
            for label, option in zip(sample.labels, sample.options, strict=True):
                assert f"\n{label}{'.:'[prompt == 'interference']} {option}\n" in sample.question
            assert bool(sample.images) == suite.images == (name not in TEXT_ONLY)
            assert all(key in sample.groups for keys in suite.subsets for key in keys)


@pytest.mark.parametrize("name", NINE)
def test_the_modality_that_decides_is_said(name):
    wanted = dict.fromkeys(TEXT_ONLY, "text") | dict.fromkeys(PICTURES, "image") | dict.fromkeys(BOTH, "both")
    assert catalog.get(name).needs == wanted[name]


def test_the_paper_on_interference_words_a_question_like_this(shelf, prepared):
    samples, _ = prepared("openbookqa", {**shelf.openbookqa(), "prompt": "interference"})
    assert samples[0].question == (
        "Question:\nWhat melts 0?\nOption:\nA: thing 0A\nB: thing 0B\nC: thing 0C\nD: thing 0D\n"
    )


def test_the_short_wording_is_the_default(shelf, prepared):
    (sample, *_), _ = prepared("openbookqa", shelf.openbookqa())
    assert sample.question == (
        "What melts 0?\nA. thing 0A\nB. thing 0B\nC. thing 0C\nD. thing 0D\n"
        "Answer with the option's letter from the given choices directly."
    )


def test_the_fact_of_openbookqa_is_not_shown(shelf, prepared):
    samples, _ = prepared("openbookqa", shelf.openbookqa())
    assert not any("ice melts" in sample.question for sample in samples)


def test_a_question_that_an_option_repeats_has_no_place_of_its_own(shelf):
    options = [{"label": "A", "text": "A dog barks"}, {"label": "B", "text": "b"}]
    row = {"id": "1", "answerKey": "A", "question": {"stem": "A dog", "choices": options}}
    (sample,) = catalog.get("arc-challenge").samples(bind("arc-challenge", shelf.arc([row])))
    assert sample.stem == ""


def test_arc_letters_its_options_whatever_they_are_called(shelf, prepared):
    samples, said = prepared("arc-challenge", shelf.arc())
    assert [(s.gold, len(s.labels)) for s in samples] == [("D", 4), ("B", 4), ("E", 5)]
    assert [s.groups["options"] for s in samples] == ["4", "4", "5"]
    assert said["differs_from_published"] == ["all: 3 samples, published are 1172"]


def test_the_hubs_tables_of_ai2_are_the_releases(shelf, prepared):
    rows = [
        {"id": "MCAS_1", "question": "Why MCAS_1?", "answerKey": "D",
         "choices": {"text": [f"thing 0{label}" for label in "ABCD"], "label": list("ABCD")}},
        {"id": "NYSEDREGENTS_2", "question": "Why NYSEDREGENTS_2?", "answerKey": "2",
         "choices": {"text": [f"thing 0{label}" for label in "1234"], "label": list("1234")}},
    ]  # fmt: skip
    shelf.parquet("arc-hub/ARC-Challenge/test-00000-of-00001.parquet", rows)
    shelf.parquet("arc-hub/ARC-Challenge/train-00000-of-00001.parquet", rows)  # of another split
    of_table, _ = prepared("arc-challenge", {"path": str(shelf.root / "arc-hub")})
    assert of_table == prepared("arc-challenge", shelf.arc())[0][:2]
    named = [{("question_stem" if key == "question" else key): value for key, value in row.items()} for row in rows]
    shelf.parquet("open-hub/main/test-00000-of-00001.parquet", named)
    assert prepared("openbookqa", {"path": str(shelf.root / "open-hub")})[0] == of_table


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answerKey": "F"}, "ARC-Challenge-Test.jsonl:1: the answer 'F' is none of A, B, C, D"),
        ({"question": {"stem": "Why?", "choices": [{"text": "x"}]}}, "Test.jsonl:1: there is no 'label'. The row has 'text'"),
        ({"question": {"stem": "Why?"}}, "Test.jsonl:1: there is no 'choices'"),
        ({"question": {"stem": "Why?", "choices": [{"text": "x", "label": "D"}]}},
         r"Test.jsonl:1: the answer 'D' is none of|a multiple choice has 2 to 26 options, not \['x'\]"),
        ({"id": None}, "Test.jsonl:1: there is no 'id'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_release_of_ai2_is_named_by_its_line(shelf, row, message):
    whole = {"id": "1", "question": {"stem": "Why?", "choices": shelf.options("ABCD", 0)}, "answerKey": "D"}
    with pytest.raises(ConfigError, match=message):
        bind("arc-challenge", shelf.arc([{**whole, **row}]))


def test_an_id_that_is_given_twice_is_refused(shelf, prepared):
    row = {"id": "1", "question": {"stem": "Why?", "choices": shelf.options("AB", 0)}, "answerKey": "B"}
    with pytest.raises(ConfigError, match=r"Test.jsonl:2: the id '1' is given twice, first in .*Test.jsonl:1"):
        prepared("arc-challenge", shelf.arc([row, row]))


def test_a_question_with_an_empty_option_is_left_out_and_counted(shelf, prepared):
    rows = [{"id": str(n), "answerKey": "A",
             "question": {"stem": "Why?", "choices": [{"label": "A", "text": "x"}, {"label": "B", "text": " " * n}]}}
            for n in (1, 2)]  # fmt: skip
    rows.append({"id": "3", "question": {"stem": "Why?", "choices": shelf.options("AB", 0)}, "answerKey": "B"})
    samples, said = prepared("arc-challenge", shelf.arc(rows))
    assert [s.sample_id for s in samples] == ["3"]
    assert said["left_out"] == {"its question or one of its options is empty": ["1", "2"]}


def test_mmlu_takes_subjects_by_turns_and_knows_their_categories(shelf, prepared):
    samples, _ = prepared("mmlu", shelf.mmlu())
    assert [s.sample_id for s in samples[:3]] == ["abstract_algebra/1", "virology/1", "abstract_algebra/2"]
    assert samples[1].groups == {"subject": "virology", "category": "other"}
    assert samples[0].question.startswith(
        'What, "abstract_algebra",\nis 0?\nA. w\nB. x, y\n'
    )  # quotes, commas and a line end
    assert [s.sample_id for s in prepared("mmlu", shelf.mmlu(), limit=4)[0]] == [s.sample_id for s in samples[:4]]


def test_mmlu_has_57_subjects_in_four_categories():
    from mmplat.suites.mmlu import CATEGORY, SUBJECTS

    assert [len(subjects) for subjects in SUBJECTS.values()] == [18, 13, 12, 14]
    assert len(CATEGORY) == 57


def test_mmlu_of_the_hub_is_the_release(shelf, prepared):
    shelf.parquet("mmlu-hub/all/test-00000-of-00001.parquet", shelf.mmlu_rows())
    assert prepared("mmlu", {"path": str(shelf.root / "mmlu-hub")})[0] == prepared("mmlu", shelf.mmlu())[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "q,a,b,c,d,A\nq,a,b",
            r"virology_test.csv:2: a line has question, A, B, C, D, answer, not 3 cells. Is the file cut",
        ),
        ('q,a,b,c,d,A\nq,a,b,"c', "virology_test.csv:2: this is no CSV .*Is the file cut off"),
        ("q,a,b,c,d,E", "virology_test.csv:1: the answer 'E' is none of A, B, C, D"),
    ],
)
def test_a_file_of_mmlu_that_is_cut_off_is_named_by_its_line(shelf, prepared, text, message):
    params = shelf.mmlu(["virology"])
    Path(params["path"], "test", "virology_test.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        prepared("mmlu", params)


def test_a_subject_that_mmlu_does_not_have_is_refused(shelf):
    with pytest.raises(ConfigError, match="alchemy_test.csv:2: the subject 'alchemy' is none of MMLU's 57"):
        bind("mmlu", shelf.mmlu(["alchemy"]))


def test_scienceqa_asks_what_has_an_image_and_shows_the_hint(shelf, prepared):
    samples, said = prepared("scienceqa", shelf.science())
    assert [s.sample_id for s in samples] == ["0", "1", "2"]
    assert samples[1].question.startswith("Context: Look at the figure.\nWhich is 1?\nA. this\nB. that\nC. neither\n")
    assert samples[0].question.startswith("Which is 0?")  # no hint, and no line for it
    assert [s.groups["grades"] for s in samples] == ["1-6", "1-6", "7-12"]
    assert said["images"] == 2
    assert samples[1].cluster == samples[2].cluster != samples[0].cluster  # one picture


@pytest.mark.parametrize(
    ("context", "opening"),
    [
        ("none", "Which is 1?"),
        ("lecture", "Lecture: Lesson 1.\nWhich is 1?"),
        ("hint-lecture", "Context: Look at the figure.\nLecture: Lesson 1.\nWhich is 1?"),
    ],
)
def test_what_scienceqa_shows_before_a_question_is_a_parameter(shelf, prepared, context, opening):
    samples, _ = prepared("scienceqa", {**shelf.science(), "context": context})
    assert samples[1].question.startswith(f"{opening}\nA. ")


def test_scienceqa_has_questions_without_an_image_too(shelf, prepared):
    samples, _ = prepared("scienceqa", {**shelf.science(), "subset": "all"})
    assert [bool(s.images) for s in samples] == [True, True, True, False]
    assert samples[3].cluster == "3"


def test_scienceqa_of_the_hub_is_one_table(shelf, prepared):
    rows = [
        {**shelf.science_problem(n), "image": {"bytes": png(min(n, 1)), "path": None} if n < 3 else None}
        for n in range(4)
    ]
    shelf.parquet("science-hub/data/test-00000-of-00001-f0e7.parquet", rows)
    of_table, _ = prepared("scienceqa", {"path": str(shelf.root / "science-hub")})
    of_files, _ = prepared("scienceqa", shelf.science())
    assert [s.sample_id for s in of_table] == ["test-1", "test-2", "test-3"]
    assert [s.sample_key for s in of_table] == [s.sample_key for s in of_files]


def test_mistakes_in_scienceqa_are_named_by_problem(shelf):
    params = shelf.science()
    folder = Path(params["path"])
    problems = json.loads((folder / "problems.json").read_text())
    write_json(folder / "problems.json", {**problems, "1": {**problems["1"], "answer": "B"}})
    with pytest.raises(ConfigError, match="problems.json, problem 1: the answer 'B' is no number of an option"):
        bind("scienceqa", params)
    write_json(folder / "problems.json", {**problems, "1": {**problems["1"], "answer": 3}})
    write_json(folder / "pid_splits.json", {"test": ["0", "77"]})
    with pytest.raises(ConfigError, match="problems.json: there is no problem '77', which pid_splits.json names"):
        bind("scienceqa", params)
    (folder / "problems.json").write_text(json.dumps(problems)[:-9])
    with pytest.raises(ConfigError, match=r"problems.json: this is not valid JSON .* Is the file cut off\?"):
        bind("scienceqa", params)


def test_an_answer_beyond_the_options_is_refused(shelf, prepared):
    params = shelf.science()
    folder = Path(params["path"])
    problems = json.loads((folder / "problems.json").read_text())
    write_json(folder / "problems.json", {**problems, "1": {**problems["1"], "answer": 3}})
    with pytest.raises(ConfigError, match="problem 1: the answer 'D' is none of A, B, C"):
        prepared("scienceqa", params)


@pytest.mark.parametrize("name", ["caltech-101", "scienceqa", "seed-bench"])
def test_a_missing_image_is_refused_or_left_out_and_counted(shelf, prepared, name):
    params = shelf.everything()[name]
    victim = sorted(p for p in Path(params["path"]).rglob("*") if p.name in ("image_0001.jpg", "image.png", "2_2"))[0]
    victim.rename(victim.with_suffix(".gone"))
    if name != "caltech-101":  # folders of classes are their own list
        with pytest.raises(ConfigError, match="1 images are missing; the first is "):
            prepared(name, params)
    samples, said = prepared(name, {**params, "missing_images": "leave-out"})
    assert samples
    assert name == "caltech-101" or len(said["left_out"]["its image is missing"]) == 1


def test_mmbench_knows_rotations_by_their_index(shelf, prepared):
    samples, said = prepared("mmbench", shelf.mmbench())
    assert [s.sample_id for s in samples] == ["241", "1000241", "2000241", "242", "1000242"]
    assert [(s.groups["circle"], s.groups["pass"]) for s in samples[:2]] == [("241", "first"), ("241", "rotated")]
    assert [(s.options, s.gold) for s in samples[:2]] == [
        (("red", "green", "blue"), "A"),
        (("blue", "red", "green"), "B"),
    ]
    assert samples[3].labels == ("A", "B")
    assert len({s.cluster for s in samples}) == said["images"] == 1  # all about one picture: 241 stands for it
    assert said["left_out"] == {"its answer is not published": ["243"]}
    assert "pass=first: 2 samples, published are 1164" in said["differs_from_published"]


def test_mmbench_shows_the_hint_where_there_is_one(shelf, prepared):
    rows = shelf.mmbench_rows()
    rows[0]["hint"] = "The sky is shown."
    samples, _ = prepared("mmbench", shelf.mmbench(rows))
    assert samples[0].question.startswith("The sky is shown.\nWhich color?\nA. red\n")
    assert samples[1].question.startswith("Which color?\n")
    samples, _ = prepared("mmbench", {**shelf.mmbench(rows), "context": "none"})
    assert samples[0].question.startswith("Which color?\n")


def test_mmbench_of_the_hub_is_the_release(shelf, prepared):
    rows = [{**row, "image": {"bytes": png(1), "path": None}} for row in shelf.mmbench_rows()]
    for row in rows:
        row["L2-category"] = row.pop("l2-category")
    shelf.parquet("mmbench-hub/en/dev-00000-of-00001.parquet", rows)
    shelf.parquet("mmbench-hub/en/test-00000-of-00001.parquet", rows)
    of_table, _ = prepared("mmbench", {"path": str(shelf.root / "mmbench-hub")})
    assert of_table == prepared("mmbench", shelf.mmbench())[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"image": base64.b64encode(png(1)).decode()[:-7]},
            "MMBench_DEV_EN.tsv: row 1: its image is no base64 .*cut off",
        ),
        ({"image": base64.b64encode(png(1)[:60]).decode()}, "row 1: its image cannot be read"),
        ({"image": "777"}, "row 1: its image is that of the index '777', and no row has it"),
        ({"B": ""}, "row 1: it has the options A, C, with a gap"),
        ({"index": "x"}, "row 1: the index 'x' is no number"),
        ({"answer": "D"}, "row 1: the answer 'D' is none of A, B, C"),
        (
            {"index": 242, "image": base64.b64encode(png(1)).decode()},
            r"row 2: its image is that of the index '241', and no row has it",
        ),
    ],
)
def test_a_mistake_in_mmbench_is_named_by_its_row(shelf, prepared, change, message):
    rows = shelf.mmbench_rows()
    rows[0].update(change)
    with pytest.raises(ConfigError, match=message):
        prepared("mmbench", shelf.mmbench(rows))


def test_an_index_of_mmbench_that_is_given_twice_is_refused(shelf, prepared):
    rows = shelf.mmbench_rows()
    rows[3]["index"] = 241
    with pytest.raises(ConfigError, match=r"row 4: the id '241' is given twice, first in .*row 1"):
        prepared("mmbench", shelf.mmbench(rows))


def test_a_tsv_that_is_cut_off_is_named(shelf, prepared):
    params = shelf.mmbench()
    file = Path(params["path"])
    file.write_text(file.read_text()[:400])  # within the first picture: the rest of the row is missing
    with pytest.raises(ConfigError, match=r"MMBench_DEV_EN.tsv"):
        prepared("mmbench", params)


def test_two_tsvs_are_not_guessed_between(shelf):
    params = shelf.mmbench()
    folder = Path(params["path"]).parent
    assert bind("mmbench", {"path": str(folder)}).content == bind("mmbench", params).content
    (folder / "MMBench_TEST_EN.tsv").write_text("index\n")
    with pytest.raises(ConfigError, match="holds 2 TSV files, so that none is meant"):
        bind("mmbench", {"path": str(folder)})


def test_seed_bench_asks_about_images_and_leaves_videos_out(shelf, prepared):
    samples, said = prepared("seed-bench", shelf.seed())
    assert [s.groups["type"] for s in samples] == ["Instances Counting", "Instance Location", "Text Understanding"]
    assert samples[0].cluster == samples[1].cluster != samples[2].cluster
    assert said["left_out"] == {"it asks about a video": ["v1"]}


def test_seed_bench_of_the_hub_has_a_list_of_images(shelf, prepared):
    pictures = {"1_1": [png(0)], "2_2": [png(1)], "9.webm": [png(n) for n in range(8)]}
    rows = [
        {**row, "image": [{"bytes": one, "path": None} for one in pictures[row["data_id"]]]}
        for row in shelf.seed_rows()
    ]
    shelf.parquet("seed-hub/data/test-00000-of-00001.parquet", rows)
    of_table, said = prepared("seed-bench", {"path": str(shelf.root / "seed-hub")})
    assert of_table == prepared("seed-bench", shelf.seed())[0]
    assert said["left_out"] == {"it asks about a video": ["v1"]}


def test_seed_bench_refuses_types_that_it_does_not_have(shelf):
    params = shelf.seed()
    rows = [{**row, "question_type_id": 13} for row in shelf.seed_rows()]
    write_json(Path(params["path"]) / "SEED-Bench.json", {"questions": rows})
    with pytest.raises(
        ConfigError, match="SEED-Bench.json: question 1: question_type_id = '13' is unknown. Of images there are"
    ):
        bind("seed-bench", params)


@pytest.mark.parametrize("name", NINE)
def test_a_suite_without_data_says_what_to_give(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"Suite '{name}' in grid.yaml:3: give the data as `path` "):
        bind(name, {}, where=" in grid.yaml:3")
    with pytest.raises(ConfigError, match=f"Suite '{name}': .*`path` is "):
        bind(name, {"path": "."})
    with pytest.raises(ConfigError, match="needs a `revision` of 40 hex digits, not 'main'"):
        bind(name, {"hub": "some/where", "revision": "main"})


@pytest.mark.parametrize("name", NINE)
def test_the_same_files_in_another_folder_are_the_same_suite(tmp_path, name):
    one, two = (ChoiceShelf(tmp_path / place).everything()[name] for place in ("here", "there"))
    assert one["path"] != two["path"]
    assert bind(name, one).key == bind(name, two).key
    assert bind(name, {**one, "prompt": "interference"}).key != bind(name, one).key


def test_names_of_images_hold_on_every_machine(shelf, tmp_path):
    """Of a picture its class and file are named, and not the folder that a lab keeps it in."""
    params = shelf.caltech()
    named = Path(params["path"]).rename(tmp_path / "caltech101-of-our-lab")
    one = bind("caltech-101", {"path": str(named)}).key
    other = (named / "101_ObjectCategories").rename(tmp_path / "classes")
    assert bind("caltech-101", {"path": str(other)}).key == one


def test_lines_of_a_release_that_is_cut_off_are_named(shelf):
    file = write_lines(shelf.root / "arc-challenge" / "ARC-Challenge-Test.jsonl", [{"id": "1"}])
    file.write_text('{"id": "1", "ques')
    with pytest.raises(
        ConfigError, match=r"ARC-Challenge-Test.jsonl:1: this is not valid JSON .* Is the file cut off\?"
    ):
        bind("arc-challenge", {"path": str(file.parent)})


@pytest.mark.parametrize("name", NINE)
def test_a_wording_that_is_not_there_is_refused_while_planning(shelf, name):
    with pytest.raises(ConfigError, match="prompt = 'chatty' is unknown. Allowed: letter, interference"):
        bind(name, {**shelf.everything()[name], "prompt": "chatty"})


REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("name", "config", "split"),
    [
        ("mini-imagenet", None, "test"),
        ("caltech-101", None, "all"),
        ("food-101", None, "test"),
        ("openbookqa", "main", "test"),
        ("arc-challenge", "ARC-Challenge", "test"),
        ("mmlu", "all", "test"),
        ("scienceqa", None, "test"),
        ("mmbench", "en", "dev"),
        ("seed-bench", None, "test"),
    ],
)
def test_the_hub_is_asked_for_its_own_names_of_configuration_and_split(
    shelf, monkeypatch, prepared, name, config, split
):
    picture = {"bytes": png(1), "path": None}
    exam = {"id": "1", "answerKey": "B", "choices": {"text": ["x", "y"], "label": ["A", "B"]}}
    rows_of = {
        "openbookqa": [{**exam, "question_stem": "Why?"}],
        "arc-challenge": [{**exam, "question": "Why?"}],
        "mmlu": shelf.mmlu_rows(),
        "scienceqa": [{**shelf.science_problem(1), "image": picture}],
        "mmbench": [{**row, "image": picture} for row in shelf.mmbench_rows()],
        "seed-bench": [{**shelf.seed_rows()[0], "image": [picture]}],
    }
    rows = rows_of.get(name, [{"image": picture, "label": label} for label in ("ant", "bee", "cat", "dog")])
    asked = set()

    def rows_of_the_hub(*said):
        asked.add(said[:4])  # a fifth names columns
        return (Row(row, f"row {number}") for number, row in enumerate(rows, 1))

    monkeypatch.setattr(_hub, "rows", rows_of_the_hub)
    samples, _ = prepared(name, {"hub": "some/where", "revision": REVISION})
    assert asked == {("some/where", config, split, REVISION)}
    assert samples[0].question.count("\nA. ") == 1


LISTS = {
    "mini-imagenet": ("test.csv", "LOC_synset_mapping.txt"),
    "food-101": ("meta/test.txt",),
    "openbookqa": ("Data/Main/test.jsonl",),
    "arc-challenge": ("ARC-Challenge-Test.jsonl",),
    "mmlu": ("test/virology_test.csv",),
    "scienceqa": ("problems.json", "pid_splits.json"),
    "mmbench": ("MMBench_DEV_EN.tsv",),
    "seed-bench": ("SEED-Bench.json",),
}


@pytest.mark.parametrize(("name", "file"), [(name, file) for name, files in LISTS.items() for file in files])
def test_a_file_that_is_cut_off_or_garbled_is_refused_or_read_and_never_breaks_the_loader(shelf, name, file):
    """Whatever a download left behind, a reader is told what is wrong with which file; nothing else is ever raised."""
    params = shelf.everything()[name]
    victim = next(Path(params["path"]).parent.rglob(file))
    whole, rng = victim.read_bytes(), random.Random(0)
    cut = [whole[: rng.randrange(len(whole))] for _ in range(12)]
    garbled = [whole[:at] + rng.choice((b'"', b",", b"{", b"]", b"\n", b"\t", b"\xff", b"0")) + whole[at + 1 :]
               for at in (rng.randrange(len(whole)) for _ in range(24))]  # fmt: skip
    refused = 0
    for broken in (*cut, *garbled):
        victim.write_bytes(broken)
        try:
            assert sum(1 for _ in catalog.get(name).samples(bind(name, params))) <= 8
        except ConfigError:
            refused += 1
    assert refused >= 5
