"""Evidence on disk: Parquet parts of one model on one suite, written whole, never changed.

A part is named by the rows that it holds. A later part may hold a wider row for the same (sample, view); reading takes the
widest. A part that cannot be read is set aside by the next asking, which asks only its rows again.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mmplat.artifacts import atomic
from mmplat.errors import ArtifactError
from mmplat.evidence.coverage import REACH
from mmplat.evidence.rows import Evidence, Rows
from mmplat.ids import bytes_id
from mmplat.records import Sample, ViewSpec

log = logging.getLogger(__name__)

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

COLUMNS = pl.DataFrame(SCHEMA.empty_table()).schema
"""A part of an earlier version lacks later columns: they are null there."""


PACKED: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "write_page_checksum": True}
"""How parts are written. Checksums tell a disk's slip of the pen, which would be another number, from what was asked."""


def write_part(folder: Path, table: pa.Table) -> Path:
    """Writes one part; equal rows give an equal name, so a repeated write replaces rather than doubles."""
    reach = (pa.compute.list_value_length(table[name]).fill_null(0).cast(pa.string()) for name in REACH)
    named = pa.compute.binary_join_element_wise(table["sample_key"], table["view_key"], *reach, " ").to_pylist()
    name = bytes_id("\n".join(named).encode())
    path = folder / f"part-{name}.parquet"
    with atomic(path) as temporary:
        pq.write_table(table, temporary, use_dictionary=DICTIONARY, **PACKED)
    return path


DICTIONARY = ["view", "view_key", "device", "dtype", "sample_id", "sample_key"]
"""Columns that repeat; logits are noise to a dictionary and only cost time."""


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def set_aside_broken(folder: Path) -> list[Path]:
    """Renames parts that cannot be read to *.broken, so that only what they hold is asked again."""
    broken = []
    for path in (*parts(folder), *sorted(folder.glob("written-*.parquet"))):
        try:
            _read_through(path)
        except FileNotFoundError:  # the job of another shard set it aside at this very moment
            continue
        except (pa.ArrowException, OSError) as error:
            target = path.with_suffix(".parquet.broken")
            with contextlib.suppress(FileNotFoundError):
                path.replace(target)
            log.warning(
                "%s cannot be read (%s); it is kept as %s, and its rows are asked again.", path, error, target.name
            )
            broken.append(target)
    return broken


def _read_through(path: Path) -> None:
    """Every page of a part, a few rows at a time: one that was damaged in its middle ends as it should."""
    with pq.ParquetFile(path, page_checksum_verification=True) as part:
        for _ in part.iter_batches(batch_size=1024):
            pass


def read_rows(folder: Path, views: list[ViewSpec], sample_keys: list[str] | None = None) -> pl.DataFrame:
    """The widest stored row of each (sample, view), without order."""
    files = parts(folder)
    if not files:
        return pl.DataFrame(schema=COLUMNS)
    try:
        rows = (
            pl.scan_parquet(files, glob=False, schema=COLUMNS, missing_columns="insert", extra_columns="ignore")
            .filter(pl.col("view_key").is_in([v.key for v in views]))
            .collect()
        )
    except (pl.exceptions.ComputeError, OSError) as error:
        raise ArtifactError(
            f"A part of the evidence in {folder} cannot be read ({error}). Run `mmplat ask` with the same grid: it sets "
            "the broken part aside and asks only its rows again."
        ) from error
    if sample_keys is not None:
        rows = rows.join(pl.DataFrame({"sample_key": sample_keys}).unique(), on="sample_key", how="semi")
    if len(files) == 1:
        return rows
    widest = [pl.col(name).list.len() for name in REACH]
    return rows.sort(widest, descending=True, nulls_last=True, maintain_order=True).unique(
        ["sample_key", "view_key"], keep="first"
    )


def read_evidence(folder: Path, samples: list[Sample], views: list[ViewSpec]) -> Evidence:
    """Arrays of all `views` (the main view first), aligned with `samples`."""
    stored = read_rows(folder, views, [s.sample_key for s in samples])
    order = pl.DataFrame({"sample_key": [s.sample_key for s in samples]})
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
    return Evidence(n_labels, arrays[main.key], arrays, device, dtype)


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
