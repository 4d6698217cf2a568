"""The best decoding: chosen on one half, reported on the other."""

from dataclasses import replace

import numpy as np
import pytest

from mmplat.diagnostics.decodings import Question, best, first_halves, splittable, sweep
from mmplat.errors import ConfigError, IncompatibleCell
from mmplat.metrics.intervals import wilson

GOLD = np.tile([0, 1], 100)


def said(p_right):
    """Answers that are right with these probabilities."""
    p = np.broadcast_to(p_right, 200)
    return np.where(np.arange(2) == GOLD[:, None], p[:, None], 1 - p[:, None])


def row(pair, question=None, suite=None):
    table = best([pair], question or Question())
    return table.row(0, named=True)


def test_the_better_decoding_is_found_and_how_far_defaults_fall_short(made):
    found = row(
        made(GOLD, {("naive", "sample"): said(0.6), ("naive", "t0.5"): said(0.8), ("naive", "greedy"): said(0.7)})
    )
    assert (found["best"], found["value"], found["n"]) == ("t0.5", pytest.approx(0.8), 100)
    assert found["over_sample"] == pytest.approx(0.2)
    assert found["over_greedy"] == pytest.approx(0.1)
    assert (found["worst"], found["over_worst"]) == ("sample", pytest.approx(0.2))
    assert found["optimism"] == pytest.approx(0, abs=1e-12)
    assert found["chosen_again"] == 1


def test_a_default_that_was_not_decided_has_no_number(made):
    found = row(made(GOLD, {("naive", "t0.5"): said(0.8), ("naive", "sample"): said(0.6)}))
    assert found["over_greedy"] is None
    assert found["over_sample"] is not None


def test_the_least_is_best_where_little_is_good(made):
    other = np.full(200, 0.0)
    pair = made(GOLD, {("naive", "sample"): said(0.6), ("naive", "greedy"): said(0.7)}, other=other)
    assert row(pair, Question(metric="unparsed"))["best"] == "sample"  # equal: the first
    with pytest.raises(ConfigError, match="has no best"):
        best([pair], Question(metric="yes_ratio"))


def test_a_decoding_whose_metric_is_not_defined_is_never_the_best(made):
    """Precision of a decoding that never says yes; in numpy the largest of numbers and NaN is NaN."""
    never_yes = np.tile([0.0, 1.0], (200, 1))
    question = Question(metric="precision")
    found = row(made(GOLD, {("naive", "greedy"): never_yes, ("naive", "sample"): said(0.8)}), question)
    assert (found["best"], found["worst"]) == ("sample", "sample")
    assert found["value"] == 1
    with pytest.raises(IncompatibleCell, match="not defined on half of its samples"):
        row(made(GOLD, {("naive", "greedy"): never_yes, ("naive", "sample"): never_yes}), question)


def test_the_figure_of_decodings_is_not_certain_where_everything_was_right(made):
    table = sweep(made(GOLD, {("naive", "greedy"): said(1.0), ("naive", "sample"): said(0.0)}))
    assert table["value"].to_list() == [1, 0]
    assert table["low"][0] == pytest.approx(wilson(np.array([1.0]), np.array([200.0]))[0][0])
    assert table["high"][1] == pytest.approx(wilson(np.array([0.0]), np.array([200.0]))[1][0])


def test_a_method_that_shares_no_decoding_over_suites_is_said_so(made):
    pair = made(GOLD, {("naive", name): said(0.6) for name in ("greedy", "sample")})
    pairs = [replace(pair, runs=pair.runs.filter(decoding=name)) for name in ("greedy", "sample")]
    with pytest.raises(ConfigError, match="under no decoding on all of its suites"):
        best(pairs, Question())


def test_choosing_and_reporting_on_the_same_data_is_optimistic_and_the_report_is_not(made):
    """Thirty decodings of equal worth: whatever is chosen is worth .5, and looks better where it was chosen."""
    rng = np.random.default_rng(0)
    same, reported, optimism = [], [], []
    for repeat in range(40):
        runs = {("naive", f"k{i}"): said(rng.integers(0, 2, 200).astype(float)) for i in range(1, 31)}
        found = row(made(GOLD, runs), Question(seed=repeat))
        same.append(found["on_same_data"])
        reported.append(found["value"])
        optimism.append(found["optimism"])
    assert np.mean(reported) == pytest.approx(0.5, abs=0.03)
    assert np.mean(same) > 0.57
    assert np.mean(optimism) == pytest.approx(np.mean(same) - 0.5, abs=0.04)


def test_halves_hold_whole_clusters_and_the_seed_draws_them():
    one, again, other = (first_halves(9, seed) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()
    assert set(one.sum(axis=1)) == {4.0}
    assert len({tuple(half) for half in one}) > 50


def test_too_few_clusters_cannot_be_halved(made):
    with pytest.raises(IncompatibleCell, match="3 clusters"):
        best([made(GOLD, {("naive", "sample"): said(0.6)}, cluster=np.arange(200) % 3)], Question())


def test_a_suite_that_is_too_small_is_left_out_with_the_reason_and_alone_refused(made):
    answers = {("naive", "greedy"): said(1.0)[:6]}
    small = made(GOLD[:6], answers, cluster=[0, 0, 1, 1, 2, 2])
    large = replace(
        made(GOLD[:6], answers), pair=replace(small.pair, suite=small.pair.suite.model_copy(update={"name": "large"}))
    )
    kept, left_out = splittable([small, large])
    assert kept == [large]
    assert left_out == {
        "fake × world-objects": "it has 3 clusters of samples (questions about one image are one), and two halves take 4"
    }
    with pytest.raises(ConfigError, match="nothing to choose a decoding on. fake × world-objects: it has 3 clusters"):
        splittable([small])
