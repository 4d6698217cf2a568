"""The gap between groups: an interval that knows that the largest and the smallest were picked."""

import numpy as np
import pytest

from mmplat.metrics._gap import gap_interval


def right(shares, n, trials=1, seed=1):
    """Ratios of independent 0/1 samples per group; a column per trial."""
    rng = np.random.default_rng(seed)
    return [((rng.random((n, trials)) < share).astype(float), np.ones((n, trials))) for share in shares]


@pytest.mark.parametrize(
    "shares",
    [[0.6] * 9, np.linspace(0.3, 0.9, 9), [0.6] * 8 + [0.3], [0.98] * 8 + [0.9]],
    ids=["all alike", "spread", "one worse", "near 1"],
)
def test_the_interval_holds_the_true_gap(shares):
    true = max(shares) - min(shares)
    value, low, high = gap_interval(right(shares, 100, trials=200))
    assert ((low <= true) & (true <= high)).mean() > 0.9
    assert (low <= value).all()
    assert (value <= high).all()
    assert value.mean() > true  # what the interval allows for


def test_groups_that_are_alike_may_have_no_gap_whatever_noise_shows():
    value, low, _ = gap_interval(right([0.5] * 9, 40, trials=100))
    assert value.mean() > 0.15
    assert (low == 0).mean() > 0.9


def test_clustered_samples_are_worth_less():
    images = np.stack([np.arange(30) < 6, np.arange(30) < 24], axis=1).astype(float)
    one = [(4 * images[:, [group]], np.full((30, 1), 4.0)) for group in (0, 1)]  # four equal answers to each image
    many = [(np.repeat(images[:, [group]], 4, axis=0), np.ones((120, 1))) for group in (0, 1)]
    (value, _, high), (_, _, sure) = gap_interval(one), gap_interval(many)
    assert high - value > 1.5 * (sure - value)


def test_one_group_has_no_gap_to_measure_and_an_empty_one_leaves_it_undefined():
    value, low, _ = gap_interval(right([0.5], 20))
    assert value[0] == 0
    assert np.isnan(low[0])
    value, low, _ = gap_interval([*right([0.5], 20), (np.zeros((20, 1)), np.zeros((20, 1)))])
    assert np.isnan(value[0])
    assert np.isnan(low[0])
