"""What the dashboard's pages ask of the results beyond the common tables.

Every function takes the connection of `connect` and returns a polars table; the ones at the end look at the results
folder itself. Nothing here knows of Streamlit.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.artifacts import Results, safe_name
from mmplat.leaderboard.comparing import find_run, undecided
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.tables import ranking
from mmplat.leaderboard.views import RANKED_BY
from mmplat.metrics.intervals import Z95
from mmplat.statistics import holm

Connection = duckdb.DuckDBPyConnection
BASELINE = "naive"
"""The method that others are compared with."""
PAIRED_ON = {"expected_accuracy": "p_correct", "accuracy": "CAST(correct AS DOUBLE)"}
"""Metrics that are means over samples, so that a difference can be paired; with the column of one sample's share."""
AXES = ("models", "suites", "methods", "decodings")


def axes(connection: Connection, campaign: str) -> pl.DataFrame:
    """axis, name: what has runs, in the order of the grid file; names that the grid lacks come last."""
    found = connection.execute("SELECT grid FROM campaigns WHERE campaign = $name", {"name": campaign}).fetchone()
    grid: dict[str, Any] = json.loads(found[0]) if found and found[0] else {}
    rows: list[tuple[str, str]] = []
    for axis in AXES:
        column = axis.removesuffix("s")
        sql = f"SELECT DISTINCT {column} FROM runs WHERE campaign = $name ORDER BY 1"
        present = [str(row[0]) for row in connection.execute(sql, {"name": campaign}).fetchall()]
        in_grid = [str(each["name"] if isinstance(each, dict) else each) for each in grid.get(axis, [])]
        rank = {name: position for position, name in enumerate(in_grid)}
        rows += [(axis, name) for name in sorted(present, key=lambda name: rank.get(name, len(rank)))]
    return pl.DataFrame(rows, schema={"axis": pl.String, "name": pl.String}, orient="row")


def measured(connection: Connection, campaign: str) -> pl.DataFrame:
    """suite, metric: what was measured on whole suites, the metric of the leaderboard first."""
    return _rows(
        connection,
        """
        SELECT DISTINCT suite, metric FROM metrics JOIN runs USING (run_id)
        WHERE campaign = $campaign AND subset = 'all' ORDER BY suite, metric <> $first, metric
        """,
        campaign=campaign,
        first=RANKED_BY,
    )


def board(connection: Connection, campaign: str, suite: str | None = None, *, metric: str = RANKED_BY) -> pl.DataFrame:
    """The ranking with what a row owes its reader beside the number: failed samples, near ties, device."""
    ranked = ranking(connection, campaign, suite, metric=metric)
    extra = _rows(
        connection,
        "SELECT run_id, origin, n_failed, n_near_ties, device FROM runs WHERE campaign = $name",
        name=campaign,
    )
    return ranked.join(extra, on="run_id", how="left", maintain_order="left")


def skipped(connection: Connection, campaign: str, model: str, suite: str) -> pl.DataFrame:
    """method, seed, cells, reason: the cells of this model and suite that the plan left out."""
    found = connection.execute("SELECT skipped FROM campaigns WHERE campaign = $name", {"name": campaign}).fetchone()
    every = json.loads(found[0]) if found and found[0] else []
    mine = [each for each in every if each["model"] == model and each["suite"] == suite]
    schema = {"method": pl.String, "seed": pl.Int64, "cells": pl.Int64, "reason": pl.String}
    return pl.DataFrame([{name: each.get(name) for name in schema} for each in mine], schema=schema)


def unfinished(connection: Connection, campaign: str, model: str, suite: str) -> pl.DataFrame:
    """method, decoding, seed, status, n_failed, error of the runs that lack samples or failed."""
    return _rows(
        connection,
        """
        SELECT method, decoding, seed, status, n_failed, error FROM runs
        WHERE campaign = $campaign AND model = $model AND suite = $suite AND status <> 'done'
        ORDER BY method, decoding, seed
        """,
        campaign=campaign,
        model=model,
        suite=suite,
    )


def unfinished_of(connection: Connection, campaign: str) -> pl.DataFrame:
    """model, suite, method, decoding, seed, status, n_failed, error of a whole campaign's runs that lack samples or failed."""
    return _rows(
        connection,
        "SELECT model, suite, method, decoding, seed, status, n_failed, error FROM runs "
        "WHERE campaign = $campaign AND status <> 'done' ORDER BY ALL",
        campaign=campaign,
    )


def against_baseline(
    connection: Connection, campaign: str, model: str, suite: str, *, metric: str, decoding: str | None = None
) -> pl.DataFrame:
    """method, decoding, seed, difference, low, high, n, p, p_holm: each cell minus `naive` under the same decoding.

    Paired on the samples that both decided, with a 95 % normal interval clustered by image; p is the normal one of that
    interval, `p_holm` adjusted over all cells of the table: of the pair, or of one decoding of it. Empty for a metric that is
    no mean over samples: a difference of two ratios has no such pairs.
    """
    found = _rows(
        connection,
        f"""
        WITH cells AS (
          SELECT run_id, method, decoding, seed, suite_key FROM runs
          WHERE campaign = $campaign AND model = $model AND suite = $suite AND decoding = coalesce($decoding, decoding)
        ), answered AS (
          SELECT cells.*, sample_id, {PAIRED_ON.get(metric, "CAST(NULL AS DOUBLE)")} AS score
          FROM predictions JOIN cells USING (run_id)
          WHERE predictions.campaign = $campaign AND predictions.model = $model_folder
            AND predictions.suite = $suite_folder
        ), baseline AS (
          SELECT decoding, sample_id, arg_min(score, seed) AS score FROM answered
          WHERE method = $baseline AND score IS NOT NULL GROUP BY decoding, sample_id
        ), clusters AS (
          SELECT method, decoding, seed, cluster, sum(answered.score - baseline.score) AS d, count(*) AS k
          FROM answered JOIN baseline USING (decoding, sample_id)
          JOIN samples ON samples.suite = $suite_folder AND samples.suite_key = answered.suite_key
                      AND samples.sample_id = answered.sample_id
          WHERE method <> $baseline AND answered.score IS NOT NULL GROUP BY ALL
        ), sums AS (
          SELECT method, decoding, seed, sum(d) / sum(k) AS difference, sum(k) AS n, count(*) AS c,
                 sum(d * d) AS dd, sum(d * k) AS dk, sum(k * k) AS kk
          FROM clusters GROUP BY ALL
        ), spread AS (
          SELECT *, {Z95} * sqrt(greatest(dd - 2 * difference * dk + difference ** 2 * kk, 0) * c / nullif(c - 1, 0)) / n
            AS half FROM sums
        )
        SELECT method, decoding, seed, difference, difference - half AS low, difference + half AS high, n
        FROM spread ORDER BY ALL
        """,
        campaign=campaign, model=model, suite=suite, model_folder=safe_name(model), suite_folder=safe_name(suite),
        baseline=BASELINE, decoding=decoding,
    )  # fmt: skip
    return _with_p(found)


def _with_p(found: pl.DataFrame) -> pl.DataFrame:
    """A cell that never differs from `naive` has an interval of no width, and p = 1."""
    p = [_normal_p(*row) for row in found.select("difference", "high").iter_rows()]
    known = iter(holm([one for one in p if one is not None]))
    adjusted = [None if one is None else next(known) for one in p]
    return found.with_columns(pl.Series("p", p, dtype=pl.Float64), pl.Series("p_holm", adjusted, dtype=pl.Float64))


def _normal_p(difference: float | None, high: float | None) -> float | None:
    if difference is None or high is None:
        return None
    error = (high - difference) / Z95
    return math.erfc(abs(difference) / error / math.sqrt(2)) if error > 0 else float(difference == 0)


def verdicts(connection: Connection, run_id: str) -> pl.DataFrame:
    """One row per sample of a run: how it was answered, beside its question and groups; in the order of the suite."""
    run = find_run(connection, run_id)
    model, suite = safe_name(run["model"]), safe_name(run["suite"])
    answered = _rows(
        connection,
        """
        SELECT sample_id, answer, correct, near_tie, p_correct, error FROM predictions
        WHERE campaign = $campaign AND model = $model AND suite = $suite AND run_id = $run_id
        """,
        campaign=run["campaign"], model=model, suite=suite, run_id=run["run_id"],
    )  # fmt: skip
    if answered.is_empty():
        raise undecided(run)
    asked = _rows(
        connection,
        "SELECT sample_id, sample_key, question, groups FROM samples WHERE suite = $suite AND suite_key = $suite_key",
        suite=suite,
        suite_key=run["suite_key"],
    )
    return asked.join(answered, on="sample_id", maintain_order="left")


def verdicts_beside(connection: Connection, run_id: str, other: str) -> pl.DataFrame:
    """`verdicts` of one run with `other_answer`, `other_correct` and `other_p` of another on the samples with equal ids."""
    theirs = verdicts(connection, other).select(
        "sample_id", other_answer="answer", other_correct="correct", other_p="p_correct"
    )
    return verdicts(connection, run_id).join(theirs, on="sample_id", how="left", maintain_order="left")


def cells_of(connection: Connection, campaign: str, suites: list[str]) -> pl.DataFrame:
    """run_id, model, suite, method, decoding, seed of the runs that decided something on one of the suites."""
    return _rows(
        connection,
        """
        SELECT run_id, model, suite, method, decoding, seed FROM runs
        WHERE campaign = $campaign AND list_contains($suites, suite) AND status <> 'failed'
        ORDER BY model, suite, method, decoding, seed
        """,
        campaign=campaign,
        suites=suites,
    )


def runs_beside(connection: Connection, campaign: str, run_id: str) -> pl.DataFrame:
    """change, run_id: runs on samples with the same ids that differ from this one in one thing, `method: vdd-unk` or
    `condition: –`; of several seeds the first."""
    return _rows(
        connection,
        """
        WITH grid AS (SELECT unnest(from_json(json_extract(grid, '$.suites'), '["JSON"]')) AS entry FROM campaigns
                      WHERE campaign = $campaign),
        named AS (SELECT entry ->> '$.name' AS suite, entry ->> '$.condition.name' AS condition FROM grid),
        based AS (SELECT suite, condition, CASE WHEN condition IS NULL THEN suite
                    ELSE left(suite, len(suite) - len(condition) - 1) END AS base FROM named),
        cells AS (SELECT run_id, model, method, decoding, seed, runs.suite, coalesce(base, runs.suite) AS base,
                    coalesce(condition, '–') AS condition
                  FROM runs LEFT JOIN based USING (suite) WHERE campaign = $campaign AND status <> 'failed'),
        mine AS (FROM cells WHERE run_id = $run_id),
        near AS (
          SELECT other.*, [other.condition <> mine.condition, other.method <> mine.method, other.model <> mine.model,
                           other.decoding <> mine.decoding] AS differs
          FROM cells AS other JOIN mine ON other.base = mine.base
        ), changed AS (
          SELECT *, list_position(differs, true) AS place FROM near WHERE len(list_filter(differs, lambda d: d)) = 1
        )
        SELECT ['condition', 'method', 'model', 'decoding'][place] || ': '
               || [condition, method, model, decoding][place] AS change, arg_min(run_id, seed) AS run_id
        FROM changed GROUP BY change, place ORDER BY place, change
        """,
        campaign=campaign,
        run_id=run_id,
    )


def sweep(connection: Connection, campaign: str, suite: str, *, metric: str) -> pl.DataFrame:
    """The ranking of a suite with the settings of each decoding: greedy, temperature, top_k, top_p (null: not set)."""
    found = connection.execute("SELECT grid FROM campaigns WHERE campaign = $name", {"name": campaign}).fetchone()
    known = (json.loads(found[0]) if found and found[0] else {}).get("decodings", [])
    settings = {
        "decoding": pl.String,
        "greedy": pl.Boolean,
        "temperature": pl.Float64,
        "top_k": pl.Int64,
        "top_p": pl.Float64,
    }
    rows = [
        {"decoding": each["name"], **{name: each.get(name) for name in settings if name != "decoding"}}
        for each in known
        if isinstance(each, dict)
    ]
    ranked = ranking(connection, campaign, suite, metric=metric)
    return ranked.join(pl.DataFrame(rows, schema=settings), on="decoding", how="left", maintain_order="left")


def picture(folder: str, name: str) -> NDArray[np.uint8]:
    """An image of a prepared suite; ArtifactError says what to do where it is missing or altered."""
    from mmplat.preparing import load_picture

    return load_picture(Path(folder), name)


def version_of(results: Results) -> tuple[tuple[str, int], ...]:
    """Changes when something is published: names and times of the store's files and of each campaign's folder.

    A folder's time changes with every file renamed into it, so published.json counts for stores that are no file.
    """
    places = [results.store, *sorted({*(results.root / "campaigns").glob("*"), *(p.parent for p in results.plans)})]
    log = results.store.with_name(results.store.name + "-wal")
    if log.exists() and log.stat().st_size:  # a reader makes and removes an empty one
        places.append(log)
    return tuple((str(place), place.stat().st_mtime_ns) for place in places if place.exists())


def newest_first(results: Results, campaigns: list[str]) -> list[str]:
    """Campaigns by the time of their last publishing."""

    def published(campaign: str) -> float:
        marker = results.published(campaign)
        return marker.stat().st_mtime if marker.exists() else 0.0

    return sorted(campaigns, key=lambda campaign: (-published(campaign), campaign))


def planned_only(results: Results) -> list[str]:
    """Campaigns that have a plan in the results folder, published or not."""
    return [plan.parent.name for plan in results.plans]


def _rows(connection: Connection, sql: str, **parameters: Any) -> pl.DataFrame:
    return frame(connection.execute(sql, parameters or None))
