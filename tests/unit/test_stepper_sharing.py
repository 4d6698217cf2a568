"""Ways of writing that have said the same so far go on as one: what comes next is computed once for them."""

from collections import defaultdict

import pytest

from mmplat.asking.stepper import Speaker, speak
from mmplat.contracts import Subject
from mmplat.decoding import parse_decoding
from mmplat.models import bind, families

SAMPLES, STEPS = 3, 5


@pytest.fixture(scope="module")
def model():
    return families.get("llava").load(bind("tiny"))


@pytest.fixture
def advanced(model, monkeypatch):
    """Rows of every forward after the prompts', in order."""
    rows, advance = [], model.advance

    def counted(stream, ids, real=None):
        rows.append(len(ids))
        return advance(stream, ids, real)

    monkeypatch.setattr(model, "advance", counted)
    return rows


def asks(model, *views):
    return [[Subject(model).ask(view, number) for number in range(SAMPLES)] for view in views]


def unending(model):
    """Naive, or a contrast, that never ends."""

    def combine(main, references, step):
        said = main - 0.5 * references[0] if references else main.clone()
        said[:, list(model.stops)] = -1e9
        return said

    return combine


def test_equal_answers_are_computed_once(model, advanced):
    combine = unending(model)
    speakers = [Speaker((0,), combine, parse_decoding("greedy"), seed) for seed in range(6)]
    found = speak(model, asks(model, "image"), speakers, STEPS)
    assert advanced == [SAMPLES] * (STEPS - 1)
    assert all([one.tokens for one in said] == [one.tokens for one in found[0]] for said in found)


def test_answers_part_where_they_differ_and_each_is_what_it_is_alone(model, advanced):
    naive, contrast = unending(model), unending(model)
    spelled = ["greedy", "sample", "t3", "k5", "greedy", "t3"]
    speakers = [
        Speaker((0,) if number < 4 else (0, 1), naive if number < 4 else contrast, parse_decoding(name), number)
        for number, name in enumerate(spelled)
    ]
    both = asks(model, "image", "none")
    found = speak(model, both, speakers, STEPS)
    beginnings = defaultdict(set)  # (step, view) → what is different there
    for speaker, said in zip(speakers, found, strict=True):
        for view in speaker.views:
            for sample, one in enumerate(said):
                for step in range(1, STEPS):
                    beginnings[step, view].add((sample, *one.tokens[:step]))
    assert advanced == [len(beginnings[key]) for key in sorted(beginnings)]
    assert SAMPLES < advanced[0] < SAMPLES * 6
    for speaker, said in zip(speakers, found, strict=True):
        (alone,) = speak(model, both, [speaker], STEPS)
        assert [one.tokens for one in alone] == [one.tokens for one in said]
