"""Two cells side by side, as tables that a page can draw: where they differ, on which samples, and over all suites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from mmplat.errors import MmplatError
from mmplat.leaderboard.comparing import Comparison, Difference, compare, group_columns
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.tables import Connection
from mmplat.statistics import holm

PARTS_DRAWS = 2_000
"""Resamples for the parts of a comparison (groups, bins, suites): their p-values are known to ± .01 near .05, in a fifth of the
time that the whole takes."""
Cell = tuple[str, str, str]
"""Model, method and decoding."""
DIFFERENCES: dict[str, Any] = {
    "subset": pl.String, "metric": pl.String, "first": pl.Float64, "second": pl.Float64, "difference": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "p": pl.Float64, "n": pl.Int64, "clusters": pl.Int64, "p_holm": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contrast:
    """Second − first on their shared samples."""

    whole: Difference
    fixed: int
    broken: int
    both_right: int
    both_wrong: int
    mcnemar: float
    design_effect: float
    unshared: int
    groups: pl.DataFrame
    """The same difference in every group that the suite reports; `p_holm` is over these groups."""
    confidence: pl.DataFrame
    """The same in bins of the first run's confidence."""
    flips: pl.DataFrame
    """Samples that one answered right and the other wrong."""
    answers: pl.DataFrame
    """first, second, count: from which answer to which."""


def contrast(connection: Connection, first: str, second: str, metric: str) -> Contrast:
    """The two runs of these ids; ConfigError where they share no samples."""
    found = compare(connection, first, second)
    groups = group_columns(connection, found.first)
    columns = list(dict.fromkeys(name for group in groups for name in group.split(",")))
    by_group = tabled(found.by_group(metric, columns, draws=PARTS_DRAWS))
    by_confidence = tabled(found.by_confidence(metric, draws=PARTS_DRAWS))
    right = found.shared.select(both=pl.col("correct_first") & pl.col("correct_second"))["both"].sum()
    return Contrast(
        whole=found.overall(metric), fixed=found.fixed, broken=found.broken, both_right=int(right),
        both_wrong=found.shared.height - found.fixed - found.broken - int(right), mcnemar=found.mcnemar,
        design_effect=found.design_effect, unshared=found.unshared, groups=by_group,
        confidence=by_confidence, flips=found.flips(), answers=_answers(found),
    )  # fmt: skip


def tabled(differences: Iterable[Difference]) -> pl.DataFrame:
    return pl.DataFrame([asdict(one) for one in differences], schema=DIFFERENCES)


def _answers(found: Comparison) -> pl.DataFrame:
    named = found.shared.select(
        first=pl.col("answer_first").fill_null("no label"), second=pl.col("answer_second").fill_null("no label")
    )
    return named.group_by("first", "second").agg(count=pl.len().cast(pl.Int64)).sort("first", "second")


def over_suites(connection: Connection, campaign: str, first: Cell, second: Cell, metric: str) -> pl.DataFrame:
    """The difference of two cells on every suite that both decided, `subset` being the suite; `p_holm` is over suites.

    A suite whose samples they do not share has no row. Without seeds: where a cell has several, the first speaks.
    """
    rows = []
    for suite, one, other in _pairs(connection, campaign, first, second):
        try:
            rows.append(replace(compare(connection, one, other).overall(metric, draws=PARTS_DRAWS), subset=suite))
        except MmplatError:  # failed, or of two versions of the suite: the page of the suite itself says which
            continue
    return tabled(replace(row, p_holm=p) for row, p in zip(rows, holm([row.p for row in rows]), strict=True))


def _pairs(connection: Connection, campaign: str, first: Cell, second: Cell) -> list[tuple[str, str, str]]:
    found = frame(
        connection.execute(
            """
            WITH mine AS (
              SELECT suite, model, method, decoding, arg_min(run_id, seed) AS run_id FROM runs
              WHERE campaign = $campaign AND status <> 'failed' GROUP BY ALL
            )
            SELECT suite, one.run_id, other.run_id AS other_id FROM mine AS one JOIN mine AS other USING (suite)
            WHERE (one.model, one.method, one.decoding) = ($m1, $k1, $d1)
              AND (other.model, other.method, other.decoding) = ($m2, $k2, $d2) ORDER BY suite
            """,
            {"campaign": campaign, "m1": first[0], "k1": first[1], "d1": first[2], "m2": second[0], "k2": second[1],
             "d2": second[2]},
        )
    )  # fmt: skip
    return [(row["suite"], row["run_id"], row["other_id"]) for row in found.to_dicts()]
