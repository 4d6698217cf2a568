"""Judgments on disk: Parquet parts, written whole, never changed, in a folder of their own beside the written answers.

A judgment is known by what its judge was shown (`prompt`), so other words of a question, a reference or an answer are judged anew.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from mmplat.artifacts import atomic
from mmplat.errors import ArtifactError
from mmplat.ids import content_id

SCHEMA = pa.schema(
    [
        ("sample_key", pa.string()),
        ("sample_id", pa.string()),
        ("writing", pa.string()),
        ("judge", pa.string()),  # key of endpoint, served model, decoding, rubric and its version
        ("rubric", pa.string()),
        ("rubric_version", pa.int16()),
        ("order", pa.string()),
        ("prompt", pa.string()),
        ("score", pa.float32()),  # null: the reply says none
        ("score_reference", pa.float32()),
        ("reply", pa.string()),
        ("served", pa.string()),
        ("seconds", pa.float32()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
    ]
)
PREFIX = "judged-"
KEY = ["sample_key", "writing", "order", "prompt"]


def judged_folder(evidence: Path) -> Path:
    """Beside the written answers, with a lock of its own: judging waits for no asking."""
    return evidence / "judged"


def write_judged(folder: Path, table: pa.Table) -> Path:
    """Writes one part; equal judgments give an equal name, so a repeated write replaces rather than doubles."""
    name = content_id([table[column].to_pylist() for column in ("judge", *KEY)])
    path = folder / f"{PREFIX}{name}.parquet"
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=1)
    return path


def read_judged(folder: Path, judge: str) -> pl.DataFrame:
    """What one judge said, a row per (sample, writing, order, prompt), without order."""
    files = sorted(folder.glob(f"{PREFIX}*.parquet"))
    if not files:
        return pl.DataFrame(SCHEMA.empty_table())
    try:
        rows = pl.scan_parquet(files, glob=False).filter(pl.col("judge") == judge).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactError(
            f"A part of the judgments in {folder} cannot be read ({error}). Delete it and run `mmplat judge` with the same "
            "grid: replies are kept apart, so nothing is paid again."
        ) from error
    return rows.unique(KEY, keep="first")
