"""What people ask of the results, as polars tables: the dashboard, the leaderboard files and the command line share it.

Every function takes the connection of `connect`. Names that do not exist raise UnknownName with the nearest ones.
"""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl

from mmplat.artifacts import safe_name
from mmplat.errors import UnknownName
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.views import RANKED_BY

Connection = duckdb.DuckDBPyConnection


def campaigns(connection: Connection) -> pl.DataFrame:
    """Every campaign: its cells, its runs, and what sharing saved (forwards against forwards_cell_by_cell)."""
    return _rows(
        connection,
        """
        SELECT campaign, any_value(cells) AS cells, any_value(planned) AS planned, count(run_id) AS runs,
               count(run_id) FILTER (status = 'incomplete') AS incomplete,
               count(run_id) FILTER (status = 'failed') AS failed,
               any_value(forwards) AS forwards, any_value(forwards_cell_by_cell) AS forwards_cell_by_cell
        FROM campaigns LEFT JOIN runs USING (campaign) GROUP BY campaign ORDER BY campaign
        """,
    )


def runs(connection: Connection, campaign: str) -> pl.DataFrame:
    """All runs of a campaign, failed ones with their error."""
    check_name(connection, "campaign", campaign)
    return _rows(
        connection,
        "FROM runs WHERE campaign = $campaign ORDER BY model, suite, method, decoding, seed",
        campaign=campaign,
    )


def ranking(
    connection: Connection,
    campaign: str | None = None,
    suite: str | None = None,
    *,
    metric: str = RANKED_BY,
    model: str | None = None,
    top: int | None = None,
) -> pl.DataFrame:
    """The leaderboard by any metric, the best first; `top` keeps ranks up to that one, so ties are never cut apart."""
    for kind, name in (("campaign", campaign), ("suite", suite), ("model", model), ("metric", metric)):
        if name is not None:
            check_name(connection, kind, name)
    return _rows(
        connection,
        """
        FROM leaderboard_by($metric, lowest_first := $lowest_first)
        WHERE campaign = coalesce($campaign, campaign) AND suite = coalesce($suite, suite)
          AND model = coalesce($model, model) AND ($top IS NULL OR rank <= $top)
        ORDER BY campaign, suite, rank NULLS LAST, model, method, decoding, seed
        """,
        metric=metric, lowest_first=is_lowest_first(metric), campaign=campaign, suite=suite, model=model, top=top,
    )  # fmt: skip


def overall(connection: Connection, campaign: str, metric: str = RANKED_BY) -> pl.DataFrame:
    """One row per (model, method, decoding): the plain mean over suites of the metric, each suite counting once.

    A suite's value is the mean over its seeds. A row that lacks a suite which others have is shown without a rank: its
    mean is of other questions. No interval: suites are not a sample of anything.
    """
    check_name(connection, "campaign", campaign)
    check_name(connection, "metric", metric)
    return _rows(
        connection,
        """
        WITH per_suite AS (
          SELECT model, method, decoding, suite, avg(value) AS value, sum(n) AS n
          FROM leaderboard_by($metric) WHERE campaign = $campaign AND value IS NOT NULL
          GROUP BY model, method, decoding, suite
        ), across AS (
          SELECT model, method, decoding, avg(value) AS mean_over_suites, count(*) AS suites,
                 (SELECT count(DISTINCT suite) FROM per_suite) - count(*) AS suites_missing, sum(n)::BIGINT AS n,
                 arg_min(suite, (value * $sign, suite)) AS worst_suite, arg_min(value, value * $sign) AS worst_value
          FROM per_suite GROUP BY model, method, decoding
        )
        SELECT CASE WHEN suites_missing = 0
                 THEN rank() OVER (PARTITION BY suites_missing = 0 ORDER BY mean_over_suites * $sign DESC)
               END AS rank, *
        FROM across ORDER BY rank NULLS LAST, mean_over_suites * $sign DESC, model, method, decoding
        """,
        metric=metric, campaign=campaign, sign=-1 if is_lowest_first(metric) else 1,
    )  # fmt: skip


def grid(connection: Connection, campaign: str, model: str, suite: str, metric: str = RANKED_BY) -> pl.DataFrame:
    """Method × decoding of one model on one suite, one row per cell with its interval."""
    table = ranking(connection, campaign, suite, metric=metric, model=model)
    columns = ["method", "decoding", "seed", "value", "low", "high", "n", "unparsed", "run_id"]
    return table.select(columns).sort("method", "decoding", "seed")


def metrics_of(connection: Connection, run_id: str) -> pl.DataFrame:
    """Every metric of one run, per subset."""
    return _rows(
        connection,
        "SELECT * EXCLUDE (run_id) FROM metrics WHERE run_id = $run_id ORDER BY metric, subset <> 'all', subset",
        run_id=run_id,
    )


def samples(connection: Connection, suite: str, suite_key: str | None = None) -> pl.DataFrame:
    """The prepared samples of a suite, of one preparation where `suite_key` names it."""
    return _rows(
        connection,
        "FROM samples WHERE suite = $suite AND suite_key = coalesce($key, suite_key) ORDER BY suite_key, sample_id",
        suite=safe_name(suite), key=suite_key,
    )  # fmt: skip


def sample(connection: Connection, suite: str, sample_id: str, suite_key: str | None = None) -> pl.DataFrame:
    """One sample: its question, options, gold, and the paths of its images."""
    found = _rows(
        connection,
        """
        SELECT *, list_transform(images, lambda name: folder || '/images/' || name) AS image_paths FROM samples
        WHERE suite = $suite AND sample_id = $sample AND suite_key = coalesce($key, suite_key) ORDER BY suite_key
        """,
        suite=safe_name(suite), sample=sample_id, key=suite_key,
    )  # fmt: skip
    if found.is_empty():
        known = samples(connection, suite, suite_key)["sample_id"].to_list()
        raise UnknownName("sample", sample_id, known[:20], where=f" in suite {suite!r} (the first 20 are listed)")
    return found


def evidence_of(
    connection: Connection, model: str, suite: str, sample_id: str, campaign: str | None = None
) -> pl.DataFrame:
    """What a model says about one sample under every view; `probs` is over the labels alone, in their order.

    Of a `campaign` that came as an archive it is what came with it, else what was asked here.
    """
    found = _rows(
        connection,
        """
        SELECT *, list_transform(label_logits, lambda logit: exp(logit - greatest_) / total_) AS probs
        FROM (SELECT *, list_sum(list_transform(label_logits, lambda logit: exp(logit - greatest_))) AS total_
              FROM (SELECT *, list_max(label_logits) AS greatest_ FROM evidence
                    WHERE model = $model AND suite = $suite AND sample_id = $sample))
        ORDER BY model_key, view <> 'image', view, sample_key
        """,
        model=safe_name(model), suite=safe_name(suite), sample=sample_id,
    ).drop("greatest_", "total_")  # fmt: skip
    with_archive = found.filter(pl.col("archive") == safe_name(campaign or ""))
    return found.filter(pl.col("archive").is_null()) if with_archive.is_empty() else with_archive


def answers(
    connection: Connection, campaign: str, model: str, suite: str, *, sample_id: str | None = None,
    run_id: str | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Predictions with their cell: of one sample across methods and decodings, or of one run across samples."""
    return _rows(
        connection,
        """
        SELECT runs.method, runs.decoding, runs.seed, predictions.* EXCLUDE (campaign, model, suite)
        FROM predictions JOIN runs USING (run_id)
        WHERE predictions.campaign = $campaign AND predictions.model = $model AND predictions.suite = $suite
          AND sample_id = coalesce($sample, sample_id) AND run_id = coalesce($run_id, run_id)
        ORDER BY runs.method, runs.decoding, runs.seed, sample_id
        """,
        campaign=campaign, model=safe_name(model), suite=safe_name(suite), sample=sample_id, run_id=run_id,
    )  # fmt: skip


def is_lowest_first(metric: str) -> bool:
    """Whether a small value is the good one, as the metric itself says; `expected_…` is the same metric on average."""
    from mmplat.metrics import catalog
    from mmplat.suites import catalog as suites

    name = metric.removeprefix("expected_")
    if name in catalog:
        return catalog.get(name).higher_is_better is False
    return any(name in suite.small_is_good for _, suite in suites.items())


def main_metric(connection: Connection, campaign: str | None) -> str:
    """What a campaign is ranked by unless somebody says otherwise: `expected_accuracy`, or where no suite of it has labels
    (captions, judged answers) the measure that most of its runs have."""
    found = _rows(
        connection,
        "SELECT metric, count(*) AS runs FROM metrics JOIN runs USING (run_id) WHERE subset = 'all' AND value IS NOT NULL "
        "AND campaign = coalesce($campaign, campaign) GROUP BY metric ORDER BY runs DESC, metric",
        campaign=campaign,
    )["metric"].to_list()
    return RANKED_BY if RANKED_BY in found or not found else str(found[0])


def check_name(connection: Connection, kind: str, name: str) -> None:
    """Raises UnknownName unless `name` occurs; a metric must have been measured on a whole suite."""
    source = "metrics WHERE subset = 'all'" if kind == "metric" else "campaigns" if kind == "campaign" else "runs"
    known = _rows(connection, f"SELECT DISTINCT {kind} AS name FROM {source}")["name"].to_list()
    if name not in known:
        raise UnknownName(kind, name, known, where=" in the results store")


def _rows(connection: Connection, sql: str, **parameters: Any) -> pl.DataFrame:
    return frame(connection.execute(sql, parameters or None))
