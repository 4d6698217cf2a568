"""The suite that takes both: the picture says what is there, the text what the options are."""

from collections import Counter

import numpy as np

from mmplat.world import generate
from mmplat.world.captions import described
from mmplat.world.scenes import sample_objects
from mmplat.world.vocabulary import NOUNS


def scenes(count, seed):
    """What is in each picture, drawn anew as the suite draws it."""
    for index in range(count):
        yield {NOUNS[noun] for noun in sample_objects(np.random.default_rng([4, seed, index])).present}


def test_exactly_one_option_is_in_the_picture_and_it_is_the_right_one():
    for item, there in zip(generate("world-both", n=80, seed=3), scenes(80, 3), strict=True):
        assert {option for option in item.options if option in there} == {item.options[item.labels.index(item.gold)]}


def test_letters_are_balanced_so_chance_is_one_in_four():
    items = list(generate("world-both", n=80, seed=3))
    assert Counter(item.gold for item in items) == dict.fromkeys("ABCD", 20)


def test_no_option_is_right_wherever_it_is_offered():
    """Neither the text alone nor the picture alone decides: the same noun is right in one picture and wrong in another."""
    offered, right = Counter(), Counter()
    for item in generate("world-both", n=800, seed=3):
        offered.update(item.options)
        right[item.options[item.labels.index(item.gold)]] += 1
    assert all(0 < right[noun] < offered[noun] for noun in NOUNS)


def test_its_pictures_are_not_those_of_the_suite_of_objects():
    one = next(described(3)).image
    assert all((item.image != one).any() for item in generate("world-both", n=20, seed=3))
