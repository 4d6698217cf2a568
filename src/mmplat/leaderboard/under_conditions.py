"""One sample as it is and under every condition that its campaign gave it: what was asked, and what a cell answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from mmplat.artifacts import safe_name
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.standings import siblings_of
from mmplat.leaderboard.tables import Connection

SHOWN: Mapping[str, Any] = {
    "suite": pl.String, "condition": pl.String, "question": pl.String, "images": pl.List(pl.String), "folder": pl.String,
    "labels": pl.List(pl.String), "gold": pl.String, "answer": pl.String, "correct": pl.Boolean,
    "probs": pl.List(pl.Float64), "p_other": pl.Float64, "text": pl.String, "run_id": pl.String,
}  # fmt: skip


def under_conditions(
    connection: Connection, campaign: str, suite: str, sample_id: str, *, model: str, method: str, decoding: str
) -> pl.DataFrame:
    """One row per suite of the same base that holds the sample, the suite as it is first; no answer where none was decided."""
    siblings = siblings_of(connection, campaign, suite).sort(pl.col("condition").is_not_null(), maintain_order=True)
    found = [
        _one(connection, campaign, sibling, sample_id, model, method, decoding).with_columns(
            suite=pl.lit(sibling), condition=pl.lit(condition, pl.String)
        )
        for sibling, condition in siblings.iter_rows()
    ]
    empty = pl.DataFrame(schema=SHOWN)
    return pl.concat([empty, *[rows.select(empty.columns).cast(empty.schema) for rows in found]])


def _one(
    connection: Connection, campaign: str, suite: str, sample_id: str, model: str, method: str, decoding: str
) -> pl.DataFrame:
    # A filter on the folder's name opens only the files of the pair.
    return frame(
        connection.execute(
            """
            WITH run AS (
              SELECT arg_min(run_id, seed) AS run_id, arg_min(suite_key, seed) AS suite_key FROM runs
              WHERE campaign = $campaign AND suite = $suite AND model = $model AND method = $method AND decoding = $decoding
                AND status <> 'failed'
            ), answered AS (
              SELECT sample_id, run_id, answer, correct, probs, p_other, text FROM predictions
              WHERE campaign = $campaign AND model = $model_folder AND suite = $suite_folder AND sample_id = $sample
                AND run_id = (SELECT run_id FROM run)
            )
            SELECT question, images, folder, labels, gold, answer, correct, probs, p_other, text, run_id
            FROM samples LEFT JOIN answered USING (sample_id)
            WHERE suite = $suite_folder AND sample_id = $sample
              AND suite_key = coalesce((SELECT suite_key FROM run), (SELECT max(key) FROM suites
                                       WHERE campaign = $campaign AND suites.suite = $suite))
            """,
            {"campaign": campaign, "suite": suite, "sample": sample_id, "model": model, "method": method,
             "decoding": decoding, "model_folder": safe_name(model), "suite_folder": safe_name(suite)},
        )
    )  # fmt: skip
