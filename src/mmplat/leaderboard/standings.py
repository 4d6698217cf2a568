"""What a leaderboard says beside the rank: who the models are, how low a cell can fall, and what moved since another campaign.

Every function takes the connection of `connect`, or a table that another one gave.
"""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl

from mmplat.leaderboard.pages import board
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.ranges import with_rank_ranges
from mmplat.leaderboard.tables import Connection, is_lowest_first, overall
from mmplat.leaderboard.views import RANKED_BY

CELL = ["model", "method", "decoding"]
ROBUST = "robust = mean over suites of the lowest among: the suite, each of its conditions, the worst group of each"
"""The robust score in words. Groups are those that the suite reports, conditions those that the grid gave it."""
CONTROLS = ("apc-only", "threshold-shift")
"""Methods that are there to be compared with: the mask of the contrastive methods without a contrast, and a moved threshold."""
CONDITION = "@"
"""Between the name of a suite and the condition that it is under."""
PREPARED = (
    "runs JOIN suites ON (suites.campaign, suites.suite, suites.key) = (runs.campaign, runs.suite, runs.suite_key)"
)
BILLIONS = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)[bB](?![A-Za-z0-9])")


def models_of(connection: Connection, campaign: str) -> pl.DataFrame:
    """model, family, size_b: the adapter that the grid names, and the billions of parameters that name or path tell."""
    schema = {"model": pl.String, "family": pl.String, "size_b": pl.Float64}
    rows = [
        (each["name"], each.get("family"), size_of(f"{each['name']} {each.get('path') or ''}"))
        for each in _grid(connection, campaign).get("models", [])
        if isinstance(each, dict)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def methods_of(connection: Connection, campaign: str) -> pl.DataFrame:
    """method, kind, control: what a method is called without its parameters, and whether it is there as a yardstick."""
    rows = [
        (each["name"], each.get("kind") or each["name"], (each.get("kind") or each["name"]) in CONTROLS)
        for each in _grid(connection, campaign).get("methods", [])
        if isinstance(each, dict)
    ]
    return pl.DataFrame(rows, schema={"method": pl.String, "kind": pl.String, "control": pl.Boolean}, orient="row")


def size_of(name: str) -> float | None:
    """Billions of parameters as names tell them: `llava-1.5-7b` → 7; None where they do not."""
    found = BILLIONS.search(name)
    return float(found[1]) if found else None


def conditions_of(connection: Connection, campaign: str) -> pl.DataFrame:
    """suite, base, condition: suites of one base hold the same sample ids; no condition: the suite as it is."""
    rows = []
    for each in _grid(connection, campaign).get("suites", []):
        name = each["name"] if isinstance(each, dict) else each
        condition = (each.get("condition") or {}).get("name") if isinstance(each, dict) else None
        rows.append((name, name.removesuffix(f"{CONDITION}{condition}") if condition else name, condition))
    return pl.DataFrame(rows, schema={"suite": pl.String, "base": pl.String, "condition": pl.String}, orient="row")


def siblings_of(connection: Connection, campaign: str, suite: str) -> pl.DataFrame:
    """suite, condition: the same samples as they are and under every condition, `suite` itself included."""
    every = conditions_of(connection, campaign)
    base = every.filter(pl.col("suite") == suite)["base"].to_list() or [suite]
    return every.filter(pl.col("base") == base[0]).select("suite", "condition")


def standings(
    connection: Connection,
    campaign: str,
    suite: str,
    *,
    metric: str,
    before: str | None = None,
    ranges: bool = False,
) -> pl.DataFrame:
    """The ranking on one suite with origin, family, size, the change since campaign `before`, and the range of each rank: where
    that is cheap, and where `ranges` are asked for."""
    ranked = board(connection, campaign, suite, metric=metric)
    table = with_rank_ranges(connection, ranked, asked_for=ranges)
    table = table.join(models_of(connection, campaign), on="model", how="left", maintain_order="left")
    return table if before is None else with_change(connection, table, campaign, before)


def with_change(connection: Connection, table: pl.DataFrame, campaign: str, before: str) -> pl.DataFrame:
    """`before` and `change` of the same cell in another campaign; null where it had none, or another version of the suite."""
    # Of the preparation that each run was decided on: a campaign may hold two of one suite while it is decided anew.
    ours = _rows(
        connection, f"SELECT run_id, content_id FROM {PREPARED} WHERE runs.campaign = $campaign", campaign=campaign
    )
    earlier = _rows(
        connection,
        f"""
        SELECT runs.suite, model, method, decoding, seed, metric, content_id, value AS before
        FROM {PREPARED} JOIN metrics USING (run_id)
        WHERE runs.campaign = $before AND subset = 'all' AND metric = $metric
        """,
        before=before, metric=table["metric"][0] if table.height else "",
    )  # fmt: skip
    same = ["suite", *CELL, "seed", "metric", "content_id"]
    joined = table.join(ours, on="run_id", how="left", maintain_order="left")
    joined = joined.join(earlier, on=same, how="left", maintain_order="left").drop("content_id")
    return joined.with_columns(change=pl.col("value") - pl.col("before"))


def over_all_suites(
    connection: Connection, campaign: str, metric: str, *, before: str | None = None, by_robust: bool = False
) -> pl.DataFrame:
    """One row per cell: mean over suites, robust score, every suite, cost, family and size; and the change since `before`.

    The change is that of the mean, over suites whose samples are the same in both campaigns; null where one of them differs.
    """
    every = board(connection, campaign, metric=metric)
    summed = every.group_by(CELL).agg(
        pl.col("unparsed").mean(), pl.col("forward_passes", "seconds").sum(), pl.col("origin").first()
    )
    wide = every.pivot(on="suite", index=CELL, values="value", aggregate_function="mean")
    table = overall(connection, campaign, metric)
    for more in (robust(connection, campaign, metric), wide, summed):
        table = table.join(more, on=CELL, how="left", maintain_order="left")
    table = table.join(models_of(connection, campaign), on="model", how="left", maintain_order="left")
    if before is not None:
        changes = (
            with_change(connection, every, campaign, before)
            .group_by(CELL)
            .agg(_whole_mean("change"), _whole_mean("before"))
        )
        table = table.join(changes, on=CELL, how="left", maintain_order="left")
    if by_robust:
        down = not is_lowest_first(metric)
        rank = pl.when(pl.col("suites_missing") == 0).then(pl.col("robust")).rank("min", descending=down)
        table = table.with_columns(rank=rank.cast(pl.Int64)).sort("rank", *CELL, nulls_last=True)
    return table


def _whole_mean(name: str) -> pl.Expr:
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).mean()).otherwise(None).alias(name)


def origins_of(connection: Connection, campaign: str) -> list[str]:
    """`measured`, `imported`: where the runs of a campaign come from."""
    sql = "SELECT DISTINCT origin FROM runs WHERE campaign = $campaign AND origin IS NOT NULL ORDER BY 1"
    return [str(name) for name in _rows(connection, sql, campaign=campaign)["origin"]]


def robust(connection: Connection, campaign: str, metric: str = RANKED_BY) -> pl.DataFrame:
    """model, method, decoding, robust, weakest: how low a cell falls on average over suites, and where it falls lowest.

    See `ROBUST`. The lowest of several noisy numbers is biased low, the more so the smaller the groups: compare rows, and
    read no single one as an accuracy. Of a metric of which little is good it is the highest.
    """
    sign = -1 if is_lowest_first(metric) else 1
    parts = _rows(
        connection,
        """
        SELECT model, method, decoding, suite, subset, avg(value) AS value FROM metrics JOIN runs USING (run_id)
        WHERE campaign = $campaign AND metric = $metric AND (subset = 'all' OR starts_with(subset, 'worst:'))
          AND value IS NOT NULL GROUP BY ALL
        """,
        campaign=campaign,
        metric=metric,
    ).join(conditions_of(connection, campaign), on="suite", how="left")
    parts = parts.with_columns(pl.col("base").fill_null(pl.col("suite")), signed=sign * pl.col("value"))
    where = pl.concat_str(
        "suite", pl.when(pl.col("subset") != "all").then(pl.col("subset")), separator=" ", ignore_nulls=True
    )
    lowest = (
        parts.with_columns(where=where)
        .sort("signed", "where")
        .group_by(*CELL, "base", maintain_order=True)
        .agg(pl.col("value", "signed", "where").first())
    )
    return (
        lowest.sort("signed", "where")
        .group_by(CELL, maintain_order=True)
        .agg(pl.col("value").mean().alias("robust"), pl.col("where").first().alias("weakest"))
    )


def comparable_campaigns(connection: Connection, campaign: str) -> list[str]:
    """Other campaigns that measured one of this campaign's models on one of its suites."""
    found = _rows(
        connection,
        "SELECT DISTINCT other.campaign FROM runs AS other JOIN "
        "(SELECT DISTINCT model, suite FROM runs WHERE campaign = $campaign) USING (model, suite) "
        "WHERE other.campaign <> $campaign ORDER BY 1",
        campaign=campaign,
    )
    return [str(name) for name in found["campaign"]]


def _grid(connection: Connection, campaign: str) -> dict[str, Any]:
    found = connection.execute("SELECT grid FROM campaigns WHERE campaign = $name", {"name": campaign}).fetchone()
    return json.loads(found[0]) if found and found[0] else {}


def _rows(connection: Connection, sql: str, **parameters: Any) -> pl.DataFrame:
    return frame(connection.execute(sql, parameters or None))
