"""The streams of items: deterministic, balanced in every prefix, asked in words that the model knows."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from mmplat.errors import ConfigError
from mmplat.world import CHECKPOINTS, SUITES, WorldItem, checkpoint_folder, generate
from mmplat.world.scenes import sample_objects
from mmplat.world.vlm import vocabulary, words
from mmplat.world.vocabulary import MODES, PEOPLE, TYPES

SEED = 1900


def _same(a: WorldItem, b: WorldItem) -> bool:
    fields = ("sample_id", "image_id", "question", "options", "labels", "gold", "groups")
    return all(getattr(a, name) == getattr(b, name) for name in fields) and np.array_equal(a.image, b.image)


@pytest.mark.parametrize("suite", SUITES)
def test_equal_seeds_give_equal_items(suite: str) -> None:
    pairs = zip(generate(suite, n=40, seed=SEED), generate(suite, n=40, seed=SEED), strict=True)
    assert all(_same(a, b) for a, b in pairs)


@pytest.mark.parametrize("suite", SUITES)
def test_another_seed_gives_other_pictures(suite: str) -> None:
    pairs = zip(generate(suite, n=40, seed=SEED), generate(suite, n=40, seed=SEED + 1), strict=True)
    assert not any(np.array_equal(a.image, b.image) for a, b in pairs)


@pytest.mark.parametrize("suite", SUITES)
def test_a_short_run_is_the_beginning_of_a_long_one(suite: str) -> None:
    short, long = list(generate(suite, n=31, seed=SEED)), list(generate(suite, n=90, seed=SEED))
    assert len(long) == 90
    assert all(_same(a, b) for a, b in zip(short, long, strict=False))


@pytest.mark.parametrize("suite", SUITES)
def test_items_are_well_formed(suite: str) -> None:
    items = list(generate(suite, n=300, seed=SEED))
    assert len({item.sample_id for item in items}) == len(items)
    for item in items:
        assert item.image.shape == (32, 32, 3)
        assert item.image.dtype == np.uint8
        assert item.gold in item.labels
        assert item.labels in (item.options or ("yes", "no"), ("A", "B", "C", "D"))
        assert len(set(item.options)) == len(item.options)


@pytest.mark.parametrize("suite", SUITES)
def test_every_word_of_a_question_is_in_the_vocabulary(suite: str) -> None:
    known = set(vocabulary())
    for item in generate(suite, n=400, seed=SEED):
        assert set(words(item.question)) <= known


@pytest.mark.parametrize("n", [30, 200, 601])
def test_any_prefix_of_the_objects_is_balanced_in_each_split(n: int) -> None:
    counts = Counter((item.groups["split"], item.gold) for item in generate("world-objects", n=n, seed=SEED))
    assert len(counts) == 6
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("n", [108, 275])
def test_any_prefix_of_the_bodies_is_balanced_over_types_modes_and_letters(n: int) -> None:
    items = list(generate("world-spurious", n=n, seed=SEED))
    cells = Counter((item.groups["type"], item.groups["mode"]) for item in items)
    letters = Counter(item.gold for item in items)
    assert set(cells) == {(kind, mode) for kind in TYPES for mode in MODES}
    assert max(cells.values()) - min(cells.values()) <= 1
    assert max(letters.values()) - min(letters.values()) <= len(MODES)


def test_the_facts_are_balanced_over_topics_and_answers() -> None:
    items = list(generate("world-facts", n=240, seed=SEED))
    assert set(Counter(item.groups["topic"] for item in items).values()) == {80}
    assert Counter(item.gold for item in items) == {"yes": 60, "no": 60, "A": 30, "B": 30, "C": 30, "D": 30}


def test_six_questions_share_one_picture() -> None:
    items = list(generate("world-objects", n=60, seed=SEED))
    assert set(Counter(item.image_id for item in items).values()) == {6}
    for a, b in pairwise(items):
        assert (a.image_id == b.image_id) == np.array_equal(a.image, b.image)


def test_the_gold_answer_of_an_object_question_is_what_is_in_the_scene() -> None:
    # The stream seeds a scene by (suite, seed, index); the first thing drawn from that generator is the scene.
    for item in generate("world-objects", n=120, seed=SEED):
        index = int(item.image_id.rsplit("-", 1)[1])
        scene = sample_objects(np.random.default_rng([1, SEED, index]))
        present = {words(item.question)[3]} <= {_noun(noun) for noun in scene.present}
        assert item.gold == ("yes" if present else "no")


def _noun(index: int) -> str:
    from mmplat.world.vocabulary import NOUNS

    return NOUNS[index]


def test_facts_of_one_half_of_the_people_are_never_asked_of_the_other() -> None:
    def asked(half: tuple[str, ...]) -> set[str]:
        return {item.question for item in generate("world-facts", n=300, seed=SEED, people=half)}

    assert asked(PEOPLE[0::2]).isdisjoint(asked(PEOPLE[1::2]))
    everyone = [item.question for item in generate("world-facts", n=30, seed=SEED, people=PEOPLE)]
    assert everyone == [item.question for item in generate("world-facts", n=30, seed=SEED)]


def test_each_option_of_a_body_speaks_for_the_class_for_the_attribute_or_for_neither() -> None:
    for item in generate("world-spurious", n=270, seed=SEED):
        assert item.roles.index("core") == item.labels.index(item.gold)
        assert item.roles.count("spurious") <= (item.groups["mode"] != "aligned")
        if item.groups["mode"] == "anti":
            assert sorted(item.roles) == ["core", "neutral", "neutral", "spurious"]


@pytest.mark.parametrize("rho", [0.0, 0.6, 1.0])
def test_with_a_strength_the_attribute_goes_along_with_the_class_that_often(rho: float) -> None:
    n = 450
    items = list(generate("world-spurious", n=n, seed=SEED, rho=rho))
    aligned = sum(item.groups["mode"] == "aligned" for item in items) / n
    expected = rho + (1 - rho) / 4  # uniform otherwise
    assert abs(aligned - expected) <= 3.3 * (expected * (1 - expected) / n) ** 0.5
    assert len({item.image_id for item in items}) == n


def test_names_are_asked_where_the_attribute_speaks_against_the_class() -> None:
    for item in generate("world-spurious-names", n=45, seed=SEED):
        assert item.labels == item.options
        assert item.roles[item.labels.index(item.gold)] == "core"
        assert "spurious" in item.roles


def test_the_three_modes_of_a_body_ask_the_same_question_with_the_same_answer() -> None:
    items = list(generate("world-spurious", n=54, seed=SEED))
    for start in range(0, 54, 3):
        triplet = items[start : start + 3]
        assert [item.groups["mode"] for item in triplet] == list(MODES)
        assert len({(item.question, item.gold, item.options) for item in triplet}) == 1


def test_an_unknown_suite_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"world-object'.*Known: world-both, world-facts, world-objects, world-spurious"
    ):
        generate("world-object", n=1, seed=0)


def test_an_unknown_checkpoint_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="Known: tiny, tiny-biased"):
        checkpoint_folder("huge")
    assert all(checkpoint_folder(name).name == name for name in CHECKPOINTS)
