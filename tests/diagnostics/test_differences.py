"""Paired intervals: numbers known by hand, and how often they hold the truth."""

import numpy as np
import pytest

from mmplat.diagnostics.differences import estimate, ratio


def test_a_difference_of_two_shares_is_near_agresti_and_mins_interval():
    n, only_one, only_two = 100, 12, 4
    one = np.array([1.0] * only_one + [0.0] * only_two + [1.0] * (n - only_one - only_two))[:, None]
    two = np.array([0.0] * only_one + [1.0] * only_two + [1.0] * (n - only_one - only_two))[:, None]
    ones, cluster = np.ones((n, 1)), np.arange(n)
    value, low, high = estimate(one, ones, cluster).minus(estimate(two, ones, cluster))
    b, c = only_one + 0.5, only_two + 0.5
    half = 1.96 * np.sqrt(b + c - (b - c) ** 2 / (n + 2)) / (n + 2)
    assert value[0] == pytest.approx(0.08)
    assert (high - low)[0] / 2 == pytest.approx(half, rel=0.03)


def test_two_runs_that_answer_alike_differ_by_nothing_within_an_interval_of_some_width():
    same = np.random.default_rng(0).integers(0, 2, (50, 1)).astype(float)
    one = estimate(same, np.ones((50, 1)), np.arange(50))
    value, low, high = one.minus(one)
    assert value[0] == 0
    assert (high - low)[0] / 2 == pytest.approx(1.96 / 50, rel=1e-3)


def test_a_rate_of_few_samples_is_as_unsure_as_they_are_few():
    """Both right on five of five hundred, and both led astray on the same two: one more sample would move 1/5 and not 1/500."""
    below = np.array([1.0] * 5 + [0.0] * 495)[:, None]
    above = np.array([1.0] * 2 + [0.0] * 498)[:, None]
    one = estimate(above, below, np.arange(500))
    value, low, high = one.minus(one)
    assert value[0] == 0
    assert (high - low)[0] / 2 == pytest.approx(1.96 / 5, rel=1e-3)


def test_one_cluster_alone_has_no_interval():
    one = estimate(np.ones((30, 1)), np.ones((30, 1)), np.zeros(30))
    assert one.value[0] == 1
    assert np.isnan(one.interval[1:]).all()
    assert np.isnan(one.minus(one)[1:]).all()


def test_what_two_cells_share_cancels():
    """Runs that differ in one sample of a hundred are told apart better than two independent runs would be."""
    rng = np.random.default_rng(1)
    one = rng.integers(0, 2, (400, 1)).astype(float)
    two = one.copy()
    two[:8] = 1 - two[:8]
    ones, cluster = np.ones_like(one), np.arange(400)
    first, second = estimate(one, ones, cluster), estimate(two, ones, cluster)
    _, low, high = first.minus(second)
    apart = 1.96 * np.sqrt((first.errors**2).sum() + (second.errors**2).sum())
    assert (high - low)[0] / 2 < 0.3 * apart


def clustered(rng, images, questions, repeats):
    """Two dependent 0/1 answers to questions whose ease varies by image (sample, repeat), and the images."""
    ease = np.repeat(rng.beta(4, 2, (images, repeats)), questions, axis=0)
    first = rng.random(ease.shape) < ease
    second = np.where(rng.random(ease.shape) < 0.7, first, rng.random(ease.shape) < ease * 0.9)
    return first.astype(float), second.astype(float), np.repeat(np.arange(images), questions)


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says():
    one, two, cluster = clustered(np.random.default_rng(2), 80, 5, 3000)
    ones = np.ones_like(one)
    _, low, high = estimate(one, ones, cluster).minus(estimate(two, ones, cluster))
    truth = (1 - 0.7) * (2 / 3 - 0.9 * 2 / 3)
    assert 0.935 <= ((low <= truth) & (truth <= high)).mean() <= 0.97


def test_fiellers_interval_holds_the_truth_as_often_as_it_says():
    blind, naive, cluster = clustered(np.random.default_rng(3), 80, 5, 3000)
    value, low, high = ratio(blind - 0.25, naive - 0.25, cluster)
    truth = (2 / 3 - 0.25) / (0.7 * 2 / 3 + 0.3 * 0.9 * 2 / 3 - 0.25)
    assert not np.isnan(low).any()
    assert 0.93 <= ((low <= truth) & (truth <= high)).mean() <= 0.97
    assert np.median(value) == pytest.approx(truth, rel=0.02)


def test_a_ratio_over_what_may_be_nothing_has_no_bounds():
    rng = np.random.default_rng(4)
    above, below = rng.normal(0.3, 1, (60, 1)), rng.normal(0, 1, (60, 1))
    _, low, high = ratio(above, below, np.arange(60))
    assert np.isnan(low).all()
    assert np.isnan(high).all()
