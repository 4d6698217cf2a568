"""What every condition must hold; a new file gets these tests by being there."""

from dataclasses import replace

import numpy as np
import pytest

from mmplat.conditions import applied, bind, catalog
from mmplat.samples import RawSample

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 24, 3), dtype=np.uint8)
WORDS = "cat dog hen pig"
CHOICE = RawSample(
    "choice",
    "Which one is there?\nA cat\nB dog\nC hen\nD pig\nLetter only.",
    ("A", "B", "C", "D"),
    "B",
    images=(PICTURE,),
    options=tuple(WORDS.split()),
    cluster="scene",
    groups={"split": "random"},
    reference={"roles": ["core"]},
    stem="Which one is there?",
)
YES_NO = replace(
    CHOICE,
    question="Is there a cat?",
    labels=("yes", "no"),
    gold="no",
    options=(),
    stem="Is there a cat?",
    described={"yes": "We saw a cat.", "no": "We saw no cat."},
)
MANY = [replace(CHOICE, sample_id=str(number)) for number in range(40)]


NAMES = [name for name, condition in catalog.items() if condition.refuse(condition.defaults) is None]
"""But for those that read what only their user has."""


def shown(samples):
    """What a model is shown of them."""
    return [(sample.question, tuple(picture.tobytes() for picture in sample.images)) for sample in samples]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sample", [CHOICE, YES_NO], ids=["choice", "yes-no"])
def test_a_condition_asks_the_same_question_of_the_same_sample(name, sample):
    under = applied(bind(name), sample)
    for what in ("sample_id", "labels", "gold", "options", "cluster", "groups", "stem"):
        assert getattr(under, what) == getattr(sample, what)
    assert sample.question.splitlines()[0] in under.question
    assert under.reference.items() > sample.reference.items(), "what was done is noted beside what the suite says"


@pytest.mark.parametrize("name", NAMES)
def test_a_condition_changes_what_it_says_and_nothing_else(name):
    under = applied(bind(name), CHOICE)
    (question, pictures), (asked, seen) = shown([under])[0], shown([CHOICE])[0]
    assert (question != asked) == (catalog.get(name).changes in ("text", "instruction"))
    assert (pictures != seen) == (catalog.get(name).changes == "image")
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in under.images)
    if catalog.get(name).images is not None:
        assert bool(under.images) == catalog.get(name).images
        assert bool(applied(bind(name), replace(CHOICE, images=())).images) == catalog.get(name).images


@pytest.mark.parametrize("name", NAMES)
def test_a_condition_depends_on_the_sample_alone_and_not_on_what_stands_beside_it(name):
    spec = bind(name)
    whole = shown(applied(spec, sample) for sample in MANY)
    assert shown(applied(spec, sample) for sample in MANY[7:]) == whole[7:]
    assert shown(applied(spec, sample) for sample in reversed(MANY)) == whole[::-1]


@pytest.mark.parametrize("name", [name for name in NAMES if "seed" in catalog.get(name).defaults])
def test_another_seed_makes_other_samples_where_anything_is_drawn(name):
    one, other = (shown(applied(bind(name, {"seed": seed}), sample) for sample in MANY) for seed in (0, 1))
    assert one != other or len(set(one)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_condition_says_what_it_is(name):
    condition = catalog.get(name)
    assert condition.name == name
    assert condition.summary
    assert set(condition.places) <= set(condition.defaults)
    assert bind(name).settings == bind(name).settings
