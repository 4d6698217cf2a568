"""The leaderboard as one HTML file for reports: tables, and every interval as a figure. No script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

import polars as pl

from mmplat.leaderboard.formats import cell, with_interval

WIDTH, HEIGHT = 160, 12
LONGEST = 500
"""Rows of a suite that the page shows; all of them are in the CSV file."""
STYLE = (
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse;margin-bottom:2em}"
    "td,th{padding:.15em .7em;text-align:left;border-bottom:1px solid #ddd;white-space:nowrap}"
    "table{display:block;overflow-x:auto}img{max-width:100%}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for the page: nothing that is not inside it."""


def page(campaign: str, metric: str, ranked: pl.DataFrame, across: pl.DataFrame, *, more: str = "") -> str:
    """`ranked` is the ranking inside each suite, `across` the one over all of them; `more` is HTML that stands after them."""
    dropped = [name for name in ("campaign", "metric", "run_id", "suite") if name in ranked.columns]
    sections = [
        f"<h2>{escape(str(suite))}</h2>{table(rows.drop(dropped))}"
        for (suite,), rows in ranked.group_by("suite", maintain_order=True)
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(campaign)}</title><style>{STYLE}</style>'
        f"<h1>{escape(campaign)}</h1><p>Ranked by {escape(metric)} inside each suite; the line is the interval of the run, "
        f"from 0 to 1, and ties share a rank.</p>{''.join(sections)}"
        f"<h2>Over all suites</h2><p>The plain mean over suites, each counting once.</p>{table(across)}{more}</html>\n"
    )


def table(rows: pl.DataFrame, *, draw: bool = True) -> str:
    """A table; where rows have an interval, it stands as text beside their value and is drawn behind it (`draw`: they lie
    between 0 and 1)."""
    shown = rows.head(LONGEST)
    has_ends = {"value", "low", "high"} <= set(rows.columns)
    drawn = draw and has_ends
    texts = with_interval(shown) if has_ends else shown
    figures = [_interval(*numbers) for numbers in shown.select("value", "low", "high").iter_rows()] if drawn else []
    head = "".join(
        f"<th>{escape(name)}</th>{'<th></th>' if drawn and name == 'value' else ''}" for name in texts.columns
    )
    body = "".join(
        f"<tr>{_cells(row, figures[at] if drawn else '')}</tr>" for at, row in enumerate(texts.iter_rows(named=True))
    )
    rest = f"<p>… and {rows.height - LONGEST:,} more rows</p>" if rows.height > LONGEST else ""
    return f"<table><tr>{head}</tr>{body}</table>{rest}"


def _cells(row: dict[str, Any], figure: str) -> str:
    return "".join(f"<td>{escape(cell(value))}</td>{figure if name == 'value' else ''}" for name, value in row.items())


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    """A line from low to high with a dot at the value; metrics of the platform lie between 0 and 1."""
    if value is None:
        return "<td></td>"
    middle = HEIGHT / 2
    ends = [value if end is None else end for end in (low, high)]
    at = [round(WIDTH * min(max(number, 0.0), 1.0), 1) for number in (value, *ends)]
    return (
        f'<td><svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{value:.3f}">'
        f'<line x1="0" x2="{WIDTH}" y1="{middle}" y2="{middle}" stroke="#ddd"/>'
        f'<line x1="{at[1]}" x2="{at[2]}" y1="{middle}" y2="{middle}" stroke="#357" stroke-width="3"/>'
        f'<circle cx="{at[0]}" cy="{middle}" r="4" fill="#135"/></svg></td>'
    )
