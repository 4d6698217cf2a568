"""How robust a model is in many ways at once, as shares that are 1 where nothing harms it.

An axis is a group of questions (a type of spurious cue), a condition, a cue, or the language prior. What is measured differs from
axis to axis, so a profile compares models on one axis, and no axis with another.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from mmplat.artifacts import Results
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.standings import CONDITION
from mmplat.leaderboard.stored import diagnostic
from mmplat.leaderboard.tables import Connection
from mmplat.leaderboard.views import RANKED_BY

PROFILE: dict[str, Any] = {
    "model": pl.String, "axis": pl.String, "meaning": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "n": pl.Int64,
}  # fmt: skip
MEANINGS = {
    "group": "accuracy in this group of questions",
    "condition": "share of answers that this condition leaves as they are",
    "cue": "share of right answers that stay right under a cue that names a wrong one",
    "prior": "share of what is gained over chance that needs the image (1 − lean)",
}


def groups_of(connection: Connection, campaign: str, suite: str) -> list[str]:
    """The groups that a suite reports, the one with the most values first: types of spurious cues, say."""
    sql = """
        SELECT split_part(subset, '=', 1) AS name, count(DISTINCT subset) AS parts FROM metrics JOIN runs USING (run_id)
        WHERE campaign = $campaign AND suite = $suite AND subset LIKE '%=%' AND NOT contains(subset, ',')
        GROUP BY name ORDER BY parts DESC, name
        """
    return [str(row[0]) for row in connection.execute(sql, {"campaign": campaign, "suite": suite}).fetchall()]


def by_group(
    connection: Connection, campaign: str, suite: str, method: str, decoding: str, *, group: str
) -> pl.DataFrame:
    """Expected accuracy of every model in every value of one group of a suite."""
    found = connection.execute(
        """
        SELECT model, split_part(subset, '=', 2) AS axis, $meaning AS meaning, value, low, high, metrics.n
        FROM metrics JOIN runs USING (run_id)
        WHERE campaign = $campaign AND suite = $suite AND method = $method AND decoding = $decoding AND metric = $metric
          AND starts_with(subset, $group || '=') AND NOT contains(subset, ',') AND value IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY model, subset ORDER BY seed) = 1
        ORDER BY model, subset
        """,
        {"campaign": campaign, "suite": suite, "method": method, "decoding": decoding, "metric": RANKED_BY,
         "meaning": MEANINGS["group"], "group": group},
    )  # fmt: skip
    return frame(found).cast(PROFILE)  # type: ignore[arg-type]


def by_diagnostics(results: Results, campaign: str, method: str) -> pl.DataFrame:
    """What `mmplat diagnose interference`, `misleading` and `lean` left, each turned so that 1 is robust."""
    parts = [
        _harm(diagnostic(results, campaign, "interference"), method, "delta_cp", "condition", ("suite", "condition")),
        _harm(_whole(diagnostic(results, campaign, "misleading")), method, "tf", "cue", ("suite", "cue")),
        _harm(_whole(diagnostic(results, campaign, "lean")), None, "lean", "prior", ("suite", "prior")),
    ]
    return pl.concat([pl.DataFrame(schema=PROFILE), *parts])


def _whole(rows: pl.DataFrame) -> pl.DataFrame:
    if rows.is_empty():
        return rows
    rows = rows.filter((pl.col("subset") == "all") & ~pl.col("suite").str.contains(CONDITION, literal=True))
    return rows if "cue" in rows.columns else rows.with_columns(prior=pl.lit("prior"))


def _harm(rows: pl.DataFrame, method: str | None, harm: str, kind: str, names: tuple[str, str]) -> pl.DataFrame:
    """1 − harm of each named axis; under the first decoding that was diagnosed, and without summaries over conditions."""
    if rows.is_empty():
        return pl.DataFrame(schema=PROFILE)
    if method is not None:
        rows = rows.filter((pl.col("method") == method) & ~pl.col(names[1]).str.starts_with("worst:"))
    first = rows.unique(["model", *names], keep="first", maintain_order=True).drop_nulls(harm)
    kept = {"value": 1 - pl.col(harm), "low": 1 - pl.col(f"{harm}_high"), "high": 1 - pl.col(f"{harm}_low")}
    shares = {name: each.clip(0, 1) for name, each in kept.items()}
    several = first[names[0]].n_unique() > 1 or kind == "prior"
    axis = pl.concat_str(*names, separator=": ") if several else pl.col(names[1])
    return first.select("model", axis=axis, meaning=pl.lit(MEANINGS[kind]), **shares, n=pl.col("n").cast(pl.Int64))
