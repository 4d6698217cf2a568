"""Leaks, repetitions and prompts: words alone."""

from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmplat.building import prompts
from mmplat.building._asking import Unread, read
from mmplat.building.checking import SaidRight
from mmplat.building.describing import SaidAttributes
from mmplat.building.wording import leaked, overlap_of
from mmplat.ids import content_id

WORDS = {("describe", 1): "94bb7da1", ("write", 1): "b0f376bc", ("check", 1): "c9bd1f3e"}
"""Beginning of the hash of all words of a version. Other words need another version."""


@pytest.mark.parametrize("template", [prompts.DESCRIBE, prompts.WRITE, prompts.CHECK], ids=lambda one: one.name)
def test_the_words_of_a_version_never_change(template):
    found = content_id([template.system, template.text])
    noted = WORDS[template.name, template.version]
    assert found.startswith(noted), f"{found}: raise the version, then note its words here"


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("Is it a heron?", "heron", "heron"),
        ("HERONS stand there", "heron", "herons"),
        ("a heron's beak", "heron", "heron"),
        ("heron-like legs", "heron", "heron"),
        ("nightherons", "heron", "nightherons"),
        ("a fire truck", "fire truck", "fire truck"),
        ("two firetrucks", "fire truck", "firetrucks"),
        ("fire-trucks", "fire truck", "fire trucks"),
        ("the truck's ladder", "fire truck", "truck"),
        ("a ladder", "fire truck", None),
        ("three mice", "mouse", "mice"),
        ("mousetrap", "mouse", "mousetrap"),
        ("the firemen", "fireman", "firemen"),
        ("berries", "berry", "berries"),
        ("blueberries", "berry", "blueberries"),
        ("boxes", "box", "boxes"),
        ("the horses", "horse", "horses"),
        ("two axes", "axe", "axes"),
        ("houses", "house", "houses"),
        ("knives", "knife", "knives"),
        ("a pair of scissors", "scissors", "scissors"),
        ("a heron’s nest", "herons", "heron"),
        ("a kind of category", "cat", None),
        ("two cats", "cat", "cats"),
        ("a bus stop", "bus", "bus"),
        ("glasses", "glass", "glasses"),
        ("brass", "bra", None),
        ("pale sky behind it", "heron", None),
        ("ein Straußenei", "Strauß", "straussenei"),
        ("anything", "", None),
    ],
)
def test_a_name_is_found_in_any_form_that_comparing_words_can_see(text, name, said):
    assert leaked(text, name) == said


FORMS = ("{}", "{}s", "{}es", "{}-like", "sea{}", "{}'s", "{}fish")


@settings(deadline=None)
@given(st.text(ascii_lowercase, min_size=4, max_size=9), st.sampled_from(FORMS))
def test_no_form_of_a_name_slips_through(name, form):
    said = form.format(name)
    assert leaked(f"Do you see the {said.upper()}, there?", name) is not None
    assert leaked(f"Do you see the {said}?", f"great {name}") is not None


def test_synonyms_are_not_seen_unless_they_are_given():
    assert leaked("a wading bird", "heron") is None


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("the long beak", "long beaks", 1.0),
        ("a long beak", "a short beak", 1 / 3),
        ("red paint", "green grass", 0.0),
        ("in the", "in the", 1.0),
        ("", "", 0.0),
    ],
)
def test_overlap_is_the_share_of_words_in_common(one, other, share):
    assert overlap_of(one, other) == pytest.approx(share)


GOOD = '{"core": [{"type": "Shape", "phrase": "a long beak"}], "spurious": [%s]}'
THREE = ", ".join(f'{{"type": "BG", "phrase": "reeds {n}"}}' for n in range(3))


def test_published_spellings_of_types_are_read():
    said = read(SaidAttributes, GOOD % THREE)
    assert [one.type for one in (*said.core, *said.spurious)] == ["shape", "background", "background", "background"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "reply: Invalid JSON"),
        (f"Here it is: {GOOD % THREE}", "reply: Invalid JSON"),
        (f"```json\n{GOOD % THREE}\n```\nI hope this helps.", "reply: Invalid JSON"),
        ("[]", "reply: "),
        ((GOOD % THREE).replace("{", '{"mood": 1, ', 1), "mood: Extra inputs"),
        (GOOD % '{"type": "BG", "phrase": "reeds"}', "spurious: List should have at least 3"),
        (GOOD % THREE.replace("reeds 1", "reeds 0"), "reply: Value error, a phrase is given twice"),
        (GOOD % THREE.replace("reeds 1", "  "), "spurious.1.phrase: String should have at least 1"),
        (GOOD % THREE.replace('"reeds 1"', "7"), "spurious.1.phrase: Input should be a valid string"),
    ],
)
def test_a_reply_in_another_form_is_not_guessed_at(reply, why):
    with pytest.raises(Unread, match=why):
        read(SaidAttributes, reply)


def test_letters_of_right_answers_are_letters():
    assert read(SaidRight, '{"right": ["B", "D"]}').right == ["B", "D"]
    with pytest.raises(Unread, match="right.0: Input should be"):
        read(SaidRight, '{"right": ["b."]}')
