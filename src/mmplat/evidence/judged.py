"""Judgments on disk: Parquet parts, written whole, never changed, in a folder of their own beside the written answers.

A judgment is known by what its judge was shown (`prompt`), so other words of a question, a reference or an answer are judged anew.
"""

from __future__ import annotations

from collections.abc import Mapping
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
KEY = ["sample_key", "writing", "order", "prompt"]
JUDGED = Kind(
    prefix="judged", schema=SCHEMA, key=("judge", *KEY), required=("judge", *KEY, "reply"), made_by="mmplat judge"
)


def judged_folder(evidence: Path) -> Path:
    """Beside the written answers, with a lock of its own: judging waits for no asking."""
    return evidence / "judged"


def write_judged(folder: Path, table: pa.Table) -> Path:
    """Writes one part, named by the judgments that it holds."""
    return write_part(folder, JUDGED, content_id([table[column].to_pylist() for column in ("judge", *KEY)]), table)


def open_judged(folder: Path, judge: str, *, bound: Mapping[str, str] | None = None) -> Opened:
    """What one judge said, a row per (sample, writing, order, prompt), without order."""
    opened = open_parts(folder, JUDGED, where=pl.col("judge") == judge, bound=bound)
    refuse_disagreeing(opened.rows, JUDGED.key, ("score", "score_reference"))
    return replace(opened, rows=opened.rows.unique(JUDGED.key, keep="first"))


def read_judged(folder: Path, judge: str) -> pl.DataFrame:
    """The rows of `open_judged` alone."""
    return open_judged(folder, judge).rows.drop(PART)
