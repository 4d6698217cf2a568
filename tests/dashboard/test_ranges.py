"""Ranges of ranks on the leaderboard: there at once where they are cheap, behind a switch where they are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmplat.artifacts import Results

App = Callable[..., Any]
SWITCH = "Ranges of ranks"


def columns(test: Any) -> set[str]:
    return set(test.dataframe[0].value.columns)


def test_ranges_of_a_small_suite_are_there_without_a_question(app: App, made: Results) -> None:
    test = app(made, suite="world-objects")
    assert "ranks" in columns(test)
    assert not [one for one in test.toggle if one.label.startswith(SWITCH)]


def test_ranges_of_many_predictions_are_asked_for_and_stay_in_the_address(
    app: App, made: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = app(made, suite="world-objects").dataframe[0].value["ranks"].to_list()
    monkeypatch.setattr("mmplat.leaderboard.ranges.CHEAP", 100)
    test = app(made, suite="world-objects", metric="accuracy")  # a metric that nobody has looked at yet
    assert "ranks" not in columns(test)
    switch = next(one for one in test.toggle if one.label.startswith(SWITCH))
    assert "1,620 predictions" in switch.label
    switch.set_value(True).run()
    assert "ranks" in columns(test)
    assert len(test.dataframe[0].value["ranks"]) == len(expected)
    assert test.query_params["ranges"] == "yes"


def test_a_metric_without_ranges_has_no_switch(app: App, made: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmplat.leaderboard.ranges.CHEAP", 100)
    test = app(made, suite="world-objects", metric="f1")
    assert not [one for one in test.toggle if one.label.startswith(SWITCH)]
    assert not test.error
