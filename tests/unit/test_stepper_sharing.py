"""Ways of writing that have said the same so far go on as one: what comes next is computed once for them."""

from collections import defaultdict

import pytest
import torch

from mmplat.asking.outcome import Outcome
from mmplat.asking.stepper import Speaker, speak
from mmplat.asking.writing_job import WritingJob
from mmplat.contracts import Subject
from mmplat.decoding import parse_decoding
from mmplat.methods import bind as bind_method
from mmplat.models import bind, families
from mmplat.records import BatchSuite, SuiteSpec, Writing
from mmplat.views import bind as bind_view

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


def forked(model, origin):
    """A stream of some prompts of which rows go on: row → prompt."""
    stream = model.prefill(model.encode(asks(model, "image")[0]))
    stream.select(torch.tensor(origin))
    return stream


def alone(model, prompt, tokens):
    """What is said after a prompt and some tokens, in a stream of its own (vocab,)."""
    stream = model.prefill(model.encode([asks(model, "image")[0][prompt]]))
    return [model.advance(stream, torch.tensor([[token]]))[0, -1] for token in tokens][-1]


def test_prompts_are_held_once_and_rows_hold_what_they_said(model):
    stream = forked(model, [2, 0, 0, 1, 2, 0])
    said = model.advance(stream, torch.arange(10, 16)[:, None])[:, -1]
    for layer in stream.cache.layers:
        assert (len(layer.prompts.keys), len(layer.keys)) == (SAMPLES, 6)
        assert layer.keys.shape[-2] == 1
        assert layer.get_seq_length() == stream.attention.shape[1]
    for row, prompt in enumerate([2, 0, 0, 1, 2, 0]):
        assert torch.allclose(said[row], alone(model, prompt, [10 + row]), atol=1e-4)


def test_prompts_that_nobody_goes_on_from_are_let_go(model):
    stream = forked(model, [0, 0, 1, 2, 2])
    model.advance(stream, torch.arange(10, 15)[:, None])
    stream.select(torch.tensor([4, 1, 3]))  # prompts 2, 0, 2
    assert len(stream.cache.layers[0].prompts.keys) == SAMPLES, "more than half are read"
    stream.select(torch.tensor([2, 0]))
    assert len(stream.cache.layers[0].prompts.keys) == 1
    said = model.advance(stream, torch.tensor([[20], [21]]))[:, -1]
    assert torch.allclose(said[0], alone(model, 2, [13, 20]), atol=1e-4)
    assert torch.allclose(said[1], alone(model, 2, [14, 21]), atol=1e-4)


def test_where_attention_cannot_be_reached_every_row_has_a_cache_of_its_own(model, monkeypatch):
    shared = model.advance(forked(model, [0, 0, 2, 1]), torch.arange(10, 14)[:, None])
    assert model.own_caches == 0
    monkeypatch.setattr(type(model), "no_inside", "its layers are hidden")
    stream = forked(model, [0, 0, 2, 1])
    assert stream.inside.fork is None
    assert len(stream.cache.layers[0].keys) == 4
    assert torch.allclose(model.advance(stream, torch.arange(10, 14)[:, None]), shared, atol=1e-4)
    assert model.own_caches == 1


def test_more_samples_go_together_where_prompts_are_held_once(model, monkeypatch, tmp_path):
    image = bind_view("image")
    monkeypatch.setattr(WritingJob, "_ask", lambda self, sample, view: Subject(model).ask())
    writings = [
        Writing(method=bind_method(method).spec, decoding=parse_decoding(decoding), seed=0, longest=10)
        for method in ("naive", "vdd-none")
        for decoding in ("greedy", "sample")
    ]
    part = BatchSuite(suite=SuiteSpec(name="s", kind="s", version=1), views=(image,), writings=tuple(writings))
    job = WritingJob(model, part, tmp_path, tmp_path, Outcome(), lambda n: None, tokens=10_000)
    prompt = model.encode([Subject(model).ask()])[0].length
    assert job._room(Subject(model).ask().sample, writings) == 10_000 / (2 * prompt + 6 * 10)
    monkeypatch.setattr(type(model), "no_inside", "its layers are hidden")
    assert job._room(Subject(model).ask().sample, writings) == 10_000 / (6 * (prompt + 10))
