"""What each method gains over `naive`, and at what cost."""

from __future__ import annotations

import polars as pl

from mmplat.leaderboard.pages import BASELINE, against_baseline
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.standings import methods_of
from mmplat.leaderboard.tables import Connection, grid


def gains(connection: Connection, campaign: str, model: str, suite: str, decoding: str, *, metric: str) -> pl.DataFrame:
    """One row per method under one decoding, `naive` included: gain with interval and p, control, forward passes per sample.

    `front`: no other method that is no control gains as much for fewer passes. Of several seeds the first speaks. `p_holm` is
    over the methods of this table.
    """
    paired = against_baseline(connection, campaign, model, suite, metric=metric, decoding=decoding).drop("decoding")
    cells = grid(connection, campaign, model, suite, metric).filter(pl.col("decoding") == decoding).drop("low", "high")
    first = cells.sort("method", "seed").unique("method", keep="first", maintain_order=True).drop("decoding")
    costs = _costs(connection, campaign, model, suite)
    table = (
        first.join(paired.drop("n"), on=["method", "seed"], how="left", maintain_order="left")
        .join(costs, on="run_id", how="left", maintain_order="left")
        .join(methods_of(connection, campaign), on="method", how="left", maintain_order="left")
        .rename({"difference": "gain"})
        .with_columns(
            pl.col("control").fill_null(False), pl.when(pl.col("method") != BASELINE).then("gain").otherwise(0.0)
        )
    )
    return table.with_columns(front=pl.Series(_front(table), dtype=pl.Boolean)).sort(
        "gain", descending=True, nulls_last=True
    )


def _costs(connection: Connection, campaign: str, model: str, suite: str) -> pl.DataFrame:
    return frame(
        connection.execute(
            "SELECT run_id, seconds, forward_passes / nullif(n, 0) AS passes_per_sample FROM runs "
            "WHERE campaign = $campaign AND model = $model AND suite = $suite",
            {"campaign": campaign, "model": model, "suite": suite},
        )
    )


def _front(table: pl.DataFrame) -> list[bool]:
    rows = table.select("gain", "passes_per_sample", "control").rows()
    real = [(gain, cost) for gain, cost, control in rows if not control and None not in (gain, cost)]
    return [
        not control and None not in (gain, cost) and not any(_beats(other, (gain, cost)) for other in real)
        for gain, cost, control in rows
    ]


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] >= other[0] and one[1] <= other[1] and one != other
