"""MM-SpuBench's files, well made and not."""

import pytest
from spubench_files import NAMES, annotation, write_spubench

from mmplat.errors import ConfigError
from mmplat.spurious import TYPES, type_named
from mmplat.suites import bind
from mmplat.suites._spubench import Odd, lettered
from mmplat.suites.mm_spubench import said
from mmplat.world.vocabulary import TYPES as OF_THE_WORLD

FIRST = """Question: Which mark tells what thing 0 is?
A. core mark 0
B. side mark 0-0
C. side mark 0-1
D. side mark 0-2
Provide only the letter corresponding to the correct choice (A, B, C, or D).
Answer:"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spubench"


@pytest.fixture
def spubench(folder, prepared):
    """Prepares the suite from some rows."""

    def made(rows=18, kind="mm-spubench", suffix=".png", **params):
        return prepared(kind, {"path": str(write_spubench(folder, rows, suffix)), **params})

    return made


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_annotations_meet_their_images_and_every_type_is_counted(spubench, suffix):
    samples, about = spubench(suffix=suffix)
    assert samples[0].question == FIRST
    assert [s.sample_id for s in samples[:2]] == ["000000", "000001"]
    assert [s.gold for s in samples[:5]] == ["A", "B", "C", "D", "A"]
    assert [s.groups["type"] for s in samples[:9]] == list(TYPES)
    assert len({s.images for s in samples}) == 18
    assert samples[1].reference["core_attributes"] == ["core mark 1"]
    assert about["differs_from_published"] == ["all: 18 samples, published are 2400"]
    assert about["groups"] == {"type": dict.fromkeys(sorted(TYPES), 2)}


def test_rows_meet_their_images_by_name_in_whatever_order_they_stand(spubench):
    rows = [annotation(n) for n in (3, 1, 0, 2)]
    one, other = ({s.sample_id: s.sample_key for s in spubench(some)[0]} for some in (rows, rows[::-1]))
    assert one == other  # a key holds question and pixels


@pytest.mark.parametrize("name", [7, "7", "000007", "000007.png", "data/images/000007.PNG"])
def test_an_image_may_be_named_by_number_name_or_path(spubench, name):
    rows = [annotation(7), annotation(8)]
    rows[0]["image"] = name
    assert [s.sample_id for s in spubench(rows)[0]] == ["000007", "000008"]


@pytest.mark.parametrize("style", ["{}. {}", "({}) {}", "{}: {}", "{}) {}"])
def test_letters_that_the_options_bring_are_shown_once(spubench, style):
    row = annotation(0)
    row["choices"] = [style.format(letter, text) for letter, text in zip("ABCD", row["choices"], strict=True)]
    sample = spubench([row])[0][0]
    assert sample.options == ("core mark 0", "side mark 0-0", "side mark 0-1", "side mark 0-2")
    assert sample.question.split("\n")[1:5] == row["choices"]


def test_letters_on_some_options_only_are_words():
    options, lines = lettered(["A. Smith", "a dog", "B", "a cat"])
    assert options[0] == "A. Smith"
    assert lines[0] == "A. A. Smith"
    with pytest.raises(Odd, match="lettered ABDC"):
        lettered(["A. x", "B. y", "D. z", "C. w"])


@pytest.mark.parametrize("name", [*NAMES, *TYPES, "texture & noise", "Co-Occurring_Objects", "COL", "relative size"])
def test_types_are_known_by_abbreviation_and_by_name(name):
    assert type_named(name) in TYPES


def test_the_types_are_those_of_the_world():
    assert TYPES == OF_THE_WORLD
    assert type_named("Material") is None


def test_the_bare_question_stands_once_in_either_prompt(spubench):
    one, other = (spubench(prompt=prompt)[0][0] for prompt in ("letter-after", "letter-before"))
    assert one.sample_key != other.sample_key
    for sample in (one, other):
        assert sample.question.count("Which mark tells what thing 0 is?") == 1
    assert other.question.startswith(
        "Answer the multiple-choice visual question.\nReply with only one letter: A, B, C, or D.\n\n"
    )
    assert other.question.endswith("D. side mark 0-2\n\nAnswer:")


ODD = {
    "five options": ({"choices": list("vwxyz")}, "it has 5 options, not 4"),
    "no list": ({"choices": "a, b, c, d"}, "no list of texts"),
    "twins": ({"choices": ["a", "b", "A", "c"]}, "two of its options are the same"),
    "type": ({"type": "Material"}, "its type 'Material' is none of background, texture,"),
    "answer": ({"answer": "E"}, "its answer 'E' is neither a letter from A to D nor one of its options"),
    "article": ({"answer": "A side mark"}, "its answer 'A side mark' is neither"),
    "question": ({"question": None}, "it has no 'question'; it has 'id', 'choices'"),
    "roles": ({"roles": ["core", "spurious"]}, "and not one of core, spurious, neutral for each option"),
    "wrong role": ({"roles": ["spurious"] * 4}, "its right option has the role 'spurious', not 'core'"),
}


@pytest.mark.parametrize(("changed", "reason"), ODD.values(), ids=ODD)
def test_a_malformed_row_is_one_clear_error_or_a_listed_exclusion(spubench, changed, reason):
    rows = [annotation(0), annotation(1, **changed), annotation(2)]
    with pytest.raises(ConfigError, match="1 of 3 annotations cannot be asked.*'000001' in .*row 2") as error:
        spubench(rows)
    assert reason in str(error.value)
    samples, about = spubench(rows, malformed="leave-out")
    assert [s.sample_id for s in samples] == ["000000", "000002"]
    ((why, names),) = about["left_out"].items()
    assert reason in why
    assert names == ["000001"]


def test_an_answer_may_carry_its_option_or_be_one(spubench):
    rows = [annotation(1, answer="B. core mark 1"), annotation(2, answer="(C)"), annotation(3, answer="core mark 3")]
    assert [s.gold for s in spubench(rows)[0]] == ["B", "C", "D"]


def test_no_type_at_all_names_the_keys_that_are_there(spubench):
    rows = [annotation(n, type=None) for n in range(2)]
    with pytest.raises(
        ConfigError, match="type, category, spurious_type.*keys found are id, question, choices, answer, core"
    ):
        spubench(rows)


@pytest.mark.parametrize("key", ["category", "spurious_type"])
def test_the_type_is_found_under_other_keys(spubench, key):
    rows = [annotation(n, type=None) | {key: "BG"} for n in range(2)]
    assert {s.groups["type"] for s in spubench(rows)[0]} == {"background"}


def test_an_image_that_is_missing_is_refused_or_listed_and_one_that_nobody_asks_about_is_listed(folder, prepared):
    path = write_spubench(folder, 3)
    (path / "data" / "images" / "000001.png").rename(path / "data" / "images" / "000009.png")
    with pytest.raises(ConfigError, match="1 images are missing; the first is .*000001"):
        prepared("mm-spubench", {"path": str(path)})
    samples, about = prepared("mm-spubench", {"path": str(path), "missing_images": "leave-out"})
    assert [s.sample_id for s in samples] == ["000000", "000002"]
    assert about["left_out"] == {
        "no question asks about this image": ["000009"],
        "its image is missing": ["000001"],
    }


def test_two_files_of_one_name_would_be_a_guess(folder):
    path = write_spubench(folder, 2)
    (path / "data" / "images" / "000001.jpg").write_bytes(b"")
    with pytest.raises(ConfigError, match="are both called '000001'"):
        bind("mm-spubench", {"path": str(path)})


def test_an_id_given_twice_is_refused(spubench):
    with pytest.raises(ConfigError, match="row 2: the id '000000' is given twice, first in .*row 1"):
        spubench([annotation(0), annotation(1, id=0)])


def test_an_annotation_that_names_no_image_is_refused_rather_than_counted_off(folder):
    path = write_spubench(folder, 2)
    file = path / "annotation.json"
    file.write_text(file.read_text().replace('"id": 1, ', ""))
    with pytest.raises(
        ConfigError, match="row 2: there is no 'image' or 'image_id' or 'file_name' or 'id'. The row has 'question'"
    ):
        bind("mm-spubench", {"path": str(path)})


def test_another_encoding_and_a_file_cut_off_are_named(folder):
    path = write_spubench(folder, 2)
    file = path / "annotation.json"
    whole = file.read_text().replace("thing 0", "thing é")
    file.write_bytes(whole.encode("latin-1"))
    with pytest.raises(ConfigError, match="annotation.json: this is no UTF-8 text"):
        bind("mm-spubench", {"path": str(path)})
    file.write_text(whole[:-20])
    with pytest.raises(ConfigError, match="annotation.json: this is not valid JSON.*cut off"):
        bind("mm-spubench", {"path": str(path)})


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="`path` is the folder that holds annotation.json"):
        bind("mm-spubench", {"path": str(tmp_path)})
    with pytest.raises(ConfigError, match="needs a `revision` of 40 hex digits"):
        bind("mm-spubench", {"hub": "mmbench/MM-SpuBench", "revision": "main"})


def test_the_hub_is_read_in_its_own_layout(folder, prepared, monkeypatch):
    """Its table holds images alone; zipping it with the annotations would be a join by order."""
    import huggingface_hub

    asked = {}

    def downloaded(name, **options):
        asked.update(options, name=name)
        return str(write_spubench(folder, 9))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", downloaded)
    revision = "c38b71c48ab28d52ad9bd16e26aa3b2eae861a81"
    samples, about = prepared("mm-spubench", {"hub": "mmbench/MM-SpuBench", "revision": revision})
    assert (len(samples), about["content"] is not None) == (9, True)
    assert (asked["name"], asked["revision"], asked["repo_type"]) == ("mmbench/MM-SpuBench", revision, "dataset")


def test_a_table_that_holds_image_and_annotation_is_read_too(shelf, prepared):
    from benchmark_files import png

    rows = [annotation(n) | {"image": {"bytes": png(n), "path": f"{n:06}.png"}} for n in range(3)]
    shelf.parquet("spu/train.parquet", rows)
    samples, _ = prepared("mm-spubench", {"path": str(shelf.root / "spu")})
    assert [s.sample_id for s in samples] == ["000000", "000001", "000002"]


def test_attributes_are_labels_with_roles(spubench):
    samples, _ = spubench(3, kind="mm-spubench-attributes")
    first = samples[0]
    assert first.labels == ("core mark 0", "side mark 0-0", "side mark 0-1", "side mark 0-2")
    assert first.reference["roles"] == ["core", "spurious", "spurious", "spurious"]
    assert "core mark" not in first.question


def test_attributes_that_prove_nothing_are_left_out_with_the_reason(spubench):
    rows = [annotation(0), annotation(1, spurious_attributes=None), annotation(2, spurious_attributes=["Core mark 2"])]
    samples, about = spubench(rows, kind="mm-spubench-attributes")
    assert len(samples) == 1
    assert about["left_out"] == {
        "its annotation has no core attribute or no spurious one": ["000001"],
        "a phrase is both a core and a spurious attribute": ["000002"],
    }
    with pytest.raises(ConfigError, match="names no class, which `prompt: class` needs"):
        spubench(1, kind="mm-spubench-attributes", prompt="class")
    named = spubench([annotation(0) | {"class": "heron"}], kind="mm-spubench-attributes", prompt="class")[0][0]
    assert named.question.startswith("The picture shows a heron. ")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("B", "B"),
        ("(B) side mark 0-0", "B"),
        ("<think>It could be A.</think> B", "B"),
        ("<think>It could be A.", None),
        ("A. was my first thought, but the answer is B.", "B"),
        ("The answer is: (B)", "B"),
        ("side mark 0-0", "B"),
        ("A side mark", None),
        ("I cannot tell", None),
    ],
)
def test_what_a_written_answer_says(spubench, text, label):
    sample = spubench([annotation(0)])[0][0]
    assert said(text, sample) == label


def test_it_runs_from_files_to_the_likelihood_of_attributes(folder, results):
    """Phrases of several tokens are scored as continuations; their tokens are counted, and kept beside their probability."""
    from builders import run_grid

    from mmplat.diagnostics import cgla, measured

    path = write_spubench(folder, 9)
    ran = run_grid(GRID.format(path=path), results)
    assert ran.value(metric="accuracy", suite="mm-spubench") <= 1
    assert ran.table("metrics").filter(metric="macro_accuracy")["n"].to_list() == [9]
    (pair,) = measured(results, "spubench", suites=["mm-spubench-attributes"])
    image = cgla.phrases(pair, list(pair.pair.views))[0]
    assert image.tokens[0].tolist() == [3, 5, 5, 5]  # "core mark 0", and "side mark 0 - 0" as the tiny model reads it
    assert (image.log_probs < 0).all()
    table = cgla.measure(pair)
    forms = table.filter(subset="all").select("score", "less_blind").rows()
    assert set(forms) == {("per token", False), ("per token", True), ("summed", False), ("summed", True)}
    per_token, summed = (table.filter(subset="all", less_blind=False, score=s) for s in ("per token", "summed"))
    scores = image.log_probs / image.tokens
    assert per_token["value"][0] == pytest.approx((scores[:, 0] - scores[:, 1:].mean(axis=1)).mean())
    assert summed["value"][0] == pytest.approx((image.log_probs[:, 0] - image.log_probs[:, 1:].mean(axis=1)).mean())


GRID = """
campaign: spubench
models: [tiny]
suites:
  - {{name: mm-spubench, params: {{path: "{path}"}}}}
  - {{name: mm-spubench-attributes, params: {{path: "{path}"}}}}
views: [none]
"""


def test_the_shipped_grid_plans_for_a_real_model(folder):
    """The same grid on released data and a checkpoint of the hub: planned without a download."""
    from pathlib import Path

    import yaml

    from mmplat.grid import parse_grid
    from mmplat.plan import make_plan

    path = str(write_spubench(folder, 18))
    grid = yaml.safe_load((Path(__file__).parents[2] / "config" / "grids" / "spurious.yaml").read_text())
    assert make_plan(parse_grid(yaml.safe_dump(grid))).planned > 100
    suites = [{"name": f"mm-spubench{which}", "params": {"path": path}} for which in ("", "-attributes")]
    plan = make_plan(parse_grid(yaml.safe_dump(grid | {"models": ["llava-hf/llava-1.5-7b-hf"], "suites": suites})))
    methods, decodings = len(grid["methods"]), len(grid["decodings"])
    assert (
        plan.planned == methods * decodings + 2 * decodings
    )  # of phrases: naive and the control that looks at the image alone
    assert plan.forwards is not None
    assert {skip.suite for skip in plan.skipped} == {"mm-spubench-attributes"}


def test_the_blind_control_says_that_there_is_no_image(spubench):
    from mmplat.models import Ask
    from mmplat.views import bind as view
    from mmplat.views.imagined import NOTE

    sample = spubench([annotation(0)])[0][0]
    assert Ask(sample, view("imagined"), ()).question == f"{sample.question} {NOTE}"


@pytest.mark.parametrize("prompt", ["letter-after", "letter-before"])
@pytest.mark.parametrize("style", ["{1}", "({0}) {1}", "{0}: {1}"])
def test_its_options_can_change_places(spubench, prompt, style):
    from mmplat.views.options import rotated

    row = annotation(0)
    row["choices"] = [style.format(letter, text) for letter, text in zip("ABCD", row["choices"], strict=True)]
    sample = spubench([row], prompt=prompt)[0][0]
    moved = rotated(sample, {"by": 1}, 0).replace(sample.options[3], "X").splitlines()
    first = next(at for at, line in enumerate(sample.question.splitlines()) if line.endswith("core mark 0"))
    assert moved[first].endswith("X")  # the last option stands first
    assert moved[first + 1].endswith("core mark 0")
