"""Answers in words on disk: Parquet parts of one model on one suite, written whole, never changed, beside its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa

from mmplat.evidence.opening import PART, Kind, Opened, open_parts, refuse_disagreeing, write_part
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
WRITTEN = Kind(
    prefix="written",
    schema=SCHEMA,
    key=("sample_key", "writing"),
    required=("sample_key", "writing", "text"),
    made_by="mmplat ask",
    unbounded=("margins",),  # where a method leaves one token alone
)
DECIDED_FROM = ("sample_key", "writing", "text", "forwards", "seconds", "device", "dtype")


def write_written(folder: Path, table: pa.Table) -> Path:
    """Writes one part, named by the answers that it holds."""
    return write_part(
        folder, WRITTEN, content_id([table["sample_key"].to_pylist(), table["writing"].to_pylist()]), table
    )


def open_written(
    folder: Path,
    writings: list[str],
    columns: Sequence[str] = DECIDED_FROM,
    *,
    bound: Mapping[str, str] | None = None,
) -> Opened:
    """One row per (sample, writing), without order; tokens and their numbers only where `columns` asks for them."""
    shown = tuple(dict.fromkeys([*WRITTEN.required, *columns]))
    opened = open_parts(folder, WRITTEN, where=pl.col("writing").is_in(writings), columns=shown, bound=bound)
    refuse_disagreeing(opened.rows, WRITTEN.key, ("text",))
    return replace(opened, rows=opened.rows.unique(WRITTEN.key, keep="first").select(*columns, PART))


def read_written(folder: Path, writings: list[str], columns: Sequence[str] = DECIDED_FROM) -> pl.DataFrame:
    """The rows of `open_written` alone."""
    return open_written(folder, writings, columns).rows.drop(PART)
