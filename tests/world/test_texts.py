"""Hints and irrelevant sentences."""

from __future__ import annotations

import numpy as np
import pytest

from mmplat.world import SUITES, WorldItem, generate, texts
from mmplat.world.vlm import vocabulary, words

SEED = 1901


def _items(suite: str) -> list[WorldItem]:
    return list(generate(suite, n=60, seed=SEED))


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("suite", SUITES)
def test_a_true_hint_names_the_gold_label_and_a_misleading_one_another(suite: str, held_out: bool) -> None:
    rng = np.random.default_rng(0)
    for item in _items(suite):
        wrong = set(item.labels) - {item.gold}
        assert item.gold in words(texts.true_hint(item, rng, held_out=held_out))
        misled = set(words(texts.misleading_hint(item, rng, held_out=held_out)))
        assert item.gold not in misled
        assert len(misled & wrong) == 1


@pytest.mark.parametrize("suite", SUITES)
def test_every_word_of_every_text_is_in_the_vocabulary(suite: str) -> None:
    known, rng = set(vocabulary()), np.random.default_rng(1)
    for item in _items(suite):
        for text in (
            texts.true_hint(item, rng),
            texts.misleading_hint(item, rng, held_out=True),
            texts.irrelevant_text(item, rng, sentences=4),
        ):
            assert set(words(text)) <= known


def test_equal_generators_give_equal_texts() -> None:
    item = _items("world-objects")[0]
    made = [texts.irrelevant_text(item, np.random.default_rng(7)) for _ in range(2)]
    assert made[0] == made[1]


def test_irrelevant_text_holds_as_many_sentences_as_asked() -> None:
    item = _items("world-objects")[0]
    for count in (1, 2, 5):
        assert texts.irrelevant_text(item, np.random.default_rng(3), sentences=count).count(".") == count


def test_held_out_wordings_are_not_among_the_trained_ones() -> None:
    assert not set(texts.HELD_OUT_HINTS) & set(texts.TRAINED_HINTS)


def test_text_goes_before_or_after_the_question() -> None:
    assert texts.prepend("My cat is old.", "Is there a dog?") == "My cat is old. Is there a dog?"
    assert texts.append("My cat is old.", "Is there a dog?") == "Is there a dog? My cat is old."
