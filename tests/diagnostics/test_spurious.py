"""`diagnose spurious` and `diagnose cgla`: on made-up answers whose result is known, and on the tiny model."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from builders import run_grid
from made_up import surely
from typer.testing import CliRunner

from mmplat.artifacts import Results
from mmplat.cli.app import app
from mmplat.diagnostics import by_type, cgla, measured, spurious
from mmplat.errors import IncompatibleCell
from mmplat.grid import parse_grid
from mmplat.plan import make_plan
from mmplat.spurious import TYPES

GRID = """
campaign: cues
models: [tiny]
suites:
  - {name: world-spurious, params: {n: 270, seed: 7}}
  - {name: world-spurious-names, params: {n: 108, seed: 7}}
  - {name: world-facts, params: {n: 12}}
methods: [naive, concept-informed, option-rotation]
views: [none]
"""
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """The tiny model on bodies whose attributes go along with their class, or against it."""
    return run_grid(GRID, Results(tmp_path_factory.mktemp("cues") / "results"))


@pytest.fixture(scope="module")
def tables(campaign):
    """What both commands stored."""
    for name in ("spurious", "cgla"):
        done = CliRunner().invoke(
            app, ["diagnose", name, "cues", "--results", str(campaign.results.root)], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
    return {
        name: pl.read_parquet(campaign.results.diagnostic("cues", name, "parquet"), glob=False)
        for name in ("spurious", "cgla")
    }


def only(table, **where):
    rows = table.filter(**where).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


def test_accuracy_by_type_is_what_was_decided(campaign, tables):
    run = campaign.table("runs").filter(suite="world-spurious(seed=7)", method="naive")["run_id"][0]
    stored = campaign.table("metrics").filter(run_id=run)
    naive = tables["spurious"].filter(measure="accuracy", method="naive", suite="world-spurious(seed=7)")
    for subset, metric, theirs in (
        ("all", "accuracy", "all"),
        ("worst", "accuracy", "worst:type"),
        ("type=size", "accuracy", "type=size"),
        ("macro", "macro_accuracy", "all"),
        ("gap", "type_gap", "all"),
    ):
        one, other = only(naive, subset=subset), only(stored, metric=metric, subset=theirs)
        assert [one[k] for k in ("value", "low", "high")] == pytest.approx([other[k] for k in ("value", "low", "high")])
    each = naive.filter(pl.col("subset").str.starts_with("type="))["value"]
    assert len(each) == len(TYPES)
    assert only(naive, subset="macro")["value"] == pytest.approx(each.mean())


def test_the_controls_stand_beside_it(tables):
    table = tables["spurious"].filter(suite="world-spurious(seed=7)")
    blind = only(table, measure="accuracy, view none", subset="all")
    assert blind["value"] < only(table, measure="accuracy", subset="all", method="naive")["value"] - 0.2
    assert only(table, measure="accuracy, view none", subset="macro")["n"] == 270
    circular, same = (only(table, measure=m, subset="all") for m in ("circular_accuracy", "consistency"))
    assert circular["value"] <= same["value"] <= 1
    assert circular["value"] <= only(table, measure="accuracy", subset="all", method="naive")["value"]
    answered = table.filter(measure="answered", method="naive")
    assert answered["subset"].to_list() == [f"label={letter}" for letter in "ABCD"]
    assert answered["value"].sum() == pytest.approx(1, abs=0.02)  # what is no label is none of them


def test_a_misled_model_chooses_what_the_cue_suggests(tables):
    """World-spurious shows an attribute of another class in nearly half of its pictures: wrong answers follow it."""
    found = only(
        tables["spurious"], measure="spurious_selection", subset="all", method="naive", suite="world-spurious(seed=7)"
    )
    assert found["low"] > 1 / 4


def test_a_model_that_always_gives_one_answer_is_biased_by_as_much_as_that_is_wrong(made):
    gold = np.repeat([0, 1], [30, 70])
    pair = made(gold, {("naive", "greedy"): surely(np.zeros(100, int))})
    (run,) = pair.answers(decoding="greedy")
    found = {(row["measure"], row["subset"]): row for row in spurious._letters(pair, run, np.arange(100))}
    assert found["answered", "label=yes"]["value"] == 1
    assert found["right", "label=yes"]["value"] == pytest.approx(0.3)
    bias = found["position_bias", "label=yes"]
    assert bias["value"] == pytest.approx(0.7)
    assert 0.55 < bias["low"] < bias["high"] < 0.85
    assert found["position_bias", "label=no"]["value"] == pytest.approx(-0.7)


def test_suites_without_cues_are_left_out_with_the_reason(campaign):
    for pair in measured(campaign.results, "cues", suites=["world-facts"]):
        with pytest.raises(IncompatibleCell, match="no type of spurious cue"):
            spurious.measure(pair)
        with pytest.raises(IncompatibleCell, match="no phrases for core and spurious"):
            cgla.measure(pair)
    (names,) = measured(campaign.results, "cues", suites=["world-spurious-names(seed=7)"])
    with pytest.raises(IncompatibleCell, match="of its phrases none is chosen: `mmplat diagnose cgla`"):
        spurious.measure(names)


def test_the_core_sign_is_likelier_than_the_cue_by_more_than_it_is_without_the_image(tables):
    table = tables["cgla"]
    assert set(table["score"]) == {"per token", "summed"}
    assert table["suite"].unique().to_list() == ["world-spurious-names(seed=7)"]
    seen, less_blind = (only(table, subset="all", score="per token", less_blind=flag) for flag in (False, True))
    assert seen["n"] == less_blind["n"] == 108
    assert 0.4 < seen["above_zero"] < 0.95  # pictures that show the sign too faintly are answered by the cue
    assert seen["low"] < seen["value"] < seen["high"]
    one, summed = (only(table, subset="all", score=s, less_blind=False)["value"] for s in ("per token", "summed"))
    assert one == pytest.approx(summed)  # names are one token each
    assert table.filter(score="per token", less_blind=False).height == 1 + len(TYPES)


def test_phrases_read_from_a_row_are_log_probabilities(campaign):
    (pair,) = measured(campaign.results, "cues", suites=["world-spurious-names(seed=7)"])
    (said,) = cgla.phrases(pair, [pair.pair.views[0]])
    assert (said.tokens == 1).all()
    total = np.exp(said.log_probs).sum(axis=1)
    assert (total <= 1 + 1e-6).all()
    assert total.mean() > 0.9  # the tiny model says one of the four names


@pytest.mark.parametrize("what", ["", "-radar", "-heatmap", "-ranking"])
def test_figures_hold_every_type(campaign, tables, what):
    path = campaign.results.diagnostic("cues", f"spurious{what}", "svg")
    shown = " ".join(one.text or "" for one in ElementTree.fromstring(path.read_text()).iter(f"{SVG}text"))
    if what == "-ranking":
        assert "naive" in shown
        assert "option-rotation" in shown
    else:
        assert all(kind in shown for kind in TYPES)


def made_up(models, suite="s", **methods):
    """A table with one accuracy per type: `better` by a tenth per model."""
    rows = [
        {"model": model, "suite": suite, "measure": "accuracy", "subset": subset, "method": method, "decoding": "greedy",
         "value": value + 0.1 * at, "low": value - 0.05, "high": value + 0.15, "n": 10}
        for at, model in enumerate(models)
        for method, shift in (methods or {"naive": 0.0}).items()
        for subset, value in [*((f"type={kind}", 0.3 + 0.05 * i + shift) for i, kind in enumerate(TYPES)),
                              ("worst", 0.3 + shift), ("macro", 0.5 + shift), ("all", 0.5 + shift), ("gap", 0.4)]
    ]  # fmt: skip
    return pl.DataFrame(rows)


def test_the_ranking_is_by_the_worst_type():
    table = made_up(["a", "b"], naive=0.0, ours=0.05)
    drawn = ElementTree.fromstring(by_type.ranking(table))
    names = [t.text for t in drawn.iter(f"{SVG}text") if " · " in (t.text or "")]
    assert names == ["b · ours", "b · naive", "a · ours", "a · naive"]
    assert sum(t.text == "background" for t in drawn.iter(f"{SVG}text")) == 4  # what each is worst at


def test_models_are_compared_by_naive_alone_and_named_by_what_differs():
    assert [line.name for line in by_type.lines(made_up(["a", "b"], naive=0.0, ours=0.05))] == ["a", "b"]
    assert [line.name for line in by_type.lines(made_up(["a"], ours=0.05))] == ["a"]
    both = pl.concat([made_up(["a"], suite="s"), made_up(["a"], suite="t")])
    assert [line.name for line in by_type.lines(both)] == ["s", "t"]


def test_figures_do_without_a_type_that_a_suite_does_not_have():
    table = made_up(["a"]).filter(pl.col("subset") != "type=size")
    assert "size" not in by_type.heatmap(table).replace("font-size", "")
    for drawn in (by_type.radar, by_type.ranking):
        ElementTree.fromstring(drawn(table))


def test_endpoints_are_told_why_they_have_no_cgla():
    grid = """
campaign: told
models: [{name: m, family: endpoint, params: {url: "http://localhost:1/v1", model: m}}]
suites: [world-spurious-names]
methods: [naive, posthoc-none]
"""
    plan = make_plan(parse_grid(grid))
    assert plan.planned == 0
    reasons = {skip.method: skip.reason for skip in plan.skipped}
    assert reasons["naive"].startswith("an endpoint tells probabilities of what it says itself, none of a given phrase")
    assert "nothing to choose better" in reasons["posthoc-none"]
