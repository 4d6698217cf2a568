"""Published figures beside measured ones: shown, never ranked.

A paper's number is of other prompts, other decodings and often other samples, so it stands in a table without a rank and
with its source; no difference from it is ever computed.
"""

from __future__ import annotations

import polars as pl

from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.tables import Connection

PAPER = "paper"


def with_references(connection: Connection, ranked: pl.DataFrame, metric: str) -> pl.DataFrame:
    """The ranking with an `origin` for every row, and the published figures of its suites after those of each suite."""
    origins = frame(connection.execute("SELECT run_id, origin FROM runs"))
    measured = ranked.join(origins, on="run_id", how="left", maintain_order="left")
    parts = [
        pl.concat([rows, _figures(connection, str(campaign), str(suite), metric)], how="diagonal_relaxed")
        for (campaign, suite), rows in measured.group_by(["campaign", "suite"], maintain_order=True)
    ]
    table = pl.concat(parts, how="diagonal_relaxed") if parts else measured
    return table if (table["origin"] == PAPER).any() else measured


def _figures(connection: Connection, campaign: str, suite: str, metric: str) -> pl.DataFrame:
    """What papers report of the suite's kind, by the metric; `expected_accuracy` is compared with their `accuracy`."""
    return frame(
        connection.execute(
            """
            SELECT $campaign AS campaign, $suite AS suite, model, method, decoding, metric, value, $origin AS origin,
                   subset, source || ', ' || place AS source, certainty, note
            FROM published_figures
            WHERE metric = $metric
              AND suite IN (SELECT kind FROM suites WHERE campaign = $campaign AND suites.suite = $suite)
            ORDER BY subset, value DESC, model, method
            """,
            {"campaign": campaign, "suite": suite, "metric": metric.removeprefix("expected_"), "origin": PAPER},
        )
    )
