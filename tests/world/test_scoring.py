"""Shares, intervals and the arithmetic of answers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mmplat.world import checkpoint_folder
from mmplat.world.evaluation import main, share, table, wilson
from mmplat.world.scoring import Answers
from mmplat.world.vlm import read_card


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


def test_the_command_prints_the_table_and_keeps_it_in_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint_folder("tiny"), folder)
    arguments = ["evaluation", str(folder), "--card", "--seed", "1960", "--n-object", "12", "--n-spurious", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    main()
    assert "objects adversarial: post-hoc" in capsys.readouterr().out
    card = read_card(folder)
    assert card["recipe"] == "tiny"
    assert card["evaluated"]["seed"] == 1960
    assert card["evaluated"]["figures"]["objects random"]["n"] == 12
