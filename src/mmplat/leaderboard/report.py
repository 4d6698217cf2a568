"""A campaign as one HTML file for people without access: ranking, robust scores, figures of its diagnostics, and what is missing.

No script and nothing from elsewhere: figures are embedded as pictures, which run nothing; everything else is escaped. Nothing of
it depends on when it is made, so two reports of one state of the results are equal.
"""

from __future__ import annotations

import base64
import json
from html import escape

import polars as pl

from mmplat.artifacts import Results
from mmplat.leaderboard import html
from mmplat.leaderboard.formats import with_rank_range
from mmplat.leaderboard.pages import unfinished_of
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.ranges import with_rank_ranges
from mmplat.leaderboard.standings import ROBUST, robust
from mmplat.leaderboard.stored import diagnostic, diagnostics, figures
from mmplat.leaderboard.tables import Connection, campaigns, overall, ranking

CELL = ["model", "method", "decoding"]


def report(connection: Connection, results: Results, campaign: str, metric: str) -> str:
    """The page as text."""
    ranked = ranking(connection, campaign, metric=metric)
    table = with_rank_range(with_rank_ranges(connection, ranked, asked_for=True))
    across = overall(connection, campaign, metric).join(
        robust(connection, campaign, metric), on=CELL, how="left", maintain_order="left"
    )
    first = ["rank", *CELL, "mean_over_suites", "robust"]
    across = across.select(*first, pl.exclude(*first, "suites_missing"), "suites_missing")
    sections = [
        (
            "Over all suites",
            "<p>The plain mean over suites, each counting once. The robust score: "
            f"{escape(ROBUST)}. It has no interval, and the lowest of noisy numbers is biased low.</p>{html.table(across)}",
        ),
        *html.ranking(table),
        *_diagnostics(results, campaign),
        *_missing(connection, campaign),
    ]
    return html.page(campaign, _about(connection, campaign, metric), sections)


def _about(connection: Connection, campaign: str, metric: str) -> str:
    one = campaigns(connection).filter(pl.col("campaign") == campaign).row(0, named=True)
    said = f"{one['runs']:,} runs of {one['planned']:,} planned cells"
    if one["forwards"] and one["forwards_cell_by_cell"]:
        said += f"; {one['forwards']:,} forward passes, cell by cell {one['forwards_cell_by_cell']:,}"
    return (
        f"<p>{said}.</p><p>Ranked by {escape(metric)} inside each suite; the line is the 95 % interval of the run, clustered by "
        "image, from 0 to 1. Ties share a rank; a rank in brackets is the range that it lies in with 95 %.</p>"
    )


def _diagnostics(results: Results, campaign: str) -> list[html.Section]:
    """Each figure with the table that it is drawn from, folded."""
    drawn = figures(results, campaign)
    rows = diagnostics(results, campaign).to_dicts()
    names = [row["diagnostic"] for row in rows]
    sections = []
    for row in rows:
        name = row["diagnostic"]
        made = ", ".join(part for part in (f"version {row['version']}", row["options"], row["git_revision"]) if part)
        own = [_picture(figure, svg) for figure, svg in drawn.items() if _drawn_from(figure, names) == name]
        table = html.table(diagnostic(results, campaign, name), draw=False)
        folded = f"<details><summary>The table: {row['rows']:,} rows</summary>{table}</details>"
        sections.append((name, f"<p>{escape(made)}</p>{''.join(own)}{folded}"))
    return sections


def _drawn_from(figure: str, names: list[str]) -> str | None:
    """The diagnostic that a figure belongs to: the longest name that its own begins with."""
    fits = [name for name in names if figure == name or figure.startswith(f"{name}-")]
    return max(fits, key=len, default=None)


def _picture(name: str, svg: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    return f'<p><img alt="{escape(name)}" src="data:image/svg+xml;base64,{data}"></p>'


def _missing(connection: Connection, campaign: str) -> list[html.Section]:
    """Nothing is left out in silence."""
    found = frame(connection.execute("SELECT skipped FROM campaigns WHERE campaign = $name", {"name": campaign}))
    skipped = pl.DataFrame(json.loads(found["skipped"][0] or "[]"), infer_schema_length=None) if found.height else found
    failed = unfinished_of(connection, campaign)
    titled = {"Skipped by the plan": skipped, "Failed or incomplete runs": failed}
    return [(title, html.table(rows)) for title, rows in titled.items() if not rows.is_empty()]
