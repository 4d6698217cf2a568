import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmplat.metrics import Answered, catalog, summarise
from mmplat.metrics.intervals import cluster_sums, ratio_interval, wilson
from mmplat.metrics.summary import CellAnswers
from mmplat.records import Sample

YES, NO, NEITHER = [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]


def cell(said, gold):
    probs = np.array(said)
    answered = Answered(probs, 1 - probs.sum(axis=1), np.array(gold), np.zeros(len(gold), int))
    return CellAnswers(answered, answered)


def samples(gold, clusters=None, groups=None):
    return [
        Sample(str(i), str(i), (clusters or list(range(len(gold))))[i] if clusters else str(i), "q", (), ("yes", "no"),
               ("yes", "no")[g], (), (groups or [{}] * len(gold))[i])
        for i, g in enumerate(gold)
    ]  # fmt: skip


def values(numbers, subset="all"):
    return {n.metric: n.value for n in numbers if n.subset == subset}


def test_binary_metrics_are_those_of_the_textbook():
    gold = [0, 0, 0, 1, 1, 1]
    said = [YES, YES, NO, YES, NO, NEITHER]
    found = values(summarise([cell(said, gold)], samples(gold), ()))
    assert found["accuracy"] == pytest.approx(3 / 6)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["unparsed"] == pytest.approx(1 / 6)


def test_the_yes_ratio_counts_predictions_not_the_gold():
    # lmms-eval answers .5 here (PEERS: silent error 1).
    gold = [0, 1, 0, 1]
    found = values(summarise([cell([NO] * 4, gold)], samples(gold), ()))
    assert found["yes_ratio"] == 0
    assert found["precision"] is None  # no yes was said: undefined, not zero


def test_expected_accuracy_is_the_mean_probability_of_the_gold_and_its_sd_that_of_one_draw():
    probs = [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]
    gold = [0, 0, 1]
    numbers = values(summarise([cell(probs, gold)], samples(gold), ()))
    assert numbers["expected_accuracy"] == pytest.approx((0.9 + 0.4 + 0.5) / 3)
    assert numbers["expected_accuracy_sd"] == pytest.approx(math.sqrt(0.09 + 0.24 + 0.25) / 3)
    draws = np.random.default_rng(0).random((20_000, 3)) < np.array([0.9, 0.4, 0.5])
    assert draws.mean(axis=1).std() == pytest.approx(numbers["expected_accuracy_sd"], rel=0.02)


def test_groups_and_the_worst_of_them_are_reported():
    gold = [0, 0, 0, 0]
    numbers = summarise(
        [cell([YES, YES, NO, YES], gold)],
        samples(gold, groups=[{"split": "random"}] * 2 + [{"split": "adversarial"}] * 2),
        (("split",),),
    )
    assert values(numbers, "split=random")["accuracy"] == 1
    assert values(numbers, "split=adversarial")["accuracy"] == 0.5
    assert values(numbers, "worst:split")["accuracy"] == 0.5
    assert values(numbers, "worst:split")["unparsed"] == 0
    worst = next(n for n in numbers if n.subset == "worst:split" and n.metric == "accuracy")
    assert worst.n == 2


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_independent_samples_is_wilsons(counts):
    right, n = counts
    hits = np.array([1.0] * right + [0.0] * (n - right))[:, None]
    value, low, high = ratio_interval(hits, np.ones_like(hits), n=n)
    assert value[0] == pytest.approx(right / n)
    assert 0 <= low[0] <= value[0] + 1e-12
    assert value[0] <= high[0] + 1e-12 <= 1 + 1e-12
    if n > 30 and 0 < right < n:
        plain = wilson(np.array([right / n]), np.array([n * 1.0]))
        assert (low[0], high[0]) == pytest.approx((plain[0][0], plain[1][0]), abs=0.005)


def test_questions_about_one_image_widen_the_interval():
    rng = np.random.default_rng(1)
    image_is_easy = rng.random(50) < 0.7
    hits = np.repeat(image_is_easy, 6).astype(float)[:, None]
    apart = ratio_interval(hits, np.ones_like(hits), n=300)
    together = cluster_sums(hits, np.repeat(np.arange(50), 6), 50)
    clustered = ratio_interval(together, np.full_like(together, 6.0), n=300)
    assert clustered[0] == pytest.approx(apart[0])
    assert (clustered[2] - clustered[1])[0] > 2 * (apart[2] - apart[1])[0]


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    n_clusters, size, repeats = 80, 5, 600
    ease = rng.beta(4, 2, (repeats, n_clusters, 1))
    hits = (rng.random((repeats, n_clusters, size)) < ease).sum(axis=2).astype(float).T  # (cluster, repeat)
    _, low, high = ratio_interval(hits, np.full_like(hits, size), n=n_clusters * size)
    covered = ((low <= 4 / 6) & (high >= 4 / 6)).mean()
    assert 0.925 <= covered <= 0.98


def test_a_precision_is_worth_its_yes_answers_and_not_all_that_was_asked():
    gold = [0] * 250 + [1] * 250
    numbers = summarise([cell([YES] + [NO] * 499, gold)], samples(gold), ())
    precision = next(n for n in numbers if n.metric == "precision")
    assert (precision.value, precision.high) == (1, 1)
    assert precision.low == pytest.approx(wilson(np.array([1.0]), np.array([1.0]))[0][0])


def test_a_group_that_is_all_right_is_worth_its_own_samples():
    for size in (3, 20):
        inside = np.array([1.0] * size + [0.0] * (400 - size))[:, None]
        value, low, _ = ratio_interval(inside, inside, n=400)
        assert (value[0], low[0]) == (1, pytest.approx(wilson(np.array([1.0]), np.array([float(size)]))[0][0]))


def test_a_mean_over_groups_is_worth_little_where_one_group_is_small():
    """All of 3 and all of 300 right: each group counts once, so it is the three that say how sure the mean is."""
    sizes = {"rare": 3, "common": 300}
    groups = [{"type": kind} for kind, size in sizes.items() for _ in range(size)]
    gold = [0] * len(groups)
    numbers = summarise([cell([YES] * len(gold), gold)], samples(gold, groups=groups), (), named=["macro_accuracy"])
    macro = next(n for n in numbers if n.metric == "macro_accuracy")
    assert (macro.value, macro.high) == (1, 1)
    assert macro.low == pytest.approx(wilson(np.array([1.0]), np.array([round(4 / (1 / 3 + 1 / 300))]))[0][0])


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.7, 0.7310585786])
def test_equal_probabilities_are_no_certainty_whatever_rounding_makes_of_their_sum(probability):
    for n in (300, 500, 777):
        hits = np.full((n, 1), probability)
        _, low, high = ratio_interval(hits, np.ones_like(hits), n=n)
        plain = wilson(np.array([probability]), np.array([float(n)]))
        assert (low[0], high[0]) == pytest.approx((plain[0][0], plain[1][0]))


def test_an_undefined_metric_is_none_and_never_zero():
    gold = [1, 1]
    numbers = summarise([cell([NO, NO], gold)], samples(gold), ())
    assert values(numbers)["f1"] is None


@pytest.mark.parametrize("name", list(catalog))
def test_every_metric_lies_between_zero_and_one(name):
    rng = np.random.default_rng(3)
    probs = rng.dirichlet(np.ones(3), 40)[:, :2]
    gold = rng.integers(0, 2, 40)
    for number in summarise([cell(probs, gold)], samples(gold.tolist()), ()):
        if number.metric.removeprefix("expected_") == name:
            assert 0 <= number.value <= 1
            assert number.low <= number.value <= number.high
