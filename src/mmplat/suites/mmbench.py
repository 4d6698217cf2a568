"""MMBench, English: 20 abilities with two to four options, each question asked once per rotation of its options.

Layouts: the TSV of the release with its images in base64, or the hub's table (lmms-lab/MMBench). The row 1000241 is a rotation
of the row 241; `circular_accuracy` counts a question that is right in all of them (CircularEval), and `pass=first` holds the rows
below a million (VanillaEval). Questions about equal pictures depend on each other.
"""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.samples import LeftOut
from mmplat.suites import _hub
from mmplat.suites._choices import add, asked, clustered_by_picture, is_of_split
from mmplat.suites._files import Row, chosen, embedded
from mmplat.suites._loading import Asked, Loader

ROUND = 1_000_000
"""Indices of rotations are the question's plus a multiple of it."""
SIZES = {"dev": {"": 4329, "pass=first": 1164}}
SPLITS = ("dev", "test")
CONTEXTS = ("none", "hint")
MISSING = ("", "nan", "None")
"""How tables that went through a spreadsheet spell what is not there."""
REFERENCE = 64
"""A number of no more digits is no picture: it is the index of the row that has it."""
WHAT = "the release's TSV (MMBench_DEV_EN.tsv), a folder with that one TSV, or a folder of Parquet files"


def published(spec: SuiteSpec) -> Mapping[str, int]:
    return SIZES.get(spec.params["split"], {})


def _files(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    found = [path] if path.is_file() else sorted(path.glob("*.tsv"))
    if len(found) != 1:
        raise ConfigError(f"{path} holds {len(found)} TSV files, so that none is meant. `path` is {WHAT}.")
    return {"questions": found[0]}


def _questions(spec: SuiteSpec, path: Path) -> Sequence[Asked]:
    rows = list(_of_tsv(_files(spec, path)["questions"]))
    pictures = {row.text("index"): row.text("image") for row in rows if not _is_reference(row.text("image"))}
    return [_question(row, (_decoded(pictures, row),), spec) for row in rows]


def _of_tsv(path: Path) -> Iterator[Row]:
    import polars as pl

    try:
        table = pl.read_csv(path, separator="\t", infer_schema=False, glob=False)
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"{path} cannot be read ({error}). Is it cut off? Get it again.") from error
    for number, data in enumerate(table.iter_rows(named=True), 1):
        yield Row(data, f"{path}: row {number}")


def _decoded(pictures: Mapping[str, str], row: Row) -> bytes:
    cell = row.text("image")
    if _is_reference(cell) and cell not in pictures:
        raise ConfigError(f"{row.place}: its image is that of the index {cell!r}, and no row has it.")
    try:
        return base64.b64decode(pictures.get(cell, cell), validate=True)
    except binascii.Error as error:
        raise ConfigError(
            f"{row.place}: its image is no base64 ({error}). Is the file cut off? Get it again."
        ) from None


def _is_reference(cell: str) -> bool:
    return len(cell) <= REFERENCE and cell.isdecimal()


def _hub_rows(spec: SuiteSpec) -> Iterator[Row]:
    return _hub.rows(spec.params["hub"], "en", chosen(spec, "split", SPLITS), spec.params["revision"])


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
    return (_question(row, embedded(row.get("image")), spec) for row in rows)


def _question(row: Row, images: tuple[bytes, ...], spec: SuiteSpec) -> Asked:
    index = _index(row)
    options, gold = _options(row), _said(row, "answer")
    if not gold:
        return LeftOut(str(index), "its answer is not published")
    hint = _said(row, "hint") if chosen(spec, "context", CONTEXTS) == "hint" else ""
    groups = {
        "circle": str(index % ROUND),
        "pass": "first" if index < ROUND else "rotated",
        "category": row.text("category"),
        "ability": row.text("l2-category", "L2-category"),
    }
    context = [hint] if hint else []
    return asked(row, spec, str(index), row.text("question"), options, gold, images, context=context, groups=groups)


def _index(row: Row) -> int:
    index = row.text("index")
    if not index.isdecimal():
        raise ConfigError(f"{row.place}: the index {index!r} is no number.")
    return int(index)


def _options(row: Row) -> list[str]:
    """The options that are there: A and B at least, and no gap, or the answer would be another one's letter."""
    found = {letter: text for letter in string.ascii_uppercase if (text := _said(row, letter))}
    if list(found) != list(string.ascii_uppercase[: len(found)]):
        raise ConfigError(f"{row.place}: it has the options {', '.join(found)}, with a gap.")
    return list(found.values())


def _said(row: Row, column: str) -> str:
    text = str(row.data.get(column)).strip()
    return "" if text in MISSING else text


LOADER = Loader(what=WHAT, hub=_hub_rows, of_table=_of_table, files=_files, questions=_questions, is_read=is_of_split)
add(
    "mmbench",
    "20 abilities with two to four options, each question once per rotation of its options",
    LOADER,
    "both",
    {"split": "dev", "context": "hint"},
    samples=clustered_by_picture(LOADER),
    subsets=(("pass",), ("ability",), ("category",)),
    metrics=("circular_accuracy",),
    published=published,
)
