"""Rubrics: their words belong to their version, and replies are read strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmplat.ids import content_id
from mmplat.records import Sample
from mmplat.rubrics import catalog

SAMPLE = Sample(
    "i", "k", "c", "What is {it}?", (), (), "", (), reference={"answer": "A {cat}.", "context": "A {cat} sits."}
)
WORDS = {("pair-1-10", 1): "7b7ff95e", ("alone-0-6", 1): "f0aeeda5"}
"""Beginning of the hash of all prompts of a version. Other words need another version."""


@pytest.mark.parametrize("name", catalog)
def test_the_words_of_a_version_never_change(name):
    rubric = catalog.get(name)
    prompts = [rubric.prompt(SAMPLE, "A dog.", order) for order in rubric.orders]
    found = content_id([[prompt.system, prompt.text] for prompt in prompts])
    assert found.startswith(WORDS[name, rubric.version]), f"{found}: raise the version, then note its words here"


@pytest.mark.parametrize("name", catalog)
def test_a_prompt_holds_all_that_the_judge_needs_and_braces_are_letters(name):
    rubric = catalog.get(name)
    for order in rubric.orders:
        text = rubric.prompt(SAMPLE, "A {dog}.", order).text
        assert all(part in text for part in ("What is {it}?", "A {cat}.", "A {dog}.", "A {cat} sits."))


@pytest.mark.parametrize(
    ("reply", "scores"),
    [
        ("8 7", (8, 7)),
        ("8, 7\nBecause.", (8, 7)),
        ("\n  8.5\t10 \nBecause 1 2 3", (8.5, 10)),
        ("8 7.", None),
        ("8 7 (of 10)", None),
        ("1e1 7", None),
        ("+8 7", None),
        ("10.1 7", None),
    ],
)
def test_two_scores_stand_on_the_first_line_alone(reply, scores):
    rubric = catalog.get("pair-1-10")
    assert rubric.read(reply, "answer-first") == scores
    assert rubric.read(reply, "reference-first") == (scores and scores[::-1])


@pytest.mark.parametrize(
    ("reply", "scores"), [("4", (4, None)), ("0\nAll made up.", (0, None)), ("7", None), ("4 5", None)]
)
def test_one_score_stands_on_the_first_line_alone(reply, scores):
    assert catalog.get("alone-0-6").read(reply, "alone") == scores


POINTS = st.floats(1, 10).map(lambda x: round(x, 1))


@given(POINTS, POINTS, POINTS, POINTS)
def test_measures_of_a_pair_ignore_places_and_tell_their_bias(a1, r1, a2, r2):
    rubric = catalog.get("pair-1-10")
    found = rubric.measures({"answer-first": (a1, r1), "reference-first": (a2, r2)})
    swapped = rubric.measures({"answer-first": (a2, r2), "reference-first": (a1, r1)})
    for name in ("relative_score", "judge_score", "judge_score_reference", "win_rate"):
        assert found[name] == pytest.approx(swapped[name])
    assert found["position_bias"][0] == pytest.approx(-swapped["position_bias"][0])
    assert found["win_rate"][0] in (0, 0.5, 1)


def test_a_judge_without_bias_has_none_and_one_that_likes_the_first_has_its_points():
    rubric = catalog.get("pair-1-10")
    assert rubric.measures({"answer-first": (6, 8), "reference-first": (6, 8)})["position_bias"] == (0, 1)
    assert rubric.measures({"answer-first": (7, 8), "reference-first": (6, 9)})["position_bias"] == (1, 1)
