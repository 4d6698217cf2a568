"""What a diagnostic is, and what is kept of it: a Parquet table that carries its versions, and a figure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mmplat.artifacts import Results, atomic, write_bytes
from mmplat.diagnostics.conditioned import Conditioned
from mmplat.diagnostics.figures import Panel, draw
from mmplat.diagnostics.reading import Measured
from mmplat.errors import ConfigError, IncompatibleCell, MmplatError, UnknownName
from mmplat.metrics import Answered, Metric
from mmplat.metrics import catalog as metrics
from mmplat.metrics.intervals import cluster_sums, ratio_interval
from mmplat.provenance import git_state, packages


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One diagnostic. `version` rises when its numbers move."""

    name: str
    version: int
    measure: Callable[..., pl.DataFrame]
    """(pair, options) → its rows. Raises IncompatibleCell, with the reason, where a pair has nothing to be measured."""
    panels: Callable[[pl.DataFrame], list[Panel]]
    """The rows of one pair → what is drawn of it."""
    x: str = ""
    y: str = ""
    figures: Mapping[str, Callable[[pl.DataFrame], str]] = field(default_factory=dict)
    """Further figures of a whole campaign, by what they are called behind the diagnostic's name: table → SVG."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a diagnostic found in a campaign, and of which pairs it found nothing, and why."""

    table: pl.DataFrame
    skipped: dict[str, str]


def run(diagnostic: Diagnostic, pairs: Sequence[Measured | Conditioned], **options: Any) -> Found:
    """Measures every pair; all of them impossible is an error."""
    tables, skipped = [], dict[str, MmplatError]()
    for pair in pairs:
        try:
            if not pair.closed:
                raise IncompatibleCell("its questions have no labels to answer with")
            rows = diagnostic.measure(pair, **options)
        except (IncompatibleCell, UnknownName) as error:  # what failed on one pair may have been decided on another
            skipped[pair.title] = error
            continue
        names = [pl.lit(pair.pair.model.name).alias("model"), pl.lit(pair.pair.suite.name).alias("suite")]
        tables.append(rows.select(*names, pl.all()))
    if not tables:
        for why in skipped.values():
            if isinstance(why, UnknownName):  # a slip of the pen, and no pair's fault
                raise why
        reasons = "; ".join(f"{title}: {reason}" for title, reason in skipped.items())
        raise ConfigError(f"There is nothing to diagnose for `{diagnostic.name}`. {reasons}.")
    # Relaxed: where no row of a pair has a number, its column has no type either.
    return Found(pl.concat(tables, how="vertical_relaxed"), {title: str(reason) for title, reason in skipped.items()})


def keep(diagnostic: Diagnostic, campaign: str, table: pl.DataFrame, results: Results, **options: Any) -> Path:
    """Writes NAME.parquet, NAME.svg and further figures below the campaign; returns the path of the table."""
    for what, drawn in diagnostic.figures.items():
        write_bytes(results.diagnostic(campaign, f"{diagnostic.name}-{what}", "svg"), drawn(table).encode())
    write_bytes(results.diagnostic(campaign, diagnostic.name, "svg"), figure(diagnostic, table).encode())
    return keep_table(diagnostic.name, diagnostic.version, campaign, table, results, **options)


def keep_table(name: str, version: int, campaign: str, table: pl.DataFrame, results: Results, **options: Any) -> Path:
    """Writes NAME.parquet; what it was made with is in its metadata, under the key `mmplat`."""
    path = results.diagnostic(campaign, name, "parquet")
    revision, dirty = git_state()
    about = {"diagnostic": name, "version": version, "campaign": campaign, "options": options, "versions": packages()}
    about |= {"git_revision": revision, "git_dirty": dirty}
    with atomic(path) as temporary:
        arrow = table.to_arrow().replace_schema_metadata({"mmplat": json.dumps(about, sort_keys=True)})
        pq.write_table(arrow, temporary, compression="zstd")
    return path


def figure(diagnostic: Diagnostic, table: pl.DataFrame) -> str:
    """Panels of all pairs in one SVG."""
    each = table.partition_by("model", "suite", maintain_order=True)
    return draw([panel for rows in each for panel in diagnostic.panels(rows)], x=diagnostic.x, y=diagnostic.y)


def title_of(rows: pl.DataFrame) -> str:
    return f"{rows['model'][0]} × {rows['suite'][0]}"


def simple_metrics(names: Iterable[str], *, binary: bool) -> list[Metric]:
    """The metrics of these names that are a ratio of sums over single samples and mean something here."""
    found = [metrics.get(name) for name in names]
    return [m for m in found if isinstance(m, Metric) and m.unit is None and (binary or not m.binary)]


def interval(answers: Answered, metric: Metric, cluster: NDArray[np.int64]) -> dict[str, float | None]:
    """value, low and high of one metric of one cell."""
    numerator, denominator = (part[:, None] for part in metric.ratio(answers))
    _, codes = np.unique(cluster, return_inverse=True)
    sums = [cluster_sums(part, codes, int(codes.max()) + 1) for part in (numerator, denominator)]
    return named(*ratio_interval(*sums, n=len(cluster)))


def named(value: Any, low: Any, high: Any, prefix: str = "") -> dict[str, float | None]:
    """An interval of one column as columns of a table; undefined numbers, shares of nothing included, are null."""
    names = (f"{prefix}value" if not prefix else prefix.rstrip("_"), f"{prefix}low", f"{prefix}high")
    numbers = (float(np.ravel(one)[0]) for one in (value, low, high))
    return {name: number if np.isfinite(number) else None for name, number in zip(names, numbers, strict=True)}
