"""Figures of papers: as they were read, beside what was measured, and never ranked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from generate import write_campaign

from mmplat.artifacts import Results
from mmplat.leaderboard import connect, query
from mmplat.store import publish
from mmplat.store.papers import CERTAINTIES, published_figures

Command = Callable[..., Any]


@pytest.fixture
def pope(results: Results) -> Results:
    write_campaign(results, suites=("pope", "world-facts"))
    publish(results, "demo")
    return results


def test_every_figure_is_a_share_with_a_source_a_place_and_how_it_was_read() -> None:
    figures = published_figures()
    key = ("source", "place", "model", "suite", "method", "decoding", "metric", "subset")
    assert len({tuple(one[name] for name in key) for one in figures}) == len(figures) > 300
    assert all(0 < one["value"] < 1 for one in figures)
    assert all(one[name] for one in figures for name in key)
    assert {one["certainty"] for one in figures} == set(CERTAINTIES)
    assert all("within" in one["note"] for one in figures if one["certainty"] == "digitised")


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ({"model": "LLaVA-1.5-7B", "suite": "pope", "method": "vcd", "metric": "f1", "subset": "split=random"}, 0.8716),
        ({"model": "GPT-4o", "suite": "mub", "subset": "cue=explicit, bucket=low"}, 0.2742),
        ({"model": "CogVLM 19B", "suite": "mub", "subset": "cue=implicit, bucket=high"}, 0.9846),
        ({"model": "Qwen2.5-VL-7B", "suite": "mmlu", "subset": "condition=real_image"}, 0.676),
    ],
)
def test_some_figures_as_they_were_printed(figure: dict[str, str], value: float) -> None:
    found = [one["value"] for one in published_figures() if figure.items() <= one.items()]
    assert found == [value]


def test_the_averages_that_a_paper_prints_follow_from_its_rows() -> None:
    """Guards the transcription: the printed mean of the explicit low bucket over all 17 models is 45.85."""
    explicit = [
        one["value"]
        for one in published_figures()
        if one["place"] == "table before tuning" and one["subset"] == "cue=explicit, bucket=low"
    ]
    assert len(explicit) == 17
    assert sum(explicit) / 17 == pytest.approx(0.4585, abs=5e-5)


def test_references_stand_beside_the_measured_rows_and_change_no_rank(pope: Results, mmplat: Command) -> None:
    words = ("leaderboard", "--metric", "accuracy", "--format", "json", "--results", str(pope.root))
    plain = json.loads(mmplat(*words).out)
    beside = json.loads(mmplat(*words, "--references").out)
    measured = [row for row in beside if row["origin"] == "measured"]
    papers = [row for row in beside if row["origin"] == "paper"]
    assert [{name: row[name] for name in plain[0]} for row in measured] == plain
    assert {row["suite"] for row in papers} == {"pope"}
    assert all(row["rank"] is None and row["run_id"] is None and row["source"] and row["certainty"] for row in papers)


def test_the_table_for_people_says_where_a_figure_is_from(pope: Results, mmplat: Command) -> None:
    words = ("leaderboard", "--metric", "f1", "--references", "--results", str(pope.root))
    assert mmplat(*words).code == 2  # nothing here has an f1: references alone are no leaderboard
    said = mmplat("leaderboard", "--references", "--top", "1", "--results", str(pope.root)).out.decode()
    assert "README, table POPE-COCO" in said
    assert "printed" in said
    nothing = mmplat("leaderboard", "--references", "--suite", "world-facts", "--results", str(pope.root))
    assert "No paper's figure is known" in nothing.err


def test_no_ranked_view_holds_a_paper(pope: Results) -> None:
    connection = connect(pope)
    models = set(query(connection, "FROM leaderboard")["model"]) | set(query(connection, "FROM runs")["model"])
    assert models == {"tiny", "tiny-biased"}
    assert query(connection, "FROM published_figures").height == len(published_figures())
    connection.close()
