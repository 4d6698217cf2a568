"""Tests and intervals against worked examples, and against the truth in simulated runs."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmplat.errors import ConfigError
from mmplat.metrics.intervals import wilson
from mmplat.statistics import (
    Design,
    Paired,
    Verdict,
    benjamini_hochberg,
    design_effect,
    holm,
    mcnemar,
    paired_bootstrap,
    rank_ranges,
    sign_flip_test,
    verdict,
)


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (6, 0, 2 / 64),
        (0, 0, 1.0),
        (5, 5, 1.0),
        # Agresti, Categorical Data Analysis, approval of the prime minister: 150 against 86 changed their minds.
        (150, 86, 3.7e-5),
    ],
)
def test_mcnemar_is_the_binomial_tail(fixed, broken, p):
    assert mcnemar(fixed, broken) == pytest.approx(p, rel=0.02 if p < 1e-3 else 1e-12)
    assert mcnemar(fixed, broken) == mcnemar(broken, fixed)


def test_mcnemar_of_thousands_of_changes_is_exact_and_quick():
    half = mcnemar(5_100, 4_900)
    log_terms = [math.lgamma(10_001) - math.lgamma(k + 1) - math.lgamma(10_001 - k) for k in range(4_901)]
    assert half == pytest.approx(2 * sum(math.exp(term - 10_000 * math.log(2)) for term in log_terms), rel=1e-8)
    assert mcnemar(20_000, 0) == 0.0


def test_few_clusters_are_tested_by_every_assignment_of_signs():
    # Fisher's own way by hand: |±3 ±1 ±2| ≥ 6 in 2 of 8 assignments.
    assert sign_flip_test(Paired(np.array([3.0, 1.0, 2.0]), np.ones(3))) == 2 / 8
    # |±3 ±1 ±2| ≥ 4, as observed by 3 − 1 + 2: those two, and two more.
    assert sign_flip_test(Paired(np.array([3.0, -1.0, 2.0]), np.ones(3))) == 4 / 8
    assert sign_flip_test(Paired(np.zeros(5), np.ones(5))) == 1.0


def test_the_sign_flip_test_of_independent_samples_is_mcnemars():
    for fixed, broken in ((8, 2), (7, 5), (6, 0)):
        pairs = Paired(np.array([1.0] * fixed + [-1.0] * broken + [0.0] * 30), np.ones(fixed + broken + 30))
        assert sign_flip_test(pairs) == pytest.approx(mcnemar(fixed, broken))
    many = Paired(np.array([1.0] * 40 + [-1.0] * 22), np.ones(62))
    assert sign_flip_test(many) == pytest.approx(mcnemar(40, 22), abs=0.006)  # 4 standard errors of 10,000 draws


def clustered(rng, clusters, size, effect=0.0):
    """Two runs that answer the questions about an image alike, as models do; the second is better by `effect`."""
    ease = rng.beta(4, 2, (clusters, 1)) * np.ones((1, size))
    swing = rng.normal(0, 0.12, (clusters, 1))  # an image may suit one of the two
    first = rng.random((clusters, size)) < np.clip(ease - swing, 0, 1)
    second = rng.random((clusters, size)) < np.clip(ease + swing + effect, 0, 1)
    return Paired.of(first.ravel(), second.ravel(), np.repeat(np.arange(clusters), size))


def test_p_values_are_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(0)
    p = np.array([sign_flip_test(clustered(rng, 60, 4), seed=i, draws=400) for i in range(1_000)])
    for level in (0.05, 0.1, 0.25, 0.5, 0.75):
        # Differences come in whole answers, so p-values come in steps, and may only be too large.
        error = 3 * math.sqrt(level * (1 - level) / len(p))
        assert level - 0.04 - error <= (p <= level).mean() <= level + error


def test_the_bootstrap_holds_the_truth_as_often_as_it_says_and_naive_pairs_do_not():
    rng, truth, held, naive = np.random.default_rng(1), 0.0, 0, 0
    for i in range(500):
        pairs = clustered(rng, 80, 6)
        low, high = paired_bootstrap(pairs, seed=i, draws=600)
        held += low <= truth <= high
        apart = np.repeat(pairs.difference / pairs.size, 6)
        low, high = paired_bootstrap(Paired(apart, np.ones_like(apart)), seed=i, draws=600)
        naive += low <= truth <= high
    assert 0.92 <= held / 500 <= 0.975
    assert naive / 500 < 0.75  # what leaving the clusters out would have claimed to be 95 %


def test_the_bootstrap_of_means_has_the_width_of_the_textbook_and_is_the_same_each_time():
    rng = np.random.default_rng(2)
    pairs = Paired(rng.normal(0.3, 1, 400), np.ones(400))
    low, high = paired_bootstrap(pairs)
    error = pairs.difference.std(ddof=1) / math.sqrt(400)
    assert (low, high) == pytest.approx((pairs.mean - 1.96 * error, pairs.mean + 1.96 * error), abs=0.1 * error)
    assert (low, high) == paired_bootstrap(pairs)
    assert all(math.isnan(end) for end in paired_bootstrap(Paired(np.ones(1), np.ones(1))))


def test_clusters_of_unequal_size_weigh_by_their_samples():
    pairs = Paired.of([0, 0, 0, 0], [1, 1, 1, 0], ["a", "a", "a", "b"])
    assert pairs.mean == pytest.approx(3 / 4)
    assert pairs.size.tolist() == [3, 1]


def test_the_design_effect_is_one_for_independent_samples_and_the_size_for_equal_ones():
    rng = np.random.default_rng(6)
    first, second = rng.random(4_000) < 0.5, rng.random(4_000) < 0.6
    assert design_effect(first, second, np.arange(4_000)) == pytest.approx(1)
    assert design_effect(first, second, np.repeat(np.arange(1_000), 4)) == pytest.approx(1, abs=0.15)
    assert design_effect(np.repeat(first, 4), np.repeat(second, 4), np.repeat(np.arange(4_000), 4)) == pytest.approx(4)
    assert math.isnan(design_effect(first, first, np.arange(4_000)))


def test_holm_and_benjamini_hochberg_are_those_of_the_worked_example():
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # .005·4, .01·3, .03·2, then at least that
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])  # 4/4·.04, 4/3·.03, 4/2·.01, 4/1·.005
    # The example of Benjamini and Hochberg (1995): of 15 p-values, 4 findings at .05 against Holm's 3.
    paper = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    paper += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert sum(value <= 0.05 for value in benjamini_hochberg(paper)) == 4
    assert sum(value <= 0.05 for value in holm(paper)) == 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusting_keeps_the_order_and_only_raises_p_values(p_values):
    for adjusted in (holm(p_values), benjamini_hochberg(p_values)):
        assert all(p <= a + 1e-15 <= 1 + 1e-12 for p, a in zip(p_values, adjusted, strict=True))
        for (p, a), (q, b) in product(zip(p_values, adjusted, strict=True), repeat=2):
            assert a <= b or p > q
    assert all(bh <= h + 1e-15 for bh, h in zip(benjamini_hochberg(p_values), holm(p_values), strict=True))


def test_the_needed_number_of_samples_is_that_of_the_textbook():
    # By hand: ((1.959964·√.3 + .841621·√(.3 − .01)) / .1)² = 233.1.
    assert Design(accuracy=0.5, disagreement=0.3).clusters_for(0.1) == 234
    twice = Design(accuracy=0.5, disagreement=0.3, per_cluster=6, icc=0.2)
    assert twice.design_effect == pytest.approx(2.0)
    assert twice.clusters_for(0.1) == math.ceil(233.1 * 2 / 6)


@pytest.mark.parametrize(("clusters", "icc"), [(233, 0.0), (500, 0.3)])
def test_effect_clusters_and_power_are_three_sides_of_one_thing(clusters, icc):
    design = Design(accuracy=0.8, per_cluster=6, icc=icc)
    effect = design.smallest_effect(clusters)
    assert design.power_of(clusters, effect) == pytest.approx(0.8, abs=1e-6)
    assert abs(design.clusters_for(effect) - clusters) <= 1


def test_the_promised_power_is_the_one_that_simulated_runs_have():
    design = Design(accuracy=0.7, disagreement=0.2)
    n, rng = design.clusters_for(0.08), np.random.default_rng(3)
    found = 0
    for _ in range(1_500):
        fixed, broken, _ = rng.multinomial(n, [0.14, 0.06, 0.8])
        found += mcnemar(int(fixed), int(broken)) < 0.05
    assert 0.74 <= found / 1_500 <= 0.83  # exact McNemar is a little cautious against its normal approximation


@pytest.mark.parametrize(
    ("settings", "effect", "said"),
    [
        ({"accuracy": 80}, 0.1, "accuracy = 80 must lie between 0 and 1"),
        ({"accuracy": 0.9}, 0.2, "leaves 0 … 1"),
        ({"accuracy": 0.5, "disagreement": 0.01}, 0.1, "--disagreement"),
        ({"accuracy": 0.5, "per_cluster": 0}, 0.1, "per-cluster"),
    ],
)
def test_a_design_that_cannot_be_is_refused_with_what_is_wrong(settings, effect, said):
    with pytest.raises(ConfigError, match=said):
        Design(**settings).clusters_for(effect)


def test_too_few_clusters_find_no_effect_at_all():
    assert Design(accuracy=0.99).smallest_effect(5) is None


def by_cluster(scores, size):
    sums = scores.reshape(-1, size, scores.shape[1]).sum(axis=1)
    return sums, np.full(len(sums), float(size))


def test_ranks_of_clear_runs_are_numbers_and_of_equal_runs_ranges():
    rng = np.random.default_rng(4)
    ease = rng.random(600)
    scores = np.stack([ease < share for share in (0.95, 0.6, 0.6, 0.2)], axis=1).astype(float)
    assert rank_ranges(*by_cluster(scores, 3)) == [(1, 1), (2, 3), (2, 3), (4, 4)]
    assert rank_ranges(*by_cluster(scores, 3), of=[3, 0]) == [(4, 4), (1, 1)]
    noisy = (rng.random((600, 5)) < 0.7).astype(float)
    assert all(best < worst for best, worst in rank_ranges(*by_cluster(noisy, 3)))
    assert rank_ranges(*by_cluster(scores, 600)) == [(1, 4)] * 4


def test_a_rank_range_holds_the_true_rank_as_often_as_it_says():
    rng, held = np.random.default_rng(5), 0
    truth = np.array([0.72, 0.70, 0.68, 0.55, 0.53])
    for i in range(150):
        ease = np.repeat(rng.normal(0, 0.12, 60), 4)[:, None]
        scores = (rng.random((240, 5)) < np.clip(truth + ease, 0, 1)).astype(float)
        ranges = rank_ranges(*by_cluster(scores, 4), seed=i, draws=300)
        held += sum(best <= rank <= worst for rank, (best, worst) in enumerate(ranges, 1))
    assert held / (150 * 5) >= 0.94


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.01, 0.03, Verdict.GO),
        (-0.02, 0.0, Verdict.GO),
        (-0.05, -0.03, Verdict.NO_GO),
        (-0.05, 0.01, Verdict.INCONCLUSIVE),
        (math.nan, math.nan, Verdict.INCONCLUSIVE),
    ],
)
def test_the_gate_opens_only_where_the_whole_interval_lies_within_the_margin(low, high, said):
    assert verdict(low, high, 0.02) is said


def test_wilsons_interval_is_that_of_the_textbook():
    # Newcombe (1998): 81 of 263 → .2553 … .3662; 0 of 20 → 0 … .1611.
    assert np.ravel(wilson(np.array([81 / 263]), np.array([263.0]))) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert np.ravel(wilson(np.array([0.0]), np.array([20.0]))) == pytest.approx([0.0, 0.1611], abs=5e-5)
