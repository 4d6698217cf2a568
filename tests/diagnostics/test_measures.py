"""Each diagnostic on made-up answers whose result is known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from made_up import surely

from mmplat.diagnostics import base, calibration, confidence, lean, run, yes_bias
from mmplat.diagnostics.confidence import equal_bins
from mmplat.diagnostics.decodings import Question, best
from mmplat.errors import ConfigError, IncompatibleCell

GOLD = np.tile([0, 1], 50)  # half yes, half no
NAIVE = ("naive", "greedy")


def only(table, **where):
    rows = table.filter(**where).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


def test_a_model_that_never_says_yes_has_a_yes_ratio_of_nothing_whatever_the_gold_says(made):
    found = only(yes_bias.measure(made(GOLD, {NAIVE: surely(np.ones(100, int))})), subset="all")
    assert (found["yes_ratio"], found["gold_ratio"], found["bias"]) == (0.0, 0.5, -0.5)
    assert found["bias_high"] < -0.35
    assert (found["yes_where_yes"], found["yes_where_no"]) == (0.0, 0.0)


def test_better_sight_is_no_bias(made):
    found = only(yes_bias.measure(made(GOLD, {NAIVE: surely(GOLD)})), subset="all")
    assert found["bias"] == 0
    assert (found["yes_where_yes"], found["yes_where_no"]) == (1.0, 0.0)


def test_an_answer_that_says_no_label_is_no_yes_and_is_counted(made):
    said = np.full((100, 2), [0.4, 0.1])
    found = only(yes_bias.measure(made(GOLD, {NAIVE: said}, other=np.full(100, 0.5))), subset="all")
    assert (found["yes_ratio"], found["unparsed"]) == (0.0, 1.0)


def test_what_was_not_decided_is_in_no_number(made):
    said = surely(GOLD)
    said[:20] = np.nan
    other = np.where(np.arange(100) < 20, np.nan, 0.0)
    found = only(yes_bias.measure(made(GOLD, {NAIVE: said}, other=other)), subset="all")
    assert (found["n"], found["gold_ratio"]) == (80, 0.5)


def sided(gold, right, sure):
    """Label logits by whether they are right and how sure."""
    said = np.where(right, gold, 1 - gold)
    return np.eye(2)[said] * np.asarray(sure)[:, None]


def test_a_method_gains_where_the_naive_answer_was_unsure(made):
    sure = np.repeat([0.5, 5.0], 50)
    right = np.arange(100) >= 25  # a half of the unsure ones is wrong
    naive = np.where(right, GOLD, 1 - GOLD)
    pair = made(
        GOLD, {NAIVE: surely(naive), ("fixed", "greedy"): surely(GOLD)}, logits={"image": sided(GOLD, right, sure)}
    )
    found = confidence.measure(pair, bins=2)
    unsure, certain = (only(found, bin=b, method="fixed", metric="accuracy") for b in (1, 2))
    assert (unsure["n"], unsure["gain"], certain["gain"]) == (50, 0.5, 0.0)
    assert unsure["gain_low"] > 0.3
    assert certain["gain_low"] < 0 < certain["gain_high"]
    assert only(found, bin=1, method="naive", metric="accuracy")["gain"] is None


def test_equal_confidences_are_never_cut_apart():
    bins = equal_bins(np.array([0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.99, np.nan]), 4)
    assert [rows.tolist() for rows in bins] == [[0], [1, 2, 3, 4, 5, 6]]
    assert [rows.tolist() for rows in equal_bins(np.full(5, 0.7), 5)] == [[0, 1, 2, 3, 4]]


def leaning(made, blind_right, naive_right, method_right):
    sure = np.ones(100)
    logits = {"image": sided(GOLD, naive_right, sure), "none": sided(GOLD, blind_right, sure)}
    naive, method = (surely(np.where(right, GOLD, 1 - GOLD)) for right in (naive_right, method_right))
    return only(lean.measure(made(GOLD, {NAIVE: naive, ("m", "greedy"): method}, logits=logits)), subset="all")


def test_a_benchmark_that_the_prior_answers_is_flagged_and_debiasing_harms_it(made):
    at = np.arange(100)
    found = leaning(made, blind_right=at < 96, naive_right=at < 90, method_right=at < 60)
    assert found["lean"] == pytest.approx((0.96 - 0.5) / (0.90 - 0.5))
    assert found["answered_by_prior"]
    assert (found["gain"], found["sign"]) == (pytest.approx(-0.3), "−")


def test_a_benchmark_that_needs_the_image_is_not_flagged(made):
    at = np.arange(100)
    found = leaning(made, blind_right=at % 4 < 2, naive_right=at < 80, method_right=at < 95)
    assert found["lean"] == pytest.approx(0, abs=1e-12)
    assert not found["answered_by_prior"]
    assert (found["gain"], found["sign"]) == (pytest.approx(0.15), "+")


def test_where_naive_is_at_chance_lean_has_no_bounds(made):
    at = np.arange(100)
    found = leaning(made, blind_right=at < 70, naive_right=at % 4 < 2, method_right=at < 70)
    assert found["lean_low"] is None
    assert found["answered_by_prior"]  # it answers, above chance, what the image does not


def test_where_naive_is_exactly_at_chance_lean_is_undefined_and_drawn_without_its_point(made):
    at = np.arange(100)
    found = leaning(made, blind_right=at < 70, naive_right=at < 50, method_right=at < 70)
    assert found["naive"] == found["chance"]
    assert found["lean"] is None
    drawn = pl.DataFrame([{"model": "m", "suite": "s", **found}])
    assert base.figure(lean.DIAGNOSTIC, drawn).startswith("<svg")


def test_pairs_with_and_without_a_number_stand_in_one_table(made):
    at, sure = np.arange(100), np.ones(100)

    def pair(naive_right):
        logits = {"image": sided(GOLD, naive_right, sure), "none": sided(GOLD, at < 70, sure)}
        return made(GOLD, {NAIVE: surely(GOLD)}, logits=logits)

    found = run(lean.DIAGNOSTIC, [pair(at < 50), pair(at < 90)]).table
    assert found["lean"].is_null().to_list() == [True, False]


def test_lean_without_a_view_without_image_is_refused_with_what_to_do(made):
    pair = made(GOLD, {NAIVE: surely(GOLD)}, logits={"image": sided(GOLD, GOLD == GOLD, np.ones(100))})
    with pytest.raises(IncompatibleCell, match=r"add `views: \[none\]`"):
        lean.measure(pair)


def saying(confidence, right):
    """Answers of a confidence, right where `right` says so."""
    said, confidence = np.where(right, GOLD, 1 - GOLD), np.broadcast_to(confidence, len(GOLD))[:, None]
    return np.where(np.arange(2) == said[:, None], confidence, 1 - confidence)


def test_the_error_of_a_model_that_is_too_sure_is_the_distance(made):
    right = np.arange(100) % 10 < 6
    pair = made(GOLD, {("naive", "sample"): saying(0.9, right)})
    found = calibration.measure(pair)
    for kind in ("width", "mass"):
        whole = only(found.filter(pl.col("bin").is_null()), bins=kind)
        assert whole["ece"] == pytest.approx(0.3)
        assert whole["ece_low"] < 0.3 < whole["ece_high"]
        (curve,) = found.filter(bins=kind).drop_nulls("bin").to_dicts()
        assert (curve["confidence"], curve["value"], curve["n"]) == (pytest.approx(0.9), 0.6, 100)


def test_a_bin_is_worth_its_own_samples_and_not_all(made):
    """Ten answers of a hundred were sure, and right: their share is known no better than ten samples know it."""
    sure_of_ten, right = np.r_[np.full(10, 0.99), np.full(90, 0.6)], np.r_[np.ones(10), np.tile([0, 1], 45)]
    pair = made(GOLD, {("naive", "sample"): saying(sure_of_ten, right)})
    sure = only(calibration.measure(pair), bins="width", bin=2)
    assert (sure["n"], sure["value"]) == (10, 1)
    assert sure["low"] == pytest.approx(1 / (1 + 1.96**2 / 10), rel=1e-3)


def test_a_pair_whose_cells_all_failed_is_told_and_the_others_are_diagnosed(made):
    pair = made(GOLD, {("naive", "sample"): saying(0.9, np.ones(100))})
    failed = replace(pair, runs=pair.runs.clear())
    for diagnostic in (calibration.DIAGNOSTIC, yes_bias.DIAGNOSTIC):
        found = run(diagnostic, [failed, pair])
        assert found.skipped == {pair.title: f"all cells of {pair.title} failed, and `mmplat status` says why"}
        assert found.table["n"].max() == 100
    with pytest.raises(ConfigError, match="There is nothing to diagnose"):
        run(calibration.DIAGNOSTIC, [failed])
    with pytest.raises(ConfigError, match="a cell that did not fail"):
        best([failed], Question())


def test_a_decoding_that_one_pair_lacks_is_told_and_the_others_are_diagnosed(made):
    pair = made(GOLD, {("naive", "sample"): saying(0.9, np.ones(100)), ("naive", "t0.5"): saying(0.9, np.ones(100))})
    lacking = replace(pair, runs=pair.runs.filter(decoding="sample"))
    found = run(calibration.DIAGNOSTIC, [lacking, pair], decoding="t0.5")
    assert "Unknown decoding 't0.5'" in found.skipped[pair.title]
    assert found.table["decoding"].unique().to_list() == ["t0.5"]


def test_an_honest_model_has_almost_no_error_and_the_interval_reaches_nothing():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 4000)
    right = (rng.random(4000) < sure).astype(float)
    rows = calibration._curve(sure, right, np.arange(4000), calibration.width_bins(sure, 10))
    assert rows[-1]["ece"] < 0.03
    assert rows[-1]["ece_low"] < 0.01


@pytest.mark.parametrize(("shift", "n"), [(0.1, 600), (0.1, 3000), (0.03, 600)])
def test_the_interval_of_the_error_holds_the_truth_as_often_as_it_says(shift, n):
    rng = np.random.default_rng(1)
    held = []
    for _ in range(600):
        sure = rng.uniform(0.5, 1, n)
        right = (rng.random(n) < sure - shift).astype(float)
        whole = calibration._curve(sure, right, np.arange(n), calibration.width_bins(sure, 10))[-1]
        held.append(whole["ece_low"] <= shift <= whole["ece_high"])
    assert 0.93 <= np.mean(held) <= 0.99


def test_a_greedy_answer_has_no_honest_confidence(made):
    with pytest.raises(IncompatibleCell, match="not decided under 'sample'"):
        calibration.measure(made(GOLD, {NAIVE: surely(GOLD)}))


def test_written_answers_show_no_probability_and_open_questions_have_no_labels(made):
    from dataclasses import replace

    from mmplat.diagnostics import Diagnostic, run
    from mmplat.errors import ConfigError

    pair = made(GOLD, {("naive", "sample"): surely(GOLD)})
    written = replace(pair, pair=replace(pair.pair, writings=(None,)))
    with pytest.raises(IncompatibleCell, match="one draw shows no probability"):
        calibration.measure(written)
    unlabelled = replace(pair, samples=[replace(s, labels=()) for s in pair.samples])
    with pytest.raises(ConfigError, match="no labels to answer with"):
        run(Diagnostic("any", 1, lambda pair: None, lambda rows: []), [unlabelled])
