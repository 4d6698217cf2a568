"""The static report: complete in itself, escaped, with the figures of the diagnostics, and the same every time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from builders import HOSTILE
from typer.testing import CliRunner

from mmplat import leaderboard
from mmplat.artifacts import Results
from mmplat.cli.app import app as mmplat
from mmplat.leaderboard.report import report
from mmplat.leaderboard.stored import figures


def made_report(results: Results) -> str:
    connection = leaderboard.connect(results)
    try:
        return report(connection, results, "demo", "expected_accuracy")
    finally:
        connection.close()


def test_a_report_holds_the_ranking_the_figures_and_what_was_skipped(made: Results) -> None:
    text = made_report(made)
    assert text == made_report(made)
    assert text.count("data:image/svg+xml;base64,") == len(figures(made, "demo"))
    for part in (
        "world-objects@cue-gold",
        "Skipped by the plan",
        "would repeat seed 0",
        "The robust score",
        "interference",
    ):
        assert part in text
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    assert "<script" not in text


def test_a_report_of_hostile_figures_and_names_runs_nothing(mine: Results) -> None:
    svg = mine.diagnostic("demo", "lean", "svg")
    svg.write_text(
        svg.read_text(encoding="utf-8").replace("<rect", f"<text>{HOSTILE}</text><rect", 1), encoding="utf-8"
    )
    assert "<script" not in made_report(mine)


def test_the_command_writes_where_it_is_told(made: Results, tmp_path: Path) -> None:
    output = tmp_path / "page.html"
    done = CliRunner().invoke(mmplat, ["report", "demo", "--output", str(output), "--results", str(made.root)])
    assert done.exit_code == 0
    assert output.read_text(encoding="utf-8") == made_report(made)
    assert CliRunner().invoke(mmplat, ["report", "dmo", "--results", str(made.root)]).exception is not None


@pytest.mark.browser
def test_a_report_is_read_in_a_browser_without_a_request(
    chromium: Any, made: Results, pictures: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(made_report(made), encoding="utf-8")
    context = chromium.new_context(viewport={"width": 1280, "height": 2400})
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    page.screenshot(path=str(pictures / "report-1280.png"))
    context.close()
