"""Each table of `diagnose misleading` on made-up answers whose result is known, and on the tiny models."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from mmplat.cli.app import app
from mmplat.diagnostics import consistency, measured, misleading, misleading_differences, misleading_margins, run
from mmplat.diagnostics.conditioned import Conditioned, conditioned
from mmplat.diagnostics.consistency import agreement, draw, drawn_agreement, drawn_modal_share, expected_modal_share
from mmplat.diagnostics.led import cues_of
from mmplat.diagnostics.misleading_margins import rank_correlation, ranks
from mmplat.diagnostics.misled import table_of
from mmplat.errors import ConfigError, IncompatibleCell, UnknownName


def only(table, **where):
    rows = table.filter(**where).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


def test_the_rates_of_one_cell_by_hand(make):
    clean = [1, 1, 1, 1, 0, 0, -1, 1]
    wrong = [0, 1, -1, 0, 1, 0, 0, 1]
    gold = [1, 0, 1, 1, 1, 0, 1, -1]
    found = only(misleading.measure(make(clean, wrong, gold)), subset="all")
    assert (found["tf"], found["n_t"]) == (pytest.approx(2 / 5), 5)
    assert (found["ft"], found["n_f"]) == (pytest.approx(1 / 2), 2)
    assert found["mean"] == pytest.approx((2 / 5 + 1 / 2) / 2)
    assert found["disturbed"] == pytest.approx(1 / 5)
    assert (found["clean"], found["true_cue"], found["false_cue"]) == (5 / 8, 5 / 8, 3 / 8)
    assert (found["invalid"], found["invalid_cued"]) == (1 / 8, 1 / 8)
    assert (found["control_tf"], found["control_ft"], found["cue_unfair"], found["n"]) == (0, 0, 0, 8)


def test_under_a_stochastic_decoding_the_control_is_what_asking_twice_would_flip(make):
    clean = np.tile([0.8, 0.2, 0.0], (10, 1))
    wrong = np.tile([0.4, 0.6, 0.0], (10, 1))
    found = only(misleading.measure(make(clean, wrong, key=("naive", "sample"))), subset="all")
    assert found["control_tf"] == pytest.approx(0.2)
    assert found["control_ft"] == pytest.approx(0.8)
    assert found["tf"] == pytest.approx(0.6)
    assert found["n_t"] == pytest.approx(8)
    assert found["ft"] is None  # nothing led to the right answer
    assert found["mean"] is None


def test_a_cue_that_names_what_it_must_not_is_counted_and_in_no_rate(make):
    one = make([1, 1, 1, 0], [0, 0, 1, 0], [1, 1, 1, 1])
    bad = one.under["cue-wrong"].samples[0].reference["condition"]
    one.under["cue-wrong"].samples[0].reference["condition"] = {**bad, "towards": "yes"}
    found = only(misleading.measure(one), subset="all")
    assert (found["cue_unfair"], found["n_t"], found["tf"]) == (1, 2, pytest.approx(1 / 2))


def test_samples_that_a_condition_left_out_are_in_no_rate(make):
    base = make([1, 1, 1, 0])
    under = make([1], [0, 1], ids=["0", "2"]).under
    found = only(misleading.measure(Conditioned(base.base, under)), subset="all")
    assert (found["tf"], found["n_t"], found["n"]) == (1 / 2, 2, 4)


def test_a_method_that_needs_a_cue_has_the_first_stage_of_naive(make):
    one = make([1, 1, 0, 0], [0, 1, 0, 0])
    other = make.measured(
        1, {("cue-contrast", "greedy"): [1, 1, 0, 1]}, made={"leads": "wrong", "towards": "no"}, seed=3
    )
    found = misleading.measure(Conditioned(one.base, {"cue-wrong": other}))
    assert (found["method"][0], found["stage_1"][0], found["tf"][0]) == ("cue-contrast", "naive", 0)


def test_written_draws_are_held_against_those_of_the_next_seed(make):
    one = make([1, 1, 0, 1], [0, 1, 0, 1], key=("naive", "sample"))
    written = replace(one.base, pair=replace(one.base.pair, writings=(None,)))
    alone = misleading.measure(Conditioned(written, one.under))
    assert alone["control_tf"][0] is None  # one draw says nothing about another
    again = make.measured(0, {("naive", "sample"): [1, 0, 1, 1]}, seed=1)
    for name in ("runs", "predictions"):
        tables = [pl.read_parquet(place.predictions.with_name(f"{name}.parquet")) for place in (written, again)]
        pl.concat(tables).write_parquet(written.predictions.with_name(f"{name}.parquet"))
    found = misleading.measure(Conditioned(written, one.under))
    assert (found["control_tf"][0], found["control_ft"][0]) == (pytest.approx(1 / 3), 1)
    shares = consistency.measure(Conditioned(written, one.under))
    assert only(shares, subset="all")["agreement_drawn"] == pytest.approx(1 / 2)
    assert only(shares, subset="all")["agreement"] is None


def under_notes(make, said):
    """What was said under misleading notes, by their parameters, after three right answers of four."""
    under = {}
    for at, (params, answers) in enumerate(said):
        one = make.measured(1, {("naive", "greedy"): answers}, made={"leads": "wrong"}, seed=10 + at)
        changed = {"kind": "misleading-note", "name": f"note-{at}", "params": params}
        spec = one.pair.suite.condition.model_copy(update=changed)
        suite = one.pair.suite.model_copy(update={"condition": spec})
        under[spec.name] = replace(one, pair=replace(one.pair, suite=suite))
    found = misleading.measure(Conditioned(make([1, 1, 1, 0]).base, under)).filter(subset="all")
    return {cue: pytest.approx(tf) for cue, tf in found.select("cue", "tf").iter_rows()}


def test_notes_are_counted_one_by_one_each_and_any_of_three(make):
    said = [({"k": 0}, [0, 1, 1, 1]), ({"k": 1}, [1, 1, 0, 1]), ({"k": 2}, [0, 1, 1, 1])]
    alone = {"note 0": 1 / 3, "note 1": 1 / 3, "note 2": 1 / 3}
    assert under_notes(make, said) == {**alone, "note, each": 1 / 3, "note, any of 3": 2 / 3}


def test_notes_in_other_wordings_and_drawn_ones_are_cues_of_their_own(make):
    rules = {"by": "rules", "wording": "trained", "lead": "Please pay attention to this instruction:"}
    said = [
        ({**rules, "k": 0}, [0, 1, 1, 1]),
        ({**rules, "k": 1}, [0, 1, 0, 1]),
        ({**rules, "k": 0, "wording": "held-out"}, [0, 0, 0, 1]),
        ({**rules, "k": "drawn"}, [1, 1, 1, 1]),
        ({**rules, "k": 0, "lead": ""}, [1, 1, 1, 1]),
    ]
    assert under_notes(make, said) == {
        **{"note rules 0": 1 / 3, "note rules 1": 2 / 3, "note rules, each": 1 / 2},
        **{"note rules held-out": 1, "note rules drawn": 0, "note rules lead=": 0},
    }


def test_a_suite_without_cues_says_what_to_do(make):
    with pytest.raises(IncompatibleCell, match="conditions: \\[cue-wrong, cue-gold\\]"):
        cues_of(make([1, 0]))


# Consistency.


def test_what_draws_are_expected_to_show_is_what_they_show():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet([3, 1, 0.5], 4)
    counts = rng.multinomial(5, probs, size=(20_000, 4))
    shown = (counts.max(axis=2) / 5).mean(axis=0)
    assert expected_modal_share(probs, 5) == pytest.approx(shown, abs=0.006)
    assert (expected_modal_share(probs, 5) > probs.max(axis=1)).all()  # a few draws always have a commonest answer
    assert expected_modal_share(np.array([[0.5, 0.5]]), 1) == pytest.approx([1.0])
    assert expected_modal_share(np.array([[0.5, 0.5]]), 2) == pytest.approx([0.75])


def test_agreement_of_draws_is_right_on_average():
    probs = np.array([[0.7, 0.2, 0.1]] * 4000)
    assert drawn_agreement(draw(probs, 3, 1)).mean() == pytest.approx(agreement(probs)[0], abs=0.02)
    assert drawn_modal_share(np.array([[3, 1, 0]])) == pytest.approx([0.75])


def test_exact_and_drawn_consistency_agree_within_their_interval(tiny):
    for one in conditioned(measured(tiny.results, "misled")):
        for row in consistency.measure(one).to_dicts():
            assert row["agreement_drawn_low"] - 0.01 <= row["agreement"] <= row["agreement_drawn_high"] + 0.01
            assert row["modal_drawn_low"] - 0.01 <= row["modal_of_draws"] <= row["modal_drawn_high"] + 0.01
            assert row["modal_share"] <= row["modal_of_draws"] + 1e-9


def test_misled_answers_were_less_consistent_before_anything_was_said(tiny):
    one = conditioned(measured(tiny.results, "misled", models=["tiny"]))[0]
    rows = consistency.measure(one, decoding="sample")
    misled, kept = (only(rows, subset=subset) for subset in ("misled", "not misled"))
    assert misled["agreement_high"] < kept["agreement_low"]


def test_greedy_alone_says_nothing_about_consistency(make):
    with pytest.raises(IncompatibleCell, match="add `sample`"):
        consistency.measure(make([1, 0], [0, 0]))


# Margins.


def test_ranks_share_their_mean():
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0, 2.5, 1]


def test_the_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    margin = rng.normal(size=300)
    flips = (rng.random(300) < 1 / (1 + np.exp(2 * margin))).astype(float)
    value, low, high = rank_correlation(margin, (flips, np.ones(300)), np.arange(300))
    assert value == pytest.approx(np.corrcoef(ranks(margin), ranks(flips))[0, 1])
    assert low < value < high < 0
    assert high - low < 0.25


def test_the_interval_of_the_correlation_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = []
    for number in range(100):
        margin = rng.normal(size=120)
        flips = (rng.random(120) < 0.4).astype(float)
        _, low, high = rank_correlation(margin, (flips, np.ones(120)), np.arange(120), seed=number)
        held.append(low <= 0 <= high)
    assert 0.89 <= np.mean(held) <= 0.99


def test_who_was_unsure_is_misled(tiny):
    one = conditioned(measured(tiny.results, "misled", models=["tiny"]))[0]
    table = misleading_margins.measure(one)
    bins = table.drop_nulls("bin")
    assert bins["margin"].is_sorted()
    assert bins["tf"][0] > 0.8 > 0.1 > bins["tf"][-1]
    whole = only(table.filter(pl.col("bin").is_null()))
    assert whole["rank_correlation_high"] < -0.5


# Differences.


def test_a_method_is_compared_on_its_own_right_answers_and_on_those_of_both(make):
    naive, other = [1] * 20 + [0] * 20, [1] * 40
    cued = {("naive", "greedy"): [0] * 10 + [1] * 30, ("m", "greedy"): [0] * 5 + [1] * 15 + [0] * 15 + [1] * 5}
    base = make.measured(0, {("naive", "greedy"): naive, ("m", "greedy"): other})
    under = make.measured(1, cued, made={"leads": "wrong", "towards": "no"})
    found = only(misleading_differences.methods(Conditioned(base, {"w": under})))
    assert found["difference"] == pytest.approx(20 / 40 - 10 / 20)
    assert (found["difference_both"], found["n_both"]) == (pytest.approx(-5 / 20), 20)
    assert found["p"] == pytest.approx(2 / 2**5)


def test_models_are_compared_with_the_first_one(tiny):
    diagnostic, rivals = table_of("models", measured(tiny.results, "misled"))
    table = run(diagnostic, rivals).table
    assert set(table["model"]) == {"tiny-biased"}
    assert set(table["against"]) == {"tiny"}
    row = only(table, suite="world-objects(seed=5)")
    assert (
        row["difference"] < 0 < row["difference_both"]
    )  # fewer of its own, easier answers; more of those that both know


# Commands.


@pytest.mark.parametrize("what", ["rates", "margins", "consistency", "methods", "models"])
def test_every_table_is_printed_and_kept_with_its_figure(tiny, what):
    words = ["diagnose", "misleading", "misled", "--what", what, "--results", str(tiny.results.root)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    name = "misleading" if what == "rates" else f"misleading-{what}"
    assert pl.read_parquet(tiny.results.diagnostic("misled", name, "parquet"), glob=False).height > 0
    assert tiny.results.diagnostic("misled", name, "svg").read_text().startswith("<svg")


def test_models_are_drawn_by_what_they_lose_to_false_cues_and_keep_of_true_ones(tiny):
    pairs = conditioned(measured(tiny.results, "misled"))
    svg = misleading.trade_off(run(misleading.DIAGNOSTIC, pairs).table)
    said = "".join(ElementTree.fromstring(svg).itertext())
    assert all(words in said for words in misleading.TRUST.values())
    assert "tiny-biased" in said


def test_the_tiny_models_are_misled_and_the_contrast_trades_true_cues_for_it(tiny):
    one = conditioned(measured(tiny.results, "misled", models=["tiny"]))[0]
    table = misleading.measure(one, decoding="greedy").filter(subset="all")
    naive, contrast = (only(table, method=name) for name in ("naive", "cue-contrast"))
    assert naive["tf_low"] > 0.2
    assert naive["tf_high"] < 0.6
    assert naive["true_cue"] > naive["clean"]
    assert contrast["tf"] < 0.05
    assert contrast["true_cue_high"] < naive["clean_low"]  # it inverts true cues too
    assert naive["control_tf"] == 0
    sampled = only(misleading.measure(one, decoding="t2").filter(subset="all"), method="naive")
    assert sampled["control_tf"] > 0.05


def test_a_suite_is_named_without_its_conditions(tiny):
    """Its conditions come with it: without them there is nothing to compare."""
    pairs = measured(tiny.results, "misled")
    name = pairs[0].pair.suite.name
    assert {one.pair.suite.name for one in table_of("rates", pairs, [name])[1]} == {name}
    with pytest.raises(UnknownName, match="among those that were asked under conditions"):
        table_of("rates", pairs, ["world-nothing"])


def test_mistakes_are_told(tiny, fake_run):
    with pytest.raises(UnknownName, match="margins"):
        table_of("margin", measured(tiny.results, "misled"))
    with pytest.raises(ConfigError, match=r"conditions: \[cue-wrong, cue-gold\]"):
        table_of("rates", measured(fake_run.results, "test"))
    with pytest.raises(ConfigError, match="compares models, and this campaign asked one"):
        table_of("models", measured(tiny.results, "misled", models=["tiny"]))
