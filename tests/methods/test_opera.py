"""OPERA: transformers' beams where nothing is penalised, its penalty by hand and by eager attention, and how it looks back."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from builders import Prepared, ask_all, run_grid
from checkpoints import CHECKPOINTS

from mmplat.artifacts import Results
from mmplat.asking import beams
from mmplat.asking.stepper import Speaker
from mmplat.errors import ConfigError, IncompatibleCell
from mmplat.evidence.written import read_written
from mmplat.grid import parse_grid
from mmplat.methods import bind
from mmplat.models import Ask, families
from mmplat.models import bind as bind_model
from mmplat.models._attention import attention_by
from mmplat.plan import make_plan
from mmplat.preparing import load_samples
from mmplat.records import DecodingSpec
from mmplat.views import bind as view

GRID = """
campaign: opera
models: [tiny]
suites: [{name: world-captions, longest: 6, params: {n: 8}}]
decodings: [greedy, sample]
methods: [naive, {name: opera, params: {beams: 2, candidates: 3}}]
seeds: [0, 1]
"""
OPERA = "opera(beams=2,candidates=3)"
GREEDY = DecodingSpec(name="greedy", greedy=True)
LONGEST = 8


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return run_grid(GRID, Results(tmp_path_factory.mktemp("opera")))


@pytest.fixture(scope="module")
def suite(ran):
    folder = ran.results.suite("world-captions", ran.plan.pairs[0].suite.key)
    return Prepared(folder, load_samples(folder))


@pytest.fixture(scope="module")
def model(ran):
    spec = ran.plan.grid.models[0]
    return families.get(spec.family).load(spec)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """Checkpoints with random weights: their answers are long, where the trained one says a word."""

    def load(name):
        folder = tmp_path_factory.mktemp("checkpoints")
        CHECKPOINTS[name](folder)
        spec = bind_model(name, {"path": str(folder)})
        return families.get(spec.family).load(spec)

    return {name: load(name) for name in ("llava", "qwen2-vl")}


def speaker(**params):
    method = bind("opera", params)
    return Speaker((0,), method.combine, GREEDY, search=method.search)


def said(model, ask, longest=LONGEST, **params):
    return beams.search(model, [[ask]], [speaker(**params)], longest)[0][0]


def generated(model, ask, count, processors=(), longest=LONGEST):
    from transformers import GenerationConfig

    plain = GenerationConfig(max_new_tokens=longest, do_sample=False, num_beams=count, pad_token_id=0, bos_token_id=1)
    inputs = model.reference_inputs(ask)
    out = model.network.generate(**inputs, generation_config=plain, logits_processor=list(processors))
    return out[0, inputs["input_ids"].shape[1] :].tolist()


def asks(suite, count):
    return [Ask(one, view("image"), suite.pictures(one)) for one in suite.samples[:count]]


def without_padding(tokens, stops):
    ends = [at for at, token in enumerate(tokens) if token in stops]
    return tokens[: ends[0] + 1] if ends else tokens


def beams_alone(model, count):
    """Parameters under which OPERA is beam search: of one beam alone, as many candidates stay as beams are wanted."""
    return {"beams": count, "candidates": count + len(model.stops), "weight": 0}


@pytest.mark.parametrize(("name", "count"), [("llava", 1), ("llava", 2), ("llava", 5), ("qwen2-vl", 3)])
def test_without_a_weight_it_is_the_beam_search_of_generate(untrained, suite, name, count):
    model, texts = untrained[name], set()
    for ask in asks(suite, 3):
        ours = said(model, ask, **beams_alone(model, count))
        assert ours.tokens == without_padding(generated(model, ask, count), model.stops)
        texts.add(tuple(ours.tokens))
    assert len(texts) > 1


def test_answers_that_end_do_so_as_in_generate(model, suite):
    for ask in asks(suite, 8):
        ours = said(model, ask, **beams_alone(model, 5))
        assert ours.tokens == without_padding(generated(model, ask, 5), model.stops)
        assert ours.stopped
        assert len(ours.tokens) < LONGEST


HOW = bind("opera", {"scale": 10, "early": 2, "unit": 0.5}).search


def test_the_penalty_of_a_matrix_worked_by_hand():
    """Columns at scale 10: 5·2·1 = 10, 3·4 = 12, 5; what stands above the diagonal counts for nothing."""
    looks = np.array([[[0.5, 9, 9], [0.2, 0.3, 9], [0.1, 0.4, 0.5]], [[0.1, 0, 0], [0.1, 0.1, 0], [0.0, 0.2, 0.1]]])
    assert np.exp(beams.columns(looks, 10)) == pytest.approx(np.array([[10, 12, 5], [0, 2, 1]]))
    onto_image = np.array([0.3, 0.6])
    assert beams.penalties(looks, onto_image, HOW) == pytest.approx([6, 1])
    assert beams.penalties(looks[:, :2, :2], onto_image, HOW) == pytest.approx([-0.3, -0.6]), "it is early"


class Penalty:
    """OPERA's penalty inside `generate()`: every candidate is read anew, from its first token, by eager attention."""

    def __init__(self, model, ask, how):
        self.model, self.ask, self.how = model, ask, how
        self.prompt = model.reference_inputs(ask)["input_ids"].shape[1]

    def __call__(self, input_ids, scores):
        found = torch.full_like(scores, float("-inf"))
        for row, ids in enumerate(input_ids):
            for token in scores[row].topk(self.how.candidates).indices.tolist():
                phi = self.phi((*ids[self.prompt :].tolist(), token))
                found[row, token] = scores[row, token] - self.how.weight * phi
        return found

    def phi(self, answer):
        inputs = self.model.reference_inputs(self.ask, followed_by=answer)
        with attention_by(self.model.network, "eager"):
            looks = self.model.network(**inputs, output_attentions=True).attentions[-1][0].double().amax(dim=0)
        looks = looks / looks.sum(dim=-1, keepdim=True)
        if len(answer) <= self.how.early:
            image = inputs["input_ids"][0] == self.model.network.config.image_token_id
            return -looks[-1, image].sum()
        own = self.how.scale * looks[self.prompt :, self.prompt :]
        return self.how.unit * max(own[at:, at].prod() for at in range(len(answer)))


@torch.inference_mode()
@pytest.mark.parametrize("early", [0, 2, 9])
def test_penalised_beams_are_those_of_generate_with_the_penalty_read_by_eager_attention(untrained, suite, early):
    model = untrained["llava"]
    params = {**beams_alone(model, 2), "scale": 20, "weight": 10, "early": early, "unit": 0.5}
    differ = 0
    for ask in asks(suite, 2):
        penalty = Penalty(model, ask, bind("opera", params).search)
        ours = said(model, ask, 5, **params)
        assert ours.tokens == generated(model, ask, 2, [penalty], 5)
        differ += ours.tokens != said(model, ask, 5, **beams_alone(model, 2)).tokens
    assert differ, "the penalty changes something"


class Counting:
    """Says 1, 2, 3 … as far as it may, looks at the second token of its answer, and ends with 7."""

    device, stops = "cpu", frozenset({7})
    network = SimpleNamespace(config=SimpleNamespace(image_token_id=-1))

    def __init__(self):
        self.read = []

    def encode(self, asks):
        return [SimpleNamespace(ids=(0,))]

    def watch(self, prompts, *, largest):
        self.read.append("prompt")
        self.said = 0
        self.watched = SimpleNamespace(looks=[])
        return SimpleNamespace(logits=self.row(torch.tensor([0])), select=lambda rows: None), self.watched

    def advance(self, stream, ids):
        self.read.append(ids[0].tolist())
        self.said += ids.shape[1]
        looks = torch.full((1, 1, ids.shape[1], 1 + self.said), 0.01)
        looks[..., min(2, self.said)] = 0.9
        self.watched.looks.append(looks)
        return self.row(ids[:, -1])[:, None]

    def row(self, last):
        after = torch.arange(8) - last[:, None]
        return torch.where(after > 0, -after, -100).float()


@pytest.mark.parametrize(
    ("returns", "answer"), [(0, [1, 2, 3, 4, 5, 6, 7]), (1, [1, 2, 4, 5, 6, 7]), (2, [1, 2, 5, 6, 7])]
)
def test_it_goes_back_to_what_it_leaned_on_and_says_something_else(returns, answer):
    counting = Counting()
    params = {"beams": 1, "candidates": 1, "scale": 10, "weight": 0, "early": 0, "threshold": 2, "returns": returns}
    ours = said(counting, None, 9, **params)
    assert ours.tokens == answer
    assert counting.read[:4] == ["prompt", [1], [2], [3]]
    assert counting.read.count([1, 2]) == returns, "the prompt and the summary token are read again"
    assert ours.forwards == len(counting.read)


@torch.inference_mode()
def test_what_is_read_again_says_what_was_said_step_by_step(untrained, suite):
    (ask,) = asks(suite, 1)
    answer = beams._Answer(untrained["llava"], ask, speaker(beams=3, candidates=4), LONGEST)
    for _ in range(3):
        assert answer._step()
    logits, looks = answer.stream.logits, answer.looks
    answer._read(answer.beams)
    assert torch.allclose(answer.stream.logits, logits, atol=1e-4)
    assert answer.looks == pytest.approx(looks, abs=1e-5)


@torch.inference_mode()
def test_no_beam_says_again_what_was_taken_back(untrained, suite):
    (ask,) = asks(suite, 1)
    params = {"beams": 3, "candidates": 4, "scale": 1000, "weight": 0, "early": 0, "threshold": 2}
    answer = beams._Answer(untrained["llava"], ask, speaker(**params), LONGEST)
    found = answer.found()
    assert answer.taken_back
    assert max(answer.taken_back.values()) <= answer.how.returns
    for prefix, banned in answer.banned.items():
        if tuple(found.tokens[: len(prefix)]) == prefix:
            assert found.tokens[len(prefix)] not in banned


def test_where_it_goes_back_to():
    how = bind("opera", {"threshold": 3, "early": 1}).search
    assert beams.summary([0, 1, 1, 3], how) is None
    assert beams.summary([0, 1, 1, 3, 1], how) == 1
    assert beams.summary([0, 0, 0, 0], how) is None, "it is early"


def test_a_grid_runs_and_a_decoding_changes_nothing(ran):
    runs = ran.table("runs").filter(suite="world-captions")
    assert set(runs["status"]) == {"done"}
    mine = runs.filter(method=OPERA).sort("decoding")
    assert mine["decoding"].to_list() == ["greedy", "sample"]
    said = ran.table("predictions").sort("sample_id")
    texts, others = (said.filter(run_id=run)["text"].to_list() for run in mine["run_id"])
    assert texts == others
    assert all(texts)
    assert sum(w.method.kind == "opera" for w in ran.plan.pairs[0].writings) == 1


def test_asking_again_searches_nothing_and_a_lost_answer_is_searched_again(ran, tmp_path):
    assert sum(outcome.asked for outcome in ask_all(ran.plan, ran.results)) == 0
    results = Results(tmp_path / "results")
    shutil.copytree(ran.results.root, results.root)
    for part in results.root.rglob("written-*.parquet"):
        part.unlink()
    assert sum(outcome.asked for outcome in ask_all(ran.plan, results)) == 8 * len(ran.plan.pairs[0].writings)
    assert tokens_of(ran.plan, results) == tokens_of(ran.plan, ran.results)


def tokens_of(plan, results):
    """What OPERA said of each sample, and in how many forward passes."""
    (folder,) = (results.root / "evidence").glob("*/suite=world-captions/*")
    (key,) = (w.key for w in plan.pairs[0].writings if w.method.kind == "opera")
    rows = read_written(folder, [key], ("sample_key", "writing", "tokens", "forwards"))
    return {sample: (tokens, forwards) for sample, _, tokens, forwards in rows.iter_rows()}


def test_the_cost_counts_every_candidate(ran):
    found = tokens_of(ran.plan, ran.results)
    assert len(found) == 8
    for tokens, forwards in found.values():
        steps, rest = divmod(forwards - 1 - 3, 2 * 3)  # the prompt, its candidates, then those of two beams
        assert rest == 0
        assert len(tokens) <= steps + 1 <= 6
    runs = ran.table("runs").filter(method=OPERA)
    assert runs["forward_passes"].to_list() == [sum(forwards for _, forwards in found.values())] * 2


def test_what_it_cannot_do_is_skipped_with_the_reason(ran):
    (again,) = (s for s in ran.plan.skipped if s.method == OPERA)
    assert (again.seed, "would repeat seed 0" in again.reason) == (1, True)
    with pytest.raises(IncompatibleCell, match="decides no labels"):
        bind("opera").scores(None)
    grid = GRID.replace("[tiny]", "[tiny, fake, {name: unreadable, family: mllama, path: nowhere}]")
    planned = make_plan(parse_grid(grid.replace("suites: [", "suites: [world-objects, ")))
    reasons = {(s.model, s.suite): s.reason for s in planned.skipped if s.method == OPERA and s.seed == 0}
    captions = planned.grid.suites[1].name
    assert "by beams" in reasons["tiny", "world-objects"]
    assert "write no answers" in reasons["fake", captions]
    assert "attention, which cannot be read: Llama" in reasons["unreadable", captions]


@pytest.mark.parametrize(("key", "value"), [("beams", 0), ("candidates", 2.5), ("threshold", 1), ("weight", -1)])
def test_parameters_have_their_ranges(key, value):
    with pytest.raises(ConfigError, match=f"{key} = "):
        bind("opera", {key: value})
