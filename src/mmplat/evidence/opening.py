"""Parts of evidence: how they are written and sealed, and the one way in which they are opened.

The name of a part ends in the digest of its bytes. Opening compares the two, so that a disk's error becomes a message and never
a number; parts of earlier versions have no digest in their name, so the checksums of their pages are compared instead. What a
part holds is checked too: its types, that no number is NaN, and that no row is there twice.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from mmplat.artifacts import write_bytes
from mmplat.errors import ArtifactError
from mmplat.ids import ID_LENGTH, bytes_id, file_id

log = logging.getLogger(__name__)

PART = "part"
"""Column of an opened table: the name of the file that holds the row."""
SEALED = re.compile(rf".+-[0-9a-f]{{{ID_LENGTH}}}-(?P<digest>[0-9a-f]{{{ID_LENGTH}}})\.parquet")
PACKED: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "write_page_checksum": True}
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError)
"""What a damaged file raises, whoever reads it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of evidence: next-token rows, written answers, or judgments of them."""

    prefix: str
    schema: pa.Schema
    key: tuple[str, ...]
    """What names a row: no part holds two rows of one key."""
    required: tuple[str, ...]
    """Columns that are never null."""
    made_by: str
    """The command that makes such a part again."""
    unbounded: tuple[str, ...] = ()
    """Columns that may hold +∞."""
    defect: Callable[[pl.DataFrame], str | None] = lambda rows: None
    """What no row of this kind can hold; None: nothing is wrong."""

    @property
    def types(self) -> pl.Schema:
        """A part of an earlier version lacks later columns: they are null there."""
        return pl.DataFrame(pl.from_arrow(self.schema.empty_table())).schema


@dataclass(frozen=True, slots=True)
class Opened:
    """Rows of some parts, and the SHA-256 of each of these parts."""

    rows: pl.DataFrame
    digests: Mapping[str, str]

    @property
    def used(self) -> dict[str, str]:
        """Digests of the parts that hold at least one of the rows."""
        return {name: self.digests[name] for name in self.rows[PART].unique().sort()}


def write_part(folder: Path, kind: Kind, name: str, table: pa.Table) -> Path:
    """Writes one part, whole and sealed; `name` is made of the keys of its rows."""
    buffer = pa.BufferOutputStream()
    dictionary = [field.name for field in kind.schema if pa.types.is_string(field.type) and field.name != "text"]
    pq.write_table(table, buffer, use_dictionary=dictionary, **PACKED)
    data = buffer.getvalue().to_pybytes()
    path = folder / f"{kind.prefix}-{name}-{bytes_id(data)}.parquet"
    write_bytes(path, data)
    return path


def parts(folder: Path, kind: Kind) -> list[Path]:
    return sorted(folder.glob(f"{kind.prefix}-*.parquet"))


def open_parts(
    folder: Path,
    kind: Kind,
    *,
    where: pl.Expr,
    columns: Sequence[str] | None = None,
    bound: Mapping[str, str] | None = None,
) -> Opened:
    """The rows of all parts of a folder for which `where` holds, checked; with `bound`, of these parts alone.

    `bound` is what a decision remembers: the parts that it was made from, with their digests.
    """
    files = parts(folder, kind) if bound is None else _bound(folder, kind, bound)
    shown = list(columns or kind.types)
    if not files:
        return Opened(pl.DataFrame(schema={**{name: kind.types[name] for name in shown}, PART: pl.String}), {})
    with ThreadPoolExecutor(max_workers=2) as hashing:  # beside the reading, which does not need what it finds
        digests = hashing.map(lambda path: file_id(path, length=64), files)
        try:
            rows = (
                pl.scan_parquet(
                    files, glob=False, schema=kind.types, missing_columns="insert", extra_columns="ignore",
                    include_file_paths=PART,
                )
                .filter(where)
                .select(*dict.fromkeys([*kind.key, *kind.required, *shown]), PART)
                .collect()
            )  # fmt: skip
            found = {path.name: digest for path, digest in zip(files, digests, strict=True)}
        except UNREADABLE as error:
            raise _broken(folder, kind, _first_broken(files, kind) or f"a part cannot be read: {error}") from error
    for path in files:
        if reason := _altered(path, found[path.name], bound):
            raise _broken(folder, kind, f"{path.name} {reason}")
    rows = rows.with_columns(pl.col(PART).replace_strict({str(path): path.name for path in files}))
    if reason := _wrong_rows(rows, kind):
        raise _broken(folder, kind, reason)
    return Opened(rows.select(*shown, PART), found)


def set_aside_broken(folder: Path, kind: Kind) -> list[Path]:
    """Renames parts that are not as they were written to *.broken, so that only what they hold is asked again."""
    broken = []
    for path in parts(folder, kind):
        reason = defect_of(path, kind)
        if reason is None:
            continue
        target = path.with_suffix(".parquet.broken")
        with contextlib.suppress(FileNotFoundError):  # the job of another shard set it aside at this very moment
            path.replace(target)
            log.warning("%s %s; it is kept as %s, and its rows are asked again.", path, reason, target.name)
            broken.append(target)
    return broken


def defect_of(path: Path, kind: Kind) -> str | None:
    """Why a part cannot be used; None: it can. Reads all of it."""
    try:
        if reason := _altered(path, file_id(path, length=64), None):
            return reason
        rows = pl.scan_parquet(
            [path], glob=False, schema=kind.types, missing_columns="insert", extra_columns="ignore"
        ).collect()
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        return f"cannot be read ({error})"
    return _wrong_rows(rows.with_columns(pl.lit(path.name).alias(PART)), kind)


def refuse_disagreeing(rows: pl.DataFrame, key: Sequence[str], values: Sequence[str]) -> None:
    """Two parts may hold one row; two rows of one key that differ are two answers to one question."""
    several = rows.filter(pl.struct(key).is_duplicated())
    if several.is_empty():
        return
    differing = several.unique([*key, *values]).filter(pl.struct(key).is_duplicated())
    if not differing.is_empty():
        names = " and ".join(differing.join(differing.head(1), on=list(key), how="semi")[PART].unique().sort())
        raise ArtifactError(
            f"{names} hold different rows of {', '.join(f'{name} {differing[name][0]!r}' for name in key)}. One of them "
            "was not asked here: take away the part that does not belong to this folder, then decide again."
        )


def _bound(folder: Path, kind: Kind, bound: Mapping[str, str]) -> list[Path]:
    files = [folder / name for name in sorted(bound) if name.startswith(f"{kind.prefix}-")]
    gone = [path.name for path in files if not path.exists()]
    if gone:
        raise ArtifactError(f"{gone[0]}, from which this was decided, is gone from {folder}.")
    return files


def _altered(path: Path, digest: str, bound: Mapping[str, str] | None) -> str | None:
    """Whether the bytes of a part are other ones than its name, or a decision, says."""
    if bound is not None and bound[path.name] != digest:
        return "is not the part from which this was decided: its content changed"
    sealed = SEALED.fullmatch(path.name)
    if sealed is None:
        return _damaged_page(path)
    if not digest.startswith(sealed["digest"]):
        return "is damaged: its content is not what its name says"
    return None


def _damaged_page(path: Path) -> str | None:
    """Reads every page of a part without a seal, a few rows at a time: one that is damaged in its middle ends as it should."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as part:
            for _ in part.iter_batches(batch_size=1024):
                pass
    except (pa.ArrowException, OSError) as error:
        return f"cannot be read ({error})"
    return None


def _first_broken(files: Sequence[Path], kind: Kind) -> str | None:
    """Which of several parts it was; looked for only after something went wrong."""
    found = ((path, defect_of(path, kind)) for path in files)
    return next((f"{path.name} {reason}" for path, reason in found if reason), None)


def _wrong_rows(rows: pl.DataFrame, kind: Kind) -> str | None:
    """What no part of this kind can hold."""
    for name in kind.required:
        if rows[name].null_count():
            return f"a row has no {name}"
    for name in rows.columns:
        if _is_float(rows.schema[name]) and not _are_numbers(flat(rows[name]), bounded=name not in kind.unbounded):
            return f"{name} holds a value that is no number"
    if rows.select(pl.struct(PART, *kind.key).is_duplicated().any()).item():
        return f"a part holds two rows of one {', '.join(kind.key)}"
    return kind.defect(rows)


def flat(column: pl.Series) -> pa.Array:
    """The values of a column of lists, or of plain values, without a copy."""
    values = column.rechunk().to_arrow()
    return values.flatten() if isinstance(column.dtype, pl.List) else values


def _is_float(kind: pl.DataType) -> bool:
    return (kind.inner if isinstance(kind, pl.List) else kind).is_float()


def _are_numbers(values: pa.Array, *, bounded: bool) -> bool:
    """Whether no value is NaN, or +∞ where that cannot be; a logit may be −∞. A sum tells in one pass where all is well."""
    total = pa.compute.sum(values).as_py()
    if total is None or math.isfinite(total):
        return True
    if pa.compute.any(pa.compute.is_nan(values)).as_py():
        return False
    return not bounded or pa.compute.max(values).as_py() != math.inf


def _broken(folder: Path, kind: Kind, reason: str) -> ArtifactError:
    return ArtifactError(
        f"Evidence in {folder} cannot be used: {reason}. Run `{kind.made_by}` with the same grid: it sets the part aside and "
        "makes only its rows again."
    )
