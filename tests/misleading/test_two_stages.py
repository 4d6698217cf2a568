"""The arithmetic of misleading: the paper's own figures, and cases small enough to count by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmplat.diagnostics.two_stages import Stage, any_of, each_of, led_astray, led_right, macro, mean_rate, rate, share

PRINTED = {  # the paper's rows of averages, low, medium, high
    "explicit": ((45.85, 68.92, 86.79), 67.19),
    "implicit": ((73.56, 80.77, 87.68), 80.67),
    "explicit, tuned": ((4.8, 8.7, 7.4), 6.97),
    "implicit, tuned": ((22.6, 37.8, 37.9), 32.77),
}
ACCURACY = (
    73.38,
    73.27,
    64.93,
    56.63,
    63.94,
    62.59,
    56.94,
    57.64,
    59.05,
    63.65,
    46.67,
    65.76,
    68.63,
    68.48,
    75.09,
    65.17,
    59.48,
)
IMPLICIT = (
    (46.47, 60.23, 71.82, 86.57, 73.41, 82.29, 77.78, 74.19, 77.03, 72.84, 77.08, 69.84, 74.89, 87.63, 61.94, 87.47, 74.72),
    (70.42, 71.83, 81.94, 94.06, 78.80, 85.23, 85.61, 78.05, 79.88, 79.66, 76.22, 79.93, 84.39, 93.38, 78.09, 90.07, 86.09),
    (78.83, 78.03, 84.18, 95.45, 81.82, 92.78, 81.49, 80.76, 78.00, 85.51, 87.24, 85.03, 92.21, 98.46, 87.61, 95.63, 92.68),
)  # fmt: skip
TUNED_LOW = (24.08, 23.60, 29.1, 15.1, 33.2, 49.4, 23.6, 14.7, 30.2, 16.7, 24.1, 18.4)


@pytest.mark.parametrize("name", PRINTED)
def test_the_papers_headlines_are_plain_means_over_levels(name):
    levels, headline = PRINTED[name]
    assert macro(levels) == pytest.approx(headline, abs=0.006)


def test_the_papers_cells_do_not_all_give_its_averages():
    assert macro(ACCURACY) == pytest.approx(63.61, abs=0.006)  # printed: 62.43, the mean of the 12 open models
    assert macro(ACCURACY[5:]) == pytest.approx(62.43, abs=0.006)
    assert [macro(level) for level in IMPLICIT] == pytest.approx(
        [73.89, 81.98, 86.81], abs=0.006
    )  # printed: 73.56, 80.77, 87.68
    assert macro(TUNED_LOW) == pytest.approx(25.18, abs=0.006)  # printed: 22.6


def hard(*answers):
    """1 right, 0 wrong, −1 invalid."""
    said = np.array(answers)
    return Stage((said == 1) * 1.0, (said == 0) * 1.0, (said == -1) * 1.0)


def of(ratio):
    return rate(ratio, np.arange(len(ratio[0])))


def test_the_released_tables_are_counts_over_counts():
    clean = hard(*[1] * 400, *[0] * 122)
    cued = hard(*[0] * 219, *[1] * 181, *[1] * 102, *[0] * 20)
    assert of(share(clean.right))[0] * 100 == pytest.approx(76.63, abs=0.005)  # MiniCPM-v2, low: 400/522
    assert of(led_astray(clean, cued))[0] * 100 == pytest.approx(54.75, abs=0.005)  # 219/400
    assert of(led_right(clean, cued))[0] * 100 == pytest.approx(83.61, abs=0.005)  # 102/122
    assert of(share(hard(*[1] * 464, *[0] * 58).right))[0] * 100 == pytest.approx(88.89, abs=0.005)  # InternVL: 464/522


def test_invalid_answers_are_in_neither_set_and_are_no_flip():
    before, after = hard(1, 1, 1, 1, 0, 0, -1, -1), hard(0, 1, -1, 0, 1, -1, 0, 1)
    above, below = led_astray(before, after)
    assert (above.sum(), below.sum()) == (2, 4)
    above, below = led_right(before, after)
    assert (above.sum(), below.sum()) == (1, 2)


def test_of_two_draws_the_rate_is_what_drawing_them_shows():
    rng = np.random.default_rng(0)
    before, after = (rng.dirichlet([2, 1, 0.3], 200) for _ in range(2))
    exact = of(led_astray(Stage(*before.T), Stage(*after.T)))[0]
    drawn = [[rng.multinomial(4000, p) / 4000 for p in one] for one in (before, after)]
    first, second = (np.array(one) for one in drawn)
    assert (first[:, 0] * second[:, 1]).sum() / first[:, 0].sum() == pytest.approx(exact, abs=0.005)


def test_what_was_not_decided_is_in_no_rate():
    before, after = hard(1, 1, 0), hard(0, 0, 1)
    after = after.at(np.array([0]), np.array([0]), 3)
    above, below = led_astray(before, after)
    assert (above.tolist(), below.tolist()) == ([1, 0, 0], [1, 0, 0])
    assert np.isnan(of(led_right(before, after))).all()


def test_any_of_several_notes_counts_and_one_by_one_they_count_less():
    before, notes = hard(1, 1, 1, 0), [hard(0, 1, 1, 0), hard(1, 1, 0, 1), hard(0, 1, 1, 0)]
    assert of(led_astray(before, any_of(notes)))[0] == pytest.approx(2 / 3)
    assert of(led_astray(before, each_of(notes)))[0] == pytest.approx(3 / 9)
    assert of(led_right(before, any_of(notes)))[0] == 1
    assert of(led_right(before, each_of(notes)))[0] == pytest.approx(1 / 3)


probabilities = st.lists(st.tuples(*(st.floats(0, 1),) * 4), min_size=1, max_size=20)


@given(probabilities)
def test_any_of_rises_with_each_note_and_rates_are_shares(rows):
    before_right, *notes = np.array(rows).T
    before = Stage(before_right, 1 - before_right, np.zeros(len(rows)))
    stages = [Stage(1 - wrong, wrong, np.zeros(len(rows))) for wrong in notes]
    found = [of(led_astray(before, any_of(stages[:k])))[0] for k in (1, 2, 3)]
    if before_right.any():
        assert found == sorted(found) or np.diff(found).min() > -1e-9
        value, low, high = of(led_astray(before, stages[0]))
        assert 0 <= low <= value + 1e-9
        assert value <= high + 1e-9
        assert high <= 1
    else:
        assert np.isnan(found).all()


def test_clusters_that_go_together_widen_the_interval():
    before, after = hard(*[1] * 40), hard(*([0] * 20 + [1] * 20))
    alone = rate(led_astray(before, after), np.arange(40))
    together = rate(led_astray(before, after), np.arange(40) // 10)
    assert alone[0] == together[0] == 0.5
    assert together[2] - together[1] > 1.5 * (alone[2] - alone[1])


def test_the_mean_of_both_rates_has_the_interval_of_both():
    before = hard(*[1] * 50, *[0] * 50)
    after = hard(*[0] * 20, *[1] * 30, *[1] * 10, *[0] * 40)
    both = [led_astray(before, after), led_right(before, after)]
    value, low, high = mean_rate(both, np.arange(100))
    assert value == pytest.approx((0.4 + 0.2) / 2)
    assert low < value < high
    each = [of(one) for one in both]
    assert high - low < max(one[2] - one[1] for one in each)
