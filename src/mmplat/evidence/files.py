"""Next-token rows on disk: Parquet parts of one model on one suite, written whole, never changed.

A part is named by the rows that it holds. A later part may hold a wider row for the same (sample, view); reading takes the
widest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from mmplat.errors import ArtifactError
from mmplat.evidence.coverage import REACH
from mmplat.evidence.opening import PART, Kind, Opened, flat, open_parts, refuse_disagreeing, write_part
from mmplat.evidence.rows import Evidence, Rows
from mmplat.ids import bytes_id
from mmplat.records import Sample, ViewSpec

SCHEMA = pa.schema(
    [
        ("sample_key", pa.string()),
        ("sample_id", pa.string()),
        ("view", pa.string()),
        ("view_key", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("label_logits", pa.list_(pa.float32())),
        ("label_mass", pa.float32()),
        ("label_tokens", pa.list_(pa.int16())),  # of labels that were scored as continuations; null: one row was read
        ("spelling_ids", pa.list_(pa.int32())),
        ("spelling_of", pa.list_(pa.int8())),
        ("spelling_logits", pa.list_(pa.float32())),
        ("top_ids", pa.list_(pa.int32())),
        ("top_logits", pa.list_(pa.float32())),
        ("at_main", pa.list_(pa.float32())),
        ("lse", pa.float64()),
        ("lse_temperatures", pa.list_(pa.float32())),
        ("lse_shifted", pa.list_(pa.float64())),
        ("untold", pa.float32()),  # probability of what a remote model did not tell; null: the whole row was seen
        ("drawn", pa.list_(pa.int32())),  # how often each label was drawn, where answers are drawn; else null
        ("draws", pa.int32()),
        ("drawn_by", pa.string()),  # the decoding that drew
        ("vocab_size", pa.int32()),
        ("margin", pa.float32()),
        ("near_tie", pa.bool_()),
        ("seconds", pa.float32()),
        ("device", pa.string()),
        ("dtype", pa.string()),
    ]
)

NEVER_NEGATIVE = ("label_mass", "lse_shifted", "untold", "draws", "drawn", "margin", "seconds", "vocab_size")
ROUNDING = 1e-3
"""Sums of float32 logits may differ from each other by this much."""
ALIGNED = (("top_ids", "top_logits"), ("spelling_ids", "spelling_of"), ("spelling_ids", "spelling_logits"),
           ("labels", "label_logits"), ("lse_temperatures", "lse_shifted"))  # fmt: skip


def _defect(rows: pl.DataFrame) -> str | None:
    """What no next-token row can hold."""
    for one, other in ALIGNED:
        if rows.select((pl.col(one).list.len() != pl.col(other).list.len()).any()).item():
            return f"a row has more or fewer {one} than {other}"
    for name in NEVER_NEGATIVE:
        smallest = pa.compute.min(flat(rows[name])).as_py()
        if smallest is not None and smallest < -ROUNDING:
            return f"{name} holds {smallest}, which cannot be"
    for name in ("label_mass", "untold"):
        largest: Any = rows[name].max()
        if largest is not None and largest > 1 + ROUNDING:
            return f"{name} holds {largest}, which is no probability"
    if _unsorted(rows["top_logits"]):
        return "top_logits of a row are not sorted, the largest first"
    below = pl.col("lse") < pl.col("top_logits").list.first() - ROUNDING
    if rows.select(below.any()).item():
        return "lse of a row lies below its largest logit"
    return None


def _unsorted(lists: pl.Series) -> bool:
    values = flat(lists).to_numpy(zero_copy_only=False)
    ends = lists.list.len().fill_null(0).to_numpy().astype(np.int64).cumsum()
    rises = np.diff(values) > 0
    rises[ends[(ends > 0) & (ends < len(values))] - 1] = False  # from the end of a row to the next row
    return bool(rises.any())


ROWS = Kind(
    prefix="part",
    schema=SCHEMA,
    key=("sample_key", "view_key"),
    required=("sample_key", "sample_id", "view_key", "labels", "label_logits", "top_ids", "top_logits"),
    made_by="mmplat ask",
    defect=_defect,
)


def write_rows(folder: Path, table: pa.Table) -> Path:
    """Writes one part, named by the rows that it holds."""
    reach = (pa.compute.list_value_length(table[name]).fill_null(0).cast(pa.string()) for name in REACH)
    named = pa.compute.binary_join_element_wise(table["sample_key"], table["view_key"], *reach, " ").to_pylist()
    return write_part(folder, ROWS, bytes_id("\n".join(named).encode()), table)


def open_rows(
    folder: Path,
    views: list[ViewSpec],
    sample_keys: list[str] | None = None,
    *,
    bound: Mapping[str, str] | None = None,
) -> Opened:
    """The widest stored row of each (sample, view), without order."""
    opened = open_parts(folder, ROWS, where=pl.col("view_key").is_in([v.key for v in views]), bound=bound)
    rows = opened.rows
    if sample_keys is not None:
        rows = rows.join(pl.DataFrame({"sample_key": sample_keys}).unique(), on="sample_key", how="semi")
    if len(opened.digests) > 1:
        reach = {f"{name} reaches": pl.col(name).list.len().fill_null(0) for name in REACH}
        rows = rows.with_columns(**reach)
        rows = rows.sort(list(reach), descending=True, maintain_order=True)
        widest = rows.unique(ROWS.key, keep="first", maintain_order=True)
        as_wide = rows.join(widest, on=[*ROWS.key, *reach], how="semi")
        refuse_disagreeing(as_wide, ROWS.key, ("label_logits", "top_ids", "top_logits", "at_main", "lse"))
        rows = widest.drop(list(reach))
    return replace(opened, rows=rows)


def read_rows(folder: Path, views: list[ViewSpec], sample_keys: list[str] | None = None) -> pl.DataFrame:
    """The rows of `open_rows` alone."""
    return open_rows(folder, views, sample_keys).rows.drop(PART)


def read_evidence(
    folder: Path, samples: list[Sample], views: list[ViewSpec], *, bound: Mapping[str, str] | None = None
) -> Evidence:
    """Arrays of all `views` (the main view first), aligned with `samples`; with `bound`, from these parts alone."""
    opened = open_rows(folder, views, [s.sample_key for s in samples], bound=bound)
    stored = opened.rows
    order = pl.DataFrame({"sample_key": [s.sample_key for s in samples]})
    _refuse_other_labels(folder, stored, samples)
    n_labels = np.array([len(s.labels) for s in samples], np.int16)
    main = views[0]
    arrays = {
        view.key: _arrays(
            order.join(
                stored.filter(pl.col("view_key") == view.key), on="sample_key", how="left", maintain_order="left"
            ),
            is_main=view.key in (main.key, view.main_key),
            n_labels=int(n_labels.max()),
        )
        for view in views
    }
    device, dtype = ("+".join(sorted(stored[name].drop_nulls().unique())) or "unknown" for name in ("device", "dtype"))
    return Evidence(n_labels, arrays[main.key], arrays, device, dtype, opened.used)


def _refuse_other_labels(folder: Path, stored: pl.DataFrame, samples: list[Sample]) -> None:
    """A sample's key holds its labels: a row of that key with other labels was put under it later."""
    ours = {s.sample_key: "\n".join(s.labels) for s in samples}  # compared as text: lists are slow to make
    prepared = pl.DataFrame({"sample_key": list(ours), "ours": list(ours.values())})
    joined = stored.select("sample_key", "sample_id", PART, labels=pl.col("labels").list.join("\n"))
    other = joined.join(prepared, on="sample_key").filter(pl.col("labels") != pl.col("ours"))
    if not other.is_empty():
        row = other.row(0, named=True)
        seen, prepared_labels = (row[name].splitlines() for name in ("labels", "ours"))
        raise ArtifactError(
            f"Evidence in {folder} cannot be used: {row[PART]} answers sample {row['sample_id']!r} with the labels {seen}, and "
            f"the prepared sample of that key has {prepared_labels}. Take the part away and run `mmplat ask` with the same "
            "grid: it asks only its rows again."
        )


def _arrays(table: pl.DataFrame, *, is_main: bool, n_labels: int) -> Rows:
    temperatures = table["lse_temperatures"].drop_nulls()
    known = _known_temperatures(temperatures)
    return Rows(
        present=table["view_key"].is_not_null().to_numpy(),
        label_logits=padded(table["label_logits"], -np.inf, np.float64, width=n_labels),
        spelling_ids=padded(table["spelling_ids"], -2, np.int32),
        spelling_of=padded(table["spelling_of"], -1, np.int16),
        spelling_logits=padded(table["spelling_logits"], -np.inf, np.float64),
        top_ids=padded(table["top_ids"], -1, np.int32),
        top_logits=padded(table["top_logits"], -np.inf, np.float64),
        at_main=None if is_main else padded(table["at_main"], np.nan, np.float64),
        lse=table["lse"].to_numpy(),
        lse_temperatures=known,
        lse_shifted=_at_temperatures(table, known),
        vocab_size=table["vocab_size"].fill_null(np.iinfo(np.int32).max).to_numpy(),
        margin=table["margin"].cast(pl.Float64).to_numpy(),
        near_tie=table["near_tie"].fill_null(False).to_numpy(),
        seconds=table["seconds"].cast(pl.Float64).fill_null(0.0).to_numpy(),
        untold=table["untold"].cast(pl.Float64).to_numpy(),
        drawn=_drawn(table, n_labels),
        drawn_by=next(iter(table["drawn_by"].drop_nulls()), None),
    )


def _drawn(table: pl.DataFrame, n_labels: int) -> NDArray[np.float64] | None:
    """Share of the draws that said each label (sample, label); None where answers are not drawn."""
    if table["draws"].null_count() == len(table):
        return None
    counts = padded(table["drawn"], 0, np.float64, width=n_labels)
    return np.asarray(counts / table["draws"].cast(pl.Float64).to_numpy()[:, None])


def padded(column: pl.Series, fill: float, dtype: type, *, width: int = 1) -> NDArray[Any]:
    """A column of lists as a matrix (row, longest list, `width` at least), short and missing lists filled up."""
    lengths = column.list.len().fill_null(0).to_numpy()
    width = max(int(lengths.max(initial=0)), width)
    if not width:
        return np.zeros((len(column), 0), dtype)
    if (lengths == width).all():  # the common case
        return column.explode(empty_as_null=False).to_numpy().reshape(-1, width).astype(dtype)
    matrix: NDArray[Any] = np.full((len(column), width), fill, dtype)
    matrix[np.arange(width) < lengths[:, None]] = column.drop_nulls().explode(empty_as_null=False).to_numpy()
    return matrix


def _known_temperatures(lists: pl.Series) -> tuple[float, ...]:
    """Temperatures that some row knows; rows asked at different times may know different ones."""
    return tuple(sorted({float(t) for one in lists.unique() for t in np.round(one.to_list(), 6)}))


def _at_temperatures(table: pl.DataFrame, known: tuple[float, ...]) -> NDArray[np.float64]:
    """(sample, temperature) of log-sum-exps; NaN where a row does not know the temperature."""
    values = padded(table["lse_shifted"], np.nan, np.float64)
    stored = np.round(padded(table["lse_temperatures"], np.nan, np.float64), 6)
    result = np.full((len(table), len(known)), np.nan)
    for index, temperature in enumerate(known):
        row, column = np.nonzero(stored == temperature)
        result[row, index] = values[row, column]
    return result
