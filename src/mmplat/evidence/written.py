"""Answers in words on disk: Parquet parts of one model on one suite, written whole, never changed, beside its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from mmplat.artifacts import atomic
from mmplat.errors import ArtifactError
from mmplat.evidence.files import PACKED
from mmplat.ids import content_id

SCHEMA = pa.schema(
    [
        ("sample_key", pa.string()),
        ("sample_id", pa.string()),
        ("writing", pa.string()),
        ("text", pa.string()),
        ("tokens", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("margins", pa.list_(pa.float32())),
        ("stopped", pa.bool_()),
        ("forwards", pa.int32()),
        ("seconds", pa.float32()),
        ("device", pa.string()),
        ("dtype", pa.string()),
    ]
)
PREFIX = "written-"


def write_written(folder: Path, table: pa.Table) -> Path:
    """Writes one part; equal answers give an equal name, so a repeated write replaces rather than doubles."""
    name = content_id([table["sample_key"].to_pylist(), table["writing"].to_pylist()])
    path = folder / f"{PREFIX}{name}.parquet"
    with atomic(path) as temporary:
        pq.write_table(table, temporary, **PACKED)
    return path


DECIDED_FROM = ("sample_key", "writing", "text", "forwards", "seconds", "device", "dtype")


def read_written(folder: Path, writings: list[str], columns: Sequence[str] = DECIDED_FROM) -> pl.DataFrame:
    """One row per (sample, writing), without order; tokens and their numbers only where `columns` asks for them."""
    files = sorted(folder.glob(f"{PREFIX}*.parquet"))
    if not files:
        return pl.DataFrame(pl.from_arrow(SCHEMA.empty_table())).select(columns)
    try:
        rows = pl.scan_parquet(files, glob=False).filter(pl.col("writing").is_in(writings)).select(columns).collect()
    except (pl.exceptions.ComputeError, OSError) as error:
        raise ArtifactError(
            f"A part of the written answers in {folder} cannot be read ({error}). Run `mmplat ask` with the same grid: it "
            "sets the broken part aside and asks only its answers again."
        ) from error
    return rows.unique(["sample_key", "writing"], keep="first")
