"""Two runs against each other, on the samples that both decided.

A run is named by its id, by the beginning of it, or by its cell: `model=tiny,suite=pope,method=naive,decoding=greedy`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import polars as pl

from mmplat.artifacts import safe_name
from mmplat.errors import ArtifactError, ConfigError
from mmplat.leaderboard.querying import frame
from mmplat.statistics import Paired, design_effect, holm, mcnemar, paired_bootstrap, sign_flip_test
from mmplat.statistics.paired import DRAWS

Connection = duckdb.DuckDBPyConnection
CELL = ("campaign", "model", "suite", "decoding", "method", "seed")


@dataclass(frozen=True, slots=True)
class Difference:
    """Second − first on one subset: a paired percentile bootstrap and a sign-flip test, both by cluster."""

    subset: str
    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    n: int
    clusters: int
    p_holm: float | None = None
    """p over the family of all groups that are reported; None: no member of a family."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on their shared samples."""

    first: dict[str, Any]
    second: dict[str, Any]
    shared: pl.DataFrame
    """One row per sample: sample_id, cluster, gold, groups, answer_, text_, correct_, p_ and confidence_ of first and second."""
    unshared: int
    """Samples that only one of the two decided."""

    @property
    def fixed(self) -> int:
        return int((~self.shared["correct_first"] & self.shared["correct_second"]).sum())

    @property
    def broken(self) -> int:
        return int((self.shared["correct_first"] & ~self.shared["correct_second"]).sum())

    @property
    def mcnemar(self) -> float:
        return mcnemar(self.fixed, self.broken)

    @property
    def design_effect(self) -> float:
        return design_effect(*self._scores(self.shared, "accuracy"), self.shared["cluster"])

    def flips(self) -> pl.DataFrame:
        """Samples that one answered right and the other wrong, what was broken first."""
        shown = ["change", "sample_id", "gold", "answer_first", "answer_second"]
        changed = self.shared.filter(pl.col("correct_first") != pl.col("correct_second"))
        named = pl.when("correct_second").then(pl.lit("fixed")).otherwise(pl.lit("broken")).alias("change")
        return changed.with_columns(named).select(shown).sort("change", "sample_id")

    def overall(self, metric: str, *, seed: int = 0, draws: int = DRAWS) -> Difference:
        return self._difference(self.shared, "all", metric, seed, draws)

    def by_group(self, metric: str, columns: Sequence[str], *, seed: int = 0, draws: int = DRAWS) -> list[Difference]:
        """Where the difference lies: every value of every group column, with p adjusted over all of them."""
        found = []
        for column in columns:
            value = pl.col("groups").str.json_path_match(f'$["{column}"]').alias("value")
            named = self.shared.with_columns(value).filter(pl.col("value").is_not_null())
            parts = named.partition_by("value", as_dict=True)
            found += [
                self._difference(part, f"{column}={key[0]}", metric, seed, draws) for key, part in sorted(parts.items())
            ]
        return [replace(one, p_holm=p) for one, p in zip(found, holm([one.p for one in found]), strict=True)]

    def by_confidence(self, metric: str, *, bins: int = 5, seed: int = 0, draws: int = DRAWS) -> list[Difference]:
        """Where the difference lies: among answers that the first run was unsure of, or sure of. Bins hold about equally many
        samples; equal confidences are never cut apart, so there may be fewer."""
        known = self.shared.drop_nulls("confidence_first")
        if known.is_empty():
            return []
        number = known["confidence_first"].qcut(bins, allow_duplicates=True, left_closed=True).to_physical()
        parts = known.with_columns(bin=number).sort("confidence_first").partition_by("bin", maintain_order=True)
        found = [self._difference(part, _range_of(part), metric, seed, draws) for part in parts]
        return [replace(one, p_holm=p) for one, p in zip(found, holm([one.p for one in found]), strict=True)]

    def _difference(self, rows: pl.DataFrame, subset: str, metric: str, seed: int, draws: int) -> Difference:
        first, second = self._scores(rows, metric)
        pairs = Paired.of(first, second, rows["cluster"])
        low, high = paired_bootstrap(pairs, seed=seed, draws=draws)
        return Difference(
            subset, metric, float(first.mean()), float(second.mean()), pairs.mean, low, high,
            sign_flip_test(pairs, seed=seed, draws=draws), len(first), len(pairs.size),
        )  # fmt: skip

    @staticmethod
    def _scores(rows: pl.DataFrame, metric: str) -> tuple[Any, Any]:
        column = _score(metric)
        return tuple(rows[f"{column}_{which}"].cast(pl.Float64).to_numpy() for which in ("first", "second"))  # type: ignore[return-value]


def _range_of(rows: pl.DataFrame) -> str:
    confidence = rows["confidence_first"].to_numpy()
    return f"confidence {confidence.min():.2f}–{confidence.max():.2f}"


def _score(metric: str) -> str:
    columns = {"accuracy": "correct", "expected_accuracy": "p"}
    if metric not in columns:
        raise ConfigError(
            f"{metric!r} is no mean over samples, so its differences have no pairs. Allowed: {', '.join(columns)}."
        )
    return columns[metric]


def compare(connection: Connection, first: str, second: str) -> Comparison:
    """The two runs on the samples that both decided; samples are the same where suite and sample id are."""
    runs = (find_run(connection, first), find_run(connection, second))
    one, other = (_answers(connection, run) for run in runs)
    shared = one.join(other, on="sample_id", suffix="_second", maintain_order="left")
    if shared.is_empty():
        suites = " and ".join(sorted({run["suite"] for run in runs}))
        raise ConfigError(
            f"The runs {runs[0]['run_id']} and {runs[1]['run_id']} (on {suites}) decided no sample in common, so there is "
            'nothing to pair. Compare runs on the same suite: mmplat sql "SELECT run_id, model, suite FROM runs".'
        )
    _refuse_other_gold(shared)
    names = {name: f"{name}_first" for name in ("answer", "text", "correct", "p", "confidence")}
    shared = shared.drop("gold_second", "cluster_second", "groups_second").rename(names)
    return Comparison(runs[0], runs[1], shared, one.height + other.height - 2 * shared.height)


def find_run(connection: Connection, name: str) -> dict[str, Any]:
    """The one run that `name` means."""
    cell = _cell(name)
    condition = " AND ".join(f"CAST({column} AS VARCHAR) = ${column}" for column in cell) or "starts_with(run_id, $id)"
    found = frame(connection.execute(f"FROM runs WHERE {condition} ORDER BY ALL", cell or {"id": name})).to_dicts()
    if len(found) == 1:
        return found[0]
    listed = "; ".join(f"{run['run_id']} ({describe(run)})" for run in found[:5])
    if found:
        raise ConfigError(
            f"{name!r} means {len(found)} runs: {listed}{' …' if len(found) > 5 else ''}. Say more of the cell."
        )
    raise ConfigError(
        f"There is no run {name!r} in the results store. A run is named by its id, by the beginning of it, or by its cell, like "
        "model=tiny,suite=pope,method=naive,decoding=greedy (also campaign, seed). `mmplat publish` fills the store; "
        'mmplat sql "SELECT run_id, model, suite, method, decoding FROM runs" lists them.'
    )


def describe(run: dict[str, Any]) -> str:
    return f"{run['campaign']}: {run['model']} × {run['suite']}, {run['method']}, {run['decoding']}, seed {run['seed']}"


def undecided(run: dict[str, Any]) -> ArtifactError:
    """The files hold nothing of a run that the store knows."""
    return ArtifactError(
        f"Run {run['run_id']} ({describe(run)}) has no prediction in the files of its campaign. It failed, or they were "
        "removed: `mmplat decide` makes them again from the stored evidence."
    )


def _cell(name: str) -> dict[str, str]:
    """`column=value,…`; names of methods hold commas and equals signs themselves, in brackets."""
    starts = list(re.finditer(rf"(?:^|,\s*)({'|'.join(CELL)})=", name))
    if not starts or starts[0].start():
        return {}
    ends = [*(start.start() for start in starts[1:]), len(name)]
    return {start[1]: name[start.end() : end] for start, end in zip(starts, ends, strict=True)}


def _answers(connection: Connection, run: dict[str, Any]) -> pl.DataFrame:
    found = connection.execute(
        """
        SELECT sample_id, coalesce(samples.cluster, sample_id) AS cluster, predictions.gold,
               CAST(samples.groups AS VARCHAR) AS groups, answer, text, correct, p_correct AS p,
               list_max(probs) AS confidence
        FROM predictions LEFT JOIN (FROM samples WHERE suite = $suite AND suite_key = $key) AS samples USING (sample_id)
        WHERE run_id = $run_id AND campaign = $campaign AND predictions.model = $model AND predictions.suite = $suite
          AND correct IS NOT NULL
        ORDER BY sample_id
        """,
        {"run_id": run["run_id"], "campaign": run["campaign"], "key": run["suite_key"], "model": safe_name(run["model"]),
         "suite": safe_name(run["suite"])},
    )  # fmt: skip
    table = frame(found)
    if table.is_empty():
        raise undecided(run)
    return table


def _refuse_other_gold(shared: pl.DataFrame) -> None:
    other = shared.filter(pl.col("gold") != pl.col("gold_second"))
    if other.height:
        row = other.to_dicts()[0]
        raise ConfigError(
            f"{other.height} samples have another right answer in the second run, the first of them {row['sample_id']!r} "
            f"({row['gold']!r} and {row['gold_second']!r}): these are two versions of the suite, and not to be compared."
        )


def group_columns(connection: Connection, run: dict[str, Any]) -> list[str]:
    """The groups that the suite of a run reports apart."""
    sql = "SELECT DISTINCT subset FROM metrics WHERE run_id = $id AND subset NOT LIKE 'worst:%' AND subset <> 'all'"
    subsets = [str(row[0]) for row in connection.execute(sql, {"id": run["run_id"]}).fetchall()]
    return sorted({subset.split("=")[0] for subset in subsets})
