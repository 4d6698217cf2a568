"""Shares, intervals and the arithmetic of answers."""

from __future__ import annotations

import numpy as np
import pytest

from mmplat.world.evaluation import share, table, wilson
from mmplat.world.scoring import Answers


def test_wilson_gives_the_textbook_interval() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_a_table_line_carries_value_interval_and_n() -> None:
    line = table([share("hits", [True] * 8 + [False] * 2)]).splitlines()[1]
    assert line.split() == ["hits", "0.800", "0.490", "–", "0.943", "10"]


def test_debiasing_divides_by_what_the_blind_model_says() -> None:
    seen = Answers([np.array([0.6, 0.4])], np.ones(1), np.array([1]))
    blind = Answers([np.array([0.9, 0.1])], np.ones(1), np.array([1]))
    debiased = seen.debiased(blind)
    assert debiased.labels[0] == pytest.approx([1 / 7, 6 / 7])
    assert not seen.right[0]
    assert debiased.right[0]


def test_a_selection_keeps_answers_and_gold_together() -> None:
    answers = Answers([np.array([0.9, 0.1]), np.array([0.2, 0.8])], np.ones(2), np.array([1, 1]))
    assert list(answers.right) == [False, True]
    assert list(answers.where([False, True]).right) == [True]
    assert answers.where([True, False]).confidence == pytest.approx([0.9])
