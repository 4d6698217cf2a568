"""OPERA: transformers' beam search where nothing is penalised, its penalty by hand and by eager attention, and how it looks back."""

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
from mmplat.models._inside import attention_by
from mmplat.plan import make_plan
from mmplat.preparing import load_samples
from mmplat.records import DecodingSpec
from mmplat.views import bind as view

GRID = """
campaign: opera
models: [tiny]
suites:
  - {name: world-captions, longest: 6, params: {n: 8}}
  - {name: world-objects, params: {n: 8}}
decodings: [greedy, sample]
methods: [naive, {name: opera, params: {beams: 2, candidates: 3}}]
seeds: [0, 1]
"""
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


@pytest.mark.parametrize("count", [1, 2, 5])
def test_without_a_weight_it_is_the_beam_search_of_generate(model, suite, count):
    texts = set()
    for ask in asks(suite, 6):
        ours = said(model, ask, beams=count, candidates=count + len(model.stops), weight=0)
        theirs = without_padding(generated(model, ask, count), model.stops)
        assert ours.tokens == theirs
        assert ours.stopped == (theirs[-1] in model.stops)
        texts.add(tuple(theirs))
    assert len(texts) > 1


def test_so_it_is_for_another_family(suite, tmp_path):
    CHECKPOINTS["qwen2-vl"](tmp_path)
    spec = bind_model(str(tmp_path), {"family": "qwen2-vl"})
    other = families.get(spec.family).load(spec)
    for ask in asks(suite, 2):
        ours = said(other, ask, beams=3, candidates=3 + len(other.stops), weight=0, longest=4)
        assert ours.tokens == without_padding(generated(other, ask, 3, longest=4), other.stops)


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
def test_penalised_beams_are_those_of_generate_with_the_penalty_read_by_eager_attention(model, suite):
    params = {"beams": 2, "candidates": 2 + len(model.stops), "scale": 6, "weight": 3, "early": 2, "unit": 0.5}
    differ = 0
    for ask in asks(suite, 4):
        penalty = Penalty(model, ask, bind("opera", params).search)
        ours = said(model, ask, 6, **params)
        assert ours.tokens == without_padding(generated(model, ask, 2, [penalty], 6), model.stops)
        differ += ours.tokens != said(model, ask, 6, **{**params, "weight": 0}).tokens
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


def test_where_it_goes_back_to():
    how = bind("opera", {"threshold": 3, "early": 1}).search
    assert beams.summary([0, 1, 1, 3], how) is None
    assert beams.summary([0, 1, 1, 3, 1], how) == 1
    assert beams.summary([0, 0, 0, 0], how) is None, "it is early"


def test_a_grid_runs_and_a_decoding_changes_nothing(ran):
    runs = ran.table("runs").filter(suite="world-captions")
    assert set(runs["status"]) == {"done"}
    mine = runs.filter(family="opera") if "family" in runs.columns else runs.filter(method="opera(beams=2,candidates=3)")
    assert sorted(mine["decoding"]) == ["greedy", "sample"]
    texts = ran.table("predictions").filter(run_id=mine["run_id"].to_list()[0]).sort("sample_id")["text"].to_list()
    others = ran.table("predictions").filter(run_id=mine["run_id"].to_list()[1]).sort("sample_id")["text"].to_list()
    assert texts == others
    assert all(texts)
    assert sum(w.method.kind == "opera" for w in ran.plan.pairs[0].writings) == 1
    assert sum(outcome.asked for outcome in ask_all(ran.plan, ran.results)) == 0, "it is there"


def test_the_cost_counts_every_candidate(ran):
    (folder,) = (ran.results.root / "evidence").glob("*/suite=world-captions/*")
    (key,) = (w.key for w in ran.plan.pairs[0].writings if w.method.kind == "opera")
    rows = read_written(folder, [key], ("sample_key", "writing", "tokens", "forwards"))
    assert rows.height == 8
    for tokens, forwards in rows.select("tokens", "forwards").iter_rows():
        steps, rest = divmod(forwards - 1 - 3, 2 * 3)  # the prompt, its candidates, then those of two beams
        assert rest == 0
        assert len(tokens) <= steps + 1 <= 6
    runs = ran.table("runs").filter(suite="world-captions", method="opera(beams=2,candidates=3)")
    assert runs["forward_passes"].to_list() == [rows["forwards"].sum()] * 2


def test_what_it_cannot_do_is_skipped_with_the_reason(ran):
    skipped = {(s.suite, s.seed): s.reason for s in ran.plan.skipped if s.method.startswith("opera")}
    assert "by beams" in skipped["world-objects", 0]
    assert "would repeat seed 0" in skipped["world-captions", 1]
    unreadable = GRID.replace("[tiny]", "[{name: blind, family: mllama, params: {path: nowhere}}]")
    with pytest.raises(IncompatibleCell, match="decides no labels"):
        bind("opera").scores(None)
    planned = make_plan(parse_grid(unreadable))
    reasons = {s.suite: s.reason for s in planned.skipped if s.method.startswith("opera") and s.seed == 0}
    assert "attention, which cannot be read" in reasons["world-captions"]


@pytest.mark.parametrize(("key", "value"), [("beams", 0), ("candidates", 2.5), ("threshold", 1), ("weight", -1)])
def test_parameters_have_their_ranges(key, value):
    with pytest.raises(ConfigError, match=f"{key} = "):
        bind("opera", {key: value})
