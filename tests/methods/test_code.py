"""CODE: its weights by hand, its steps against transformers, and the description that the model writes first, once per image."""

import numpy as np
import pytest
import torch
from builders import Prepared, ask_all, run_grid

from mmplat.artifacts import Results
from mmplat.asking.prefaces import Prefaces, of_images
from mmplat.errors import ConfigError, IncompatibleCell, ModelError
from mmplat.evidence.files import read_rows
from mmplat.evidence.written import read_written
from mmplat.grid import parse_grid
from mmplat.methods import bind
from mmplat.models import Ask, families
from mmplat.plan import make_plan
from mmplat.preparing import load_samples
from mmplat.records import Sample
from mmplat.views import bind as view
from mmplat.writings import written_first

GRID = """
campaign: code
models: [{model}]
suites:
  - {{name: world-objects, as: in-words, answers: text, longest: 6, params: {{n: 24}}}}
  - {{name: world-objects, params: {{n: 24}}}}
decodings: [greedy, sample]
methods: [naive, {{name: code, params: {{longest: 5}}}}]
views: [{{name: described, params: {{longest: 5}}}}]
"""
CODE = "code(longest=5)"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return run_grid(GRID.format(model="tiny"), Results(tmp_path_factory.mktemp("code")))


@pytest.fixture(scope="module")
def model(ran):
    spec = ran.plan.grid.models[0]
    return families.get(spec.family).load(spec)


@pytest.fixture(scope="module")
def suite(ran):
    folder = ran.results.suite("in-words", ran.plan.pairs[0].suite.key)
    return Prepared(folder, load_samples(folder))


def stored(ran, name):
    (folder,) = (ran.results.root / "evidence").glob(f"*/suite={name}/*")
    return folder


def descriptions(ran, name="in-words"):
    """What was written of each image."""
    writing = written_first(view("described", {"longest": 5}))
    columns = ("sample_key", "writing", "text", "forwards", "tokens")
    rows = read_written(stored(ran, name), [writing.key], columns)
    return {key: (text, forwards, tokens) for key, _, text, forwards, tokens in rows.iter_rows()}


def by_hand(main, described, kappa=0.2):
    """The formula in numpy, token by token."""
    p, q = (np.exp(x - np.logaddexp.reduce(x)) for x in (main, described))
    apart = sum(np.log2(abs(a - b) ** kappa + 1) * (a + b) for a, b in zip(p, q, strict=True)) / 2
    said = [(2 - apart) * a - (1 - apart) * b for a, b in zip(main, described, strict=True)]
    return [x if a >= apart * p.max() else -np.inf for x, a in zip(said, p, strict=True)]


def test_a_row_worked_by_hand():
    """p = (.5, .25, .25), q = (.25, .5, .25): |p − q| = .25, .25, 0 and D = ½·(.75 + .75)·log2(.25 + 1) at κ = 1."""
    main, described = torch.log(torch.tensor([[0.5, 0.25, 0.25]])), torch.log(torch.tensor([[0.25, 0.5, 0.25]]))
    apart = 0.75 * np.log2(1.25)
    said = bind("code", {"kappa": 1}).combine(main, [described], 0)[0].tolist()
    l2 = np.log(0.25)
    assert said == pytest.approx(
        [(2 - apart) * np.log(0.5) - (1 - apart) * l2, (2 - apart) * l2 - (1 - apart) * np.log(0.5), l2]
    )
    assert apart < 0.5, "so nothing is implausible here"


def test_equal_rows_are_naive_and_rows_that_share_nothing_leave_the_largest_token():
    rows = torch.randn(5, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    combine = bind("code").combine
    assert torch.allclose(combine(rows, [rows], 0), rows)
    main, other = torch.full((1, 4), -60.0), torch.full((1, 4), -60.0)
    main[0, 1], other[0, 2] = 60.0, 60.0
    assert combine(main, [other], 0)[0].tolist() == [-np.inf, pytest.approx(60.0), -np.inf, -np.inf]
    for row, other in zip(rows.numpy(), rows.flip(0).numpy(), strict=True):
        said = combine(torch.tensor(row)[None], [torch.tensor(other)[None]], 0)[0].numpy()
        assert said == pytest.approx(by_hand(row, other))


class Code:
    """CODE inside `generate()`: the described prompt is run anew at each step, from its first token."""

    def __init__(self, model, ask, prompt):
        self.model, self.ask, self.prompt = model, ask, prompt

    def __call__(self, input_ids, scores):
        said = tuple(input_ids[0, self.prompt :].tolist())
        inputs = self.model.reference_inputs(self.ask, followed_by=said)
        other = self.model.network(**inputs).logits[0, -1].double()
        return torch.tensor(by_hand(scores[0].double().numpy(), other.numpy()))[None].to(scores)


def generated(model, ask, longest, processors=()):
    from transformers import GenerationConfig

    plain = GenerationConfig(max_new_tokens=longest, do_sample=False, pad_token_id=0, bos_token_id=1)
    inputs = model.reference_inputs(ask)
    out = model.network.generate(**inputs, generation_config=plain, logits_processor=list(processors))
    return out[0, inputs["input_ids"].shape[1] :].tolist()


def test_the_description_is_what_generate_says_once_per_image(ran, model, suite):
    found = descriptions(ran)
    assert set(found) == {of_images(s) for s in suite.samples}
    assert len(found) == 4
    for one in suite.samples[::6]:
        ask = Ask(one, view("describing"), suite.pictures(one))
        text, forwards, tokens = found[of_images(one)]
        assert tokens == generated(model, ask, 5)
        assert (text, forwards) == (model.say(tokens), len(tokens))


def test_steps_are_what_a_logits_processor_does_in_generate(ran, model, suite):
    found = descriptions(ran)
    runs = ran.table("runs").filter(method=CODE, decoding="greedy", suite="in-words")
    texts = dict(ran.table("predictions").join(runs, on="run_id").select("sample_id", "text").iter_rows())
    for one in suite.samples:
        main = Ask(one, view("image"), suite.pictures(one))
        described = Ask(one, view("described"), suite.pictures(one), found[of_images(one)][0])
        prompt = model.reference_inputs(main)["input_ids"].shape[1]
        tokens = generated(model, main, 6, [Code(model, described, prompt)])
        assert model.say(tokens) == texts[one.sample_id]


def test_the_described_view_holds_the_words_and_not_the_image(model, suite):
    one = suite.samples[0]
    ask = Ask(one, view("described"), suite.pictures(one), "A red dog.")
    assert ask.question == f"A red dog.\n{one.question}"
    (ours,) = model.encode([ask])
    assert ours.ids == tuple(model.reference_inputs(ask)["input_ids"][0].tolist())
    assert not ours.seen
    with pytest.raises(ModelError, match="needs what the model wrote first"):
        _ = Ask(one, view("described"), suite.pictures(one)).question


def test_its_rows_can_be_asked_like_those_of_any_view(ran, suite):
    rows = read_rows(stored(ran, "world-objects"), [view("described", {"longest": 5}), view("none")])
    assert set(rows["view"]) == {"described-5"}
    assert set(rows["sample_key"]) == {s.sample_key for s in suite.samples}
    assert descriptions(ran, "world-objects") == descriptions(ran)


def test_the_cost_counts_both_streams_and_the_description(ran, suite):
    runs = ran.table("runs").filter(decoding="greedy", suite="in-words").select("method", "forward_passes")
    cost = dict(runs.iter_rows())
    written = sum(descriptions(ran)[of_images(s)][1] for s in suite.samples)
    (code,) = (w.key for w in ran.plan.pairs[0].writings if w.method.name == CODE and w.decoding.greedy)
    rows = read_written(stored(ran, "in-words"), [code], ("sample_key", "writing", "tokens"))
    steps = {key: len(tokens) for key, _, tokens in rows.iter_rows()}
    assert cost[CODE] == 2 * sum(steps[s.sample_key] for s in suite.samples) + written


def test_asking_again_asks_nothing_and_a_lost_description_is_written_again(ran, tmp_path):
    import shutil

    assert sum(outcome.asked for outcome in ask_all(ran.plan, ran.results)) == 0
    results = Results(tmp_path / "results")
    shutil.copytree(ran.results.root, results.root)
    for part in results.root.rglob("written-*.parquet"):
        part.unlink()
    ask_all(ran.plan, results)
    assert descriptions(type(ran)(ran.plan, results)) == descriptions(ran)


def test_labels_and_models_that_write_nothing_are_skipped_with_the_reason():
    planned = make_plan(parse_grid(GRID.format(model="tiny, fake")))
    reasons = {(s.model, s.suite): s.reason for s in planned.skipped if s.method == CODE}
    assert "read from whole rows" in reasons["tiny", "world-objects"]
    assert "write no answers" in reasons["fake", "in-words"]
    with pytest.raises(IncompatibleCell, match="decides no labels"):
        bind("code").scores(None)
    unavailable = families.get("endpoint").unavailable("described")
    assert "what the model wrote before" in unavailable


def test_what_has_no_image_or_no_description_is_not_asked():
    from mmplat.asking.outcome import why_no_view

    blind = Sample("s", "k", "c", "Why?", (), (), "", ())
    assert "no image to describe" in why_no_view(view("described"), blind, Prefaces())
    seeing = Sample("s", "k", "c", "Why?", (), (), "", ("i.png",))
    assert "could not write" in why_no_view(view("described"), seeing, Prefaces())
    assert why_no_view(view("none"), seeing, Prefaces()) is None


@pytest.mark.parametrize("longest", [0, 2.5, "long"])
def test_a_description_has_a_length(longest):
    with pytest.raises(ConfigError, match="whole numbers from 1"):
        view("described", {"longest": longest})
