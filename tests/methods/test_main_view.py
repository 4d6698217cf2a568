"""Methods that answer from another view than the image: rows reach as far as they look, a shared view is asked once."""

import re
import shutil

import numpy as np
import polars as pl
import pytest
from builders import Prepared, ask_all, run_grid

from mmplat.artifacts import Results
from mmplat.deciding import decide
from mmplat.decoding import parse_decoding
from mmplat.errors import EvidenceTooNarrow
from mmplat.evidence.coverage import covered
from mmplat.evidence.files import read_evidence
from mmplat.grid import parse_grid
from mmplat.methods import bind
from mmplat.models import Ask, families
from mmplat.plan import make_plan
from mmplat.preparing import load_samples

METHODS = ("naive", "dola", "pai", "sid", "avisc", "m3id", "answer-from-image")
GRID = f"""
campaign: inside
models: [tiny-biased]
suites: [world-objects, {{name: world-objects, as: in-words, answers: text}}]
decodings: [greedy, sample, t0.7-p0.9]
methods: [{", ".join(METHODS)}, vdd-none]
limit: 24
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return run_grid(GRID, Results(tmp_path_factory.mktemp("inside") / "results"))


@pytest.fixture(scope="module")
def model(ran):
    spec = ran.plan.grid.models[0]
    return families.get(spec.family).load(spec)


def prepared(ran, pair):
    folder = ran.results.suite(pair.suite.name, pair.suite.key)
    return Prepared(folder, load_samples(folder))


def stored(ran):
    """Evidence of the first pair."""
    pair = ran.plan.pairs[0]
    (folder,) = (ran.results.root / "evidence").glob(f"*/suite={pair.suite.name}/*")
    return read_evidence(folder, prepared(ran, pair).samples, list(pair.views))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("decoding", ["sample", "t0.7-p0.9"])
def test_what_is_decided_from_evidence_is_what_whole_rows_say(ran, model, method, decoding):
    """The model's whole rows, combined and filtered by transformers, against the distribution that was stored."""
    from mmplat.asking.stepper import warped

    bound, suite = bind(method), prepared(ran, ran.plan.pairs[0])
    asks = [[Ask(s, view, suite.pictures(s)) for s in suite.samples] for view in bound.views]
    main, *others = (model.forward(model.encode(row)) for row in asks)
    probs = warped(bound.combine(main, others, 0), parse_decoding(decoding)).softmax(dim=-1).numpy()
    spelled = model.spellings(suite.samples[0].labels)
    says = np.equal.outer(np.array(spelled.of), np.arange(2))  # (spelling, label)
    expected = probs[:, spelled.ids] @ says
    run = ran.table("runs").filter(suite="world-objects", method=method, decoding=decoding)["run_id"][0]
    found = np.array(ran.table("predictions").filter(run_id=run)["probs"].to_list())
    assert found == pytest.approx(expected, abs=2e-5)


def test_greedy_words_say_what_greedy_labels_say(ran):
    """One token is an answer here, so the stepper and the stored rows must come to the same; both carry each view inside."""
    runs = ran.table("runs").filter(decoding="greedy").select("run_id", "suite", "method")
    said = (
        ran.table("predictions").join(runs, on="run_id").pivot("suite", index=["method", "sample_id"], values="answer")
    )
    assert said.height == 24 * (len(METHODS) + 1)
    assert said.filter(pl.col("world-objects").ne_missing(pl.col("in-words"))).is_empty()


def test_a_view_kept_at_two_main_views_is_asked_once(ran, model, monkeypatch, tmp_path):
    asked = []
    forward = type(model).forward

    def counted(self, batch):
        asked.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(type(model), "forward", counted)
    text = "campaign: once\nmodels: [tiny-biased]\nsuites: [world-objects]\nmethods: [vdd-none, pai]\nlimit: 12\n"
    once = run_grid(text, Results(tmp_path))
    views = list(once.plan.pairs[0].views)
    assert [view.name for view in views] == ["image", "none", "raised", "none@raised"]
    assert (sum(asked), once.plan.forwards) == (12 * 3, 12 * 3)
    evidence = stored(once)
    _, none, raised, seen = views
    assert np.array_equal(evidence.view(none).label_logits, evidence.view(seen).label_logits)
    assert not np.array_equal(evidence.view(none).at_main, evidence.view(seen).at_main)
    assert evidence.main_of(seen) is evidence.view(raised)


def test_the_cost_of_a_cell_counts_every_pass(ran):
    runs = ran.table("runs").filter(suite="world-objects", decoding="greedy")
    cost = dict(runs.select("method", "forward_passes").iter_rows())
    assert {name: cost[name] // 24 for name in METHODS} == {
        "naive": 1, "dola": 2, "pai": 2, "sid": 2, "avisc": 3, "m3id": 2, "answer-from-image": 1,
    }  # fmt: skip


def test_margins_are_those_of_the_view_that_is_answered_from(ran):
    runs = ran.table("runs").filter(suite="world-objects", decoding="greedy").select("run_id", "method")
    margin = ran.table("predictions").join(runs, on="run_id").pivot("method", index="sample_id", values="margin")
    assert (margin["naive"] == margin["sid"]).all()
    assert (margin["naive"] != margin["pai"]).any()


WIDER = """
campaign: {campaign}
models: [{{name: wide, family: fake, params: {{vocab_size: 3000}}}}]
suites: [world-objects]
decodings: [sample, {{temperature: 0.9, top_p: 0.99}}]
methods: [naive, {{name: pai, params: {{beta: {beta}}}}}, answer-from-image]
limit: 10
"""


def test_a_grid_that_looks_further_asks_the_other_main_views_wider_too(tmp_path):
    """With β = 0.001 the mask lets thousands of tokens through; every row that it is read from must keep them all."""
    results = Results(tmp_path)
    kept = []
    for campaign, beta in (("near", 0.1), ("far", 0.001)):
        ran = run_grid(WIDER.format(campaign=campaign, beta=beta), results)
        assert set(ran.table("runs")["status"]) == {"done"}
        pair = ran.plan.pairs[0]
        evidence = stored(ran)
        for view in pair.views:
            rows, main = evidence.view(view), evidence.main_of(view)
            if rows is not main:
                assert ((~np.isnan(rows.at_main)).sum(axis=1) == main.kept).all()
        kept.append(evidence.view(bind("pai").views[0]).kept)
    assert (kept[1] > kept[0]).all()


def test_a_narrow_main_view_is_refused_though_the_image_reaches_far_enough(tmp_path):
    results = Results(tmp_path)
    ran = run_grid(WIDER.format(campaign="near", beta=0.1), results)
    alone = re.sub("methods: .*", "methods: [{{name: vdd-none, params: {{beta: 0.001}}}}]", WIDER)
    run_grid(alone.format(campaign="image"), results)
    far = make_plan(parse_grid(WIDER.format(campaign="far", beta=0.001)))
    shutil.copy(results.batch_done(ran.plan.batches[0].key), results.batch_done(far.batches[0].key))
    pair = far.pairs[0]
    (folder,) = (tmp_path / "evidence").glob("*/*/*")
    evidence = read_evidence(folder, prepared(ran, pair).samples, list(pair.views))
    assert covered(evidence.main, far.demand).all()
    with pytest.raises(EvidenceTooNarrow, match="does not reach as far"):
        decide(far, pair, results)


def test_views_of_the_plan_are_skipped_with_the_reason_where_a_family_cannot(planned):
    model = "{name: m, path: meta-llama/Llama-3.2-11B-Vision}"
    grid = f"campaign: s\nmodels: [{model}]\nsuites: [world-objects]\nmethods: [naive, pai, dola]\nlimit: 3\n"
    plan = planned(grid)
    assert {s.method: s.reason.split(":")[0] for s in plan.skipped} == {
        name: f"view '{view}' is not available" for name, view in (("pai", "raised"), ("dola", "premature"))
    }
    assert [s.method.spec.name for s in plan.pairs[0].methods] == ["naive"]


def test_asking_again_asks_nothing(ran):
    outcomes = ask_all(ran.plan, ran.results)
    assert sum(outcome.asked for outcome in outcomes) == 0
