"""The leaderboard as an HTML file: everything on it is shown literally, and nothing is drawn that was not measured."""

import polars as pl
import pytest
from builders import HOSTILE

from mmplat.leaderboard import html

ROW = {
    "campaign": "c", "suite": "s", "rank": 1, "model": "m", "method": "naive", "metric": "accuracy",
    "value": 0.5, "low": 0.0, "high": 0.75, "n": 4, "run_id": "r",
}  # fmt: skip


def page(*rows, campaign="c"):
    table = pl.DataFrame(
        [{**ROW, **row} for row in rows], schema_overrides={"value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    )
    return html.page(campaign, "", [*html.ranking(table), ("Over all suites", html.table(table.select("model")))])


def test_a_name_that_is_markup_is_shown_literally():
    text = page({"model": HOSTILE, "suite": HOSTILE}, campaign=HOSTILE)
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 6  # title, heading, contents, section, and the model in both tables


@pytest.mark.parametrize(
    ("numbers", "drawn"),
    [
        ({}, ['x1="0.0"', 'x2="120.0"', 'cx="80.0"']),
        ({"low": None, "high": None}, ['x1="80.0"', 'x2="80.0"', 'cx="80.0"']),
        ({"value": 1.7, "low": -1.0, "high": 2.0}, ['x1="0.0"', 'x2="160.0"', 'cx="160.0"']),
    ],
)
def test_an_interval_is_drawn_from_its_low_to_its_high_end(numbers, drawn):
    text = page(numbers)
    assert all(part in text for part in drawn)


def test_an_undefined_value_is_not_drawn():
    assert "<svg" not in page({"value": None, "low": None, "high": None})


def test_a_very_long_suite_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(html, "LONGEST", 2)
    text = page({}, {}, {})
    assert text.count("<svg") == 2
    assert "… and 1 more rows" in text


def test_the_first_rows_stand_open_and_the_others_are_folded(monkeypatch):
    monkeypatch.setattr(html, "SHOWN", 2)
    opened, _, folded = page({}, {}, {"model": "the third"}).partition("<details><summary>1 more rows</summary>")
    assert opened.count("<svg") == 2
    assert "the third" in folded


def test_numbers_are_written_as_people_read_them():
    text = html.table(pl.DataFrame({"unparsed": [0.00222], "seconds": [1.17272], "forward_passes": [162000]}))
    for part in ("forward passes", ">0.2%<", ">1.173<", ">162,000<"):
        assert part in text


def test_a_browser_is_told_to_load_nothing_for_the_page():
    assert "default-src 'none'" in page({})


def test_intervals_that_may_leave_the_unit_are_written_and_not_drawn():
    row = pl.DataFrame({"value": [-0.5], "low": [-0.75], "high": [0.25]})
    assert "-0.500 [-0.750, 0.250]" in html.table(row, draw=False)
    assert "<svg" not in html.table(row, draw=False)
