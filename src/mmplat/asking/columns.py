"""Rows of one chunk as an Arrow table in the evidence schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmplat.evidence.files import SCHEMA

Column = Any


def lists(values: NDArray[Any], lengths: NDArray[np.int64] | None = None) -> pa.Array:
    """A matrix as a list column; row i keeps its first `lengths[i]` entries."""
    rows, width = values.shape
    if lengths is None:
        lengths = np.full(rows, width, np.int64)
    flat = values[np.arange(width) < lengths[:, None]]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(flat))


def same_list(value: Sequence[Any], rows: int, kind: pa.DataType) -> pa.Array:
    """The same short list in every row."""
    flat = pa.array(list(value) * rows, kind)
    return pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * len(value), flat)


def table(columns: dict[str, Column], rows: int) -> pa.Table:
    """Columns in the schema's order and types; scalars are repeated, missing ones are null."""
    arrays = []
    for field in SCHEMA:
        value = columns.get(field.name)
        if isinstance(value, (str, int, float)) or value is None:
            arrays.append(pa.array([value] * rows, field.type))
        else:
            array = value if isinstance(value, pa.Array) else pa.array(value)
            arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
