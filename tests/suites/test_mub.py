"""The released MUB data, as bad as they are: everything whole is asked, everything else is listed and counted."""

import json
from dataclasses import replace

import pytest
from suites.mub_files import ITEMS, LETTERED, item, write_mub
from typer.testing import CliRunner

from mmplat.cli.app import app
from mmplat.conditions import applied, bind
from mmplat.errors import ConfigError
from mmplat.records import Sample
from mmplat.samples import LeftOut, RawSample
from mmplat.suites import catalog
from mmplat.suites._official import mub as official
from mmplat.suites._parsing import strict
from mmplat.suites.mub import audit, recovered


@pytest.fixture
def loaded(tmp_path, prepared):
    return prepared("mub", write_mub(tmp_path / "mub"))


def ids(said):
    """How many are left out, by reason."""
    return {reason: len(found) for reason, found in said["left_out"].items()}


def test_every_whole_item_is_asked_once_and_the_rest_is_counted(loaded):
    samples, said = loaded
    assert len(samples) == 5
    assert ids(said) == {
        "repeated": 16,
        "repeated with another answer or other options": 1,
        "num = 7, and levels are exactly 6, 9, 12": 1,
        "the right answer 'F' is none of A, B": 1,
        "options were looked for in its question as 'A) …', and [] were found": 1,
        "the file breaks off here, 368 characters before its end": 1,
    }


def test_multiple_choice_yes_no_chinese_and_options_inside_the_question(loaded):
    samples = {s.groups["dataset"] + s.groups["difficulty"]: s for s in loaded[0]}
    five = samples["MMMUlow"]
    assert (five.labels, five.gold) == (("A", "B", "C", "D", "E"), "E")
    assert five.question.startswith("What is in the image here?\nA. a cat\n")
    assert samples["MMMUmedium"].question.startswith("No major ____ should cross.\nA. traffic")
    assert samples["MMBench-cchigh"].options == ("鼎", "壶", "陶器盖")
    yes_no = samples["MMElow"]
    assert (yes_no.labels, yes_no.gold, yes_no.groups["type"]) == (("yes", "no"), "no", "yes-no")
    inside = samples["ConBench_CHlow"]
    assert inside.options == ("a cat", "a dog", "a pig")
    assert inside.question.startswith("What is it? A) a cat B) a dog, C) a pig\nPlease answer.\nAnswer with")
    assert len({s.cluster for s in loaded[0]}) == 5


def test_what_was_recorded_of_another_model_is_kept_aside_and_shown_to_nobody(loaded):
    for sample in loaded[0]:
        recorded = sample.reference["recorded"]
        assert recorded["guide"].startswith("And the true answer is")
        assert "true answer" not in sample.question


def test_the_answer_goes_with_its_option_where_letters_are_missing(tmp_path, prepared):
    odd = item(0, "Which?", "D", {"B": "x", "D": "y"})
    (sample,), _ = prepared("mub", write_mub(tmp_path / "odd", [odd, odd], cut=False, times=1))
    assert (sample.labels, sample.gold, sample.options) == (("A", "B"), "B", ("x", "y"))


def test_items_that_are_not_as_released_are_counted_and_never_scored(tmp_path, prepared):
    gap = {"A": "a cat", "B": "a dog", "D": "a pig"}
    items = [
        item(0, "Which is there?", "B", gap),
        item(1, "Which is named by nothing?", "C", gap),  # with its letters given anew, C would be the pig
        item(2, "Which of a list?", "A", ["a cat", "a dog"]),
        item(3, "Whose number is a text?", "A", LETTERED, num="9"),
        item(4, "Whose number is a list?", "A", LETTERED, num=[9]),
    ]
    for levels in ("exact", "at-least"):
        samples, said = prepared("mub", write_mub(tmp_path / "mub", items, cut=False, times=1) | {"levels": levels})
        assert [(s.gold, s.options) for s in samples] == [("B", ("a cat", "a dog", "a pig"))]
        reasons = " ".join(said["left_out"])
        assert "the right answer 'C' is none of A, B, D" in reasons
        assert "its choices are ['a cat', 'a dog'], and not texts by their letters" in reasons
        assert "num = '9'" in reasons
        assert "num = [9]" in reasons


def test_levels_may_hold_what_misled_at_least_so_many(tmp_path, prepared):
    samples, _ = prepared("mub", {**write_mub(tmp_path / "mub"), "levels": "at-least"})
    seven = next(s for s in samples if s.reference["num"] == 7)
    assert seven.groups.items() >= {"difficulty": "low", "at_least_6": "yes"}.items()
    twelve = next(s for s in samples if s.reference["num"] == 12)
    assert all(twelve.groups[f"at_least_{n}"] == "yes" for n in (6, 9, 12))


def test_a_missing_image_stops_it_or_is_counted(tmp_path, prepared):
    params = write_mub(tmp_path / "mub")
    (tmp_path / "mub" / "extract_img_all" / "2.jpg").unlink()
    with pytest.raises(ConfigError, match="1 images are missing; the first is .*2.jpg"):
        prepared("mub", params)
    _, said = prepared("mub", {**params, "missing_images": "leave-out"})
    assert ids(said)["its image is missing"] == 1


def test_images_may_lie_in_a_folder_of_their_own(tmp_path, prepared):
    params = {**write_mub(tmp_path / "mub"), "images": str(tmp_path / "mub" / "extract_img_all")}
    assert len(prepared("mub", params)[0]) == 5


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_wherever_a_file_breaks_off_what_is_whole_before_is_recovered(cut):
    values = [{"a": 1}, {"b": "}],[{"}, {"c": "文"}]
    text = json.dumps(values, indent=2, ensure_ascii=False)[: cut or None]
    found = list(recovered(text))
    whole = [one for one in found if not isinstance(one, LeftOut)]
    assert whole == values[: len(whole)]
    assert len(found) - len(whole) <= 1
    assert (
        len(whole) == 3
        or isinstance(found[-1], LeftOut)
        or not text.strip("[ \n,")
        or text.rstrip().endswith(("}", ","))
    )


def test_a_file_may_break_off_inside_a_character(tmp_path, prepared):
    params = write_mub(
        tmp_path / "mub", [item(0, "图中文物的名称是什么？", "A", {"A": "鼎", "B": "壶"})] * 2, cut=False
    )
    file = tmp_path / "mub" / "all_combined_items.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex("壶".encode()) + 1])
    samples, said = prepared("mub", params)
    assert len(samples) == 1
    assert any(reason.startswith("the file breaks off here") for reason in said["left_out"])
    file.write_bytes(whole.replace("鼎".encode(), b"\xff", 1))
    with pytest.raises(ConfigError, match="no UTF-8 text"):
        prepared("mub", {**params, "levels": "at-least"})


def test_what_is_no_json_at_all_asks_nothing_and_says_so(tmp_path, prepared):
    (tmp_path / "all_combined_items.jsonl").write_text("<html>not found</html>")
    with pytest.raises(ConfigError, match="breaks off here"):
        prepared("mub", {"path": str(tmp_path)})


def test_the_audit_checks_recorded_cues_against_what_they_did(tmp_path):
    write_mub(tmp_path)
    found = audit(tmp_path)
    assert (found.items, found.misled, found.misled_with_gold) == (6, 3, 0)
    assert (found.corrected, found.corrected_without_gold) == (3, 0)
    wrong = [{**ITEMS[0], "guide": "And the true answer is : E"}, {**ITEMS[3], "guide": "And the true answer is : Yes"}]
    write_mub(tmp_path, wrong, times=1, cut=False)
    done = CliRunner().invoke(app, ["mub", "audit", str(tmp_path)])
    assert "misled with gold: 1" in done.output
    assert "corrected without gold: 1" in done.output


@pytest.mark.parametrize(
    ("text", "told"), [("not JSON", "breaks off here"), ("", "the file is empty"), ("[]", "is empty")]
)
def test_the_audit_of_a_file_without_items_says_so(tmp_path, text, told):
    (tmp_path / "some.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=f"holds no whole item .*{told}"):
        audit(tmp_path / "some.jsonl")


def test_a_cue_on_the_suite_comes_after_the_question_and_before_listed_options(tmp_path):
    spec_of = {s.reference["num"]: s for s in samples_of(tmp_path) if s.groups["type"] == "choice"}
    cued = applied(bind("cue-gold"), spec_of[9])
    assert cued.question.startswith("No major ____ should cross. And the true answer is : B\nA. traffic")
    inside = next(s for s in samples_of(tmp_path) if s.groups["type"] == "choice-inside")
    assert applied(bind("cue-gold"), inside).question.startswith(
        f"{inside.stem} And the true answer is : B\nAnswer with"
    )


def samples_of(folder):
    from mmplat.suites import bind as bind_suite

    spec = bind_suite("mub", write_mub(folder / "again"))
    return [one for one in catalog.get("mub").samples(spec) if isinstance(one, RawSample)]


CHOICE = Sample("1", "1", "1", "?", ("x", "y", "z", "u", "v"), ("A", "B", "C", "D", "E"), "E", ())
YES_NO = replace(CHOICE, options=(), labels=("yes", "no"), gold="no")


@pytest.mark.parametrize(
    ("text", "sample", "by_script", "by_us"),
    [
        ("A man walks", replace(CHOICE, gold="A"), "A", None),  # the article is an answer
        ("E", CHOICE, None, "E"),  # E is never found, and the reply in lower case has none
        ("I cannot tell", YES_NO, "no", None),  # "cannot" holds a no
        ("It is unknown", YES_NO, "no", None),
        ("No, the part is B", YES_NO, None, "no"),  # a letter is found first
        ("The answer is C.", replace(CHOICE, gold="C"), "C", "C"),
        ("", CHOICE, None, None),
    ],
)
def test_the_released_parser_and_where_it_errs(text, sample, by_script, by_us):
    assert official(text, sample) == by_script
    assert strict(text, sample) == by_us
