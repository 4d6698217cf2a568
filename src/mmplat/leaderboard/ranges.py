"""The ranges that noise leaves to the ranks of a suite: all runs on the same samples, drawn again by cluster."""

from __future__ import annotations

import polars as pl

from mmplat.artifacts import safe_name
from mmplat.leaderboard.pages import PAIRED_ON
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.tables import Connection
from mmplat.statistics import rank_ranges

Range = tuple[int, int]
CHEAP = 500_000
"""Predictions behind a leaderboard up to which its ranks have ranges without being asked for: all of them are read."""
RANGED = 100
"""Ranks of a suite that have a range, each against all runs: every run against every other would take minutes."""


def are_dear(ranked: pl.DataFrame) -> bool:
    """Whether there are ranges, and so many predictions behind them that someone has to ask for them."""
    return int(ranked["n"].sum() or 0) > CHEAP and ranked["metric"].is_in(list(PAIRED_ON)).any()


def with_rank_ranges(connection: Connection, ranked: pl.DataFrame, *, asked_for: bool = False) -> pl.DataFrame:
    """The ranking with `rank_low` and `rank_high`: null behind the first `RANGED` ranks, where the runs of a suite share no
    samples, where the metric is no mean over samples, and where ranges are dear and not `asked_for`."""
    ranges: dict[str, Range] = {}
    for part in ranked.partition_by("campaign", "suite") if asked_for or not are_dear(ranked) else []:
        ranges |= _ranges(connection, part.filter(pl.col("rank").is_not_null()))
    added = {
        name: pl.Series([ranges.get(run, (None, None))[at] for run in ranked["run_id"]], dtype=pl.Int64)
        for at, name in enumerate(("rank_low", "rank_high"))
    }
    before = ranked.columns[: ranked.get_column_index("rank") + 1]
    return ranked.with_columns(**added).select(*before, *added, pl.exclude(*before, *added))


def _ranges(connection: Connection, part: pl.DataFrame) -> dict[str, Range]:
    """By run id; nothing where there is nothing to pair."""
    if part.height < 2 or part["metric"][0] not in PAIRED_ON or part["n"].n_unique() > 1:
        return {}
    best = (part["rank"] <= RANGED).arg_true()
    sums = _sums(connection, part)
    sizes = sums.group_by("cluster", maintain_order=True).agg(
        pl.len(), size=pl.col("size").first(), same=pl.col("size").n_unique() == 1
    )
    if sums.is_empty() or not (sizes["same"] & (sizes["len"] == part.height)).all():
        return {}  # they decided different samples
    scores = sums["score"].to_numpy().reshape(sizes.height, part.height)
    found = rank_ranges(scores, sizes["size"].cast(pl.Float64).to_numpy(), of=best.to_list())
    return dict(zip(part["run_id"].gather(best), found, strict=True))


def _sums(connection: Connection, part: pl.DataFrame) -> pl.DataFrame:
    """cluster, place, score, size: by cluster, and in it the runs in the order of `part`. Clusters are numbered: that is a third
    faster than their names."""
    return frame(
        connection.execute(
            f"""
            WITH cells AS (
              SELECT run_id, suite_key, list_position($runs, run_id) AS place FROM runs WHERE list_contains($runs, run_id)
            ), asked AS (
              SELECT suite_key, sample_id, dense_rank() OVER (ORDER BY cluster) AS cluster FROM samples WHERE suite = $suite
            )
            SELECT cluster, place, CAST(sum({PAIRED_ON[part["metric"][0]]}) AS DOUBLE) AS score, count(*) AS size
            FROM predictions JOIN cells USING (run_id) JOIN asked USING (suite_key, sample_id)
            WHERE campaign = $campaign AND suite = $suite AND correct IS NOT NULL
            GROUP BY cluster, place ORDER BY cluster, place
            """,
            {"campaign": part["campaign"][0], "suite": safe_name(part["suite"][0]), "runs": part["run_id"].to_list()},
        )
    )
