"""The leaderboard as one HTML file for reports: tables, and every interval as a figure. No script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

import polars as pl

from mmplat.leaderboard.formats import cell, with_interval

WIDTH, HEIGHT = 160, 12
SHOWN, LONGEST = 15, 500
"""Rows of a table that stand open, and that the page holds at all; all of them are in the CSV file."""
STYLE = (
    ":root{color-scheme:light dark;--line:#8884;--ink:#357}@media(prefers-color-scheme:dark){:root{--ink:#8bd}}"
    "body{font:14px/1.45 sans-serif;margin:2em auto;max-width:1200px;padding:0 1em}h2{margin:2em 0 .5em}"
    "nav ul{columns:18em;padding-left:1.2em}nav li{overflow-wrap:anywhere}a,summary{color:var(--ink)}summary{cursor:pointer}"
    "table{border-collapse:collapse;display:block;overflow-x:auto;margin:.5em 0}"
    "td,th{padding:.15em .7em;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%;background:#fff}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for the page: nothing that is not inside it."""
SHARES = {"unparsed"}
"""Numbers that are read in percent."""
Section = tuple[str, str]
"""A heading, and the HTML below it."""


def page(title: str, lead: str, sections: list[Section]) -> str:
    """`lead` is HTML that stands first; then a list of the sections, and the sections."""
    contents = "".join(f'<li><a href="#{at}">{escape(heading)}</a></li>' for at, (heading, _) in enumerate(sections))
    whole = "".join(f'<h2 id="{at}">{escape(heading)}</h2>{body}' for at, (heading, body) in enumerate(sections))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1>{lead}<nav><ul>{contents}</ul></nav>{whole}</html>\n"
    )


def ranking(ranked: pl.DataFrame) -> list[Section]:
    """The ranking inside each suite."""
    dropped: list[str] = [name for name in ("campaign", "metric", "run_id", "suite") if name in ranked.columns]
    dropped += ["seed"] if "seed" in ranked.columns and ranked["seed"].n_unique() == 1 else []
    suites = ranked.group_by("suite", maintain_order=True)
    return [(str(suite), table(rows.drop(dropped))) for (suite,), rows in suites]


def table(rows: pl.DataFrame, *, draw: bool = True) -> str:
    """A table; where rows have an interval, it stands as text beside their value and is drawn behind it (`draw`: they lie
    between 0 and 1). The first rows stand open, the others are folded."""
    shown = rows.head(LONGEST)
    has_ends = {"value", "low", "high"} <= set(rows.columns)
    drawn = draw and has_ends
    texts = with_interval(shown) if has_ends else shown
    figures = [_interval(*numbers) for numbers in shown.select("value", "low", "high").iter_rows()] if drawn else []
    head = "".join(
        f"<th{_right(kind)}>{escape(name.replace('_', ' '))}</th>{'<th></th>' if drawn and name == 'value' else ''}"
        for name, kind in texts.schema.items()
    )
    body = [
        f"<tr>{_cells(row, texts.schema, figures[at] if drawn else '')}</tr>"
        for at, row in enumerate(texts.iter_rows(named=True))
    ]
    rest = f"<p>… and {rows.height - LONGEST:,} more rows</p>" if rows.height > LONGEST else ""
    return _folded(f"<tr>{head}</tr>", body) + rest


def _folded(head: str, body: list[str]) -> str:
    first, others = body[:SHOWN], body[SHOWN:]
    opened = f"<table>{head}{''.join(first)}</table>"
    if not others:
        return opened
    return (
        f"{opened}<details><summary>{len(others):,} more rows</summary><table>{head}{''.join(others)}</table></details>"
    )


def _right(kind: pl.DataType) -> str:
    return ' class="n"' if kind.is_numeric() else ""


def _cells(row: dict[str, Any], schema: pl.Schema, figure: str) -> str:
    return "".join(
        f"<td{_right(schema[name])}>{escape(_said(name, value))}</td>{figure if name == 'value' else ''}"
        for name, value in row.items()
    )


def _said(name: str, value: Any) -> str:
    """Numbers as people read them; the CSV file has all of their digits."""
    if isinstance(value, float):
        return f"{value:.1%}" if name in SHARES else f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else cell(value)


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    """A line from low to high with a dot at the value; metrics of the platform lie between 0 and 1."""
    if value is None:
        return "<td></td>"
    middle = HEIGHT / 2
    ends = [value if end is None else end for end in (low, high)]
    at = [round(WIDTH * min(max(number, 0.0), 1.0), 1) for number in (value, *ends)]
    return (
        f'<td><svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{value:.3f}">'
        f'<line x1="0" x2="{WIDTH}" y1="{middle}" y2="{middle}" stroke="#8886"/>'
        f'<line x1="{at[1]}" x2="{at[2]}" y1="{middle}" y2="{middle}" stroke="var(--ink)" stroke-width="3"/>'
        f'<circle cx="{at[0]}" cy="{middle}" r="4" fill="var(--ink)"/></svg></td>'
    )
