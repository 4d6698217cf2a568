"""Rows of JSON, JSON lines, CSV, TSV and spreadsheets, each with its file and line."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from mmplat.errors import ConfigError
from mmplat.suites._files import Row, json_rows

csv.field_size_limit(2**31 - 1)  # VLMEvalKit keeps images inside its tables

ID = ("question_id", "id", "index", "custom_id", "sample_id", "doc_id")
TEXT = ("text", "question", "prompt")
GOLD = ("label", "answer", "gold", "ground_truth", "target")
IMAGE = ("image", "image_source", "image_path", "image_id")


def existing(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(f"There is no {path}. Check the path of --answers and --annotations.")
    return path


def rows_of(path: Path) -> Sequence[Row]:
    """The rows of a file, by its suffix."""
    if existing(path).is_dir():
        raise ConfigError(f"{path} is a folder; this format is one file. Name the file.")
    readers = {".csv": ",", ".tsv": "\t"}
    if path.suffix in readers:
        return list(_delimited(path, readers[path.suffix]))
    return list(_spreadsheet(path)) if path.suffix == ".xlsx" else json_rows(path)


def json_of(path: Path) -> Any:
    """One JSON value."""
    try:
        return json.loads(existing(path).read_text(encoding="utf-8"), object_pairs_hook=partial(_object, path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: this is not valid JSON ({error}). Is it cut off, or of another --from format?"
        ) from None


def _object(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python keeps the last of two equal names: an answer, or a task, would be gone without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ConfigError(f"{path}: {name!r} is there twice in one JSON object. Keep one of them.")
    return found


def optional(row: Row, *columns: str) -> str:
    """The first of some columns that the row has, or nothing."""
    return next((plain(row.data[column]) for column in columns if row.data.get(column) is not None), "")


def needed(row: Row, *columns: str) -> str:
    return plain(row.get(*columns))


def plain(value: Any) -> str:
    """A value as text: an id that a spreadsheet made a number is still that id."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def groups_of(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
    return {name: plain(row[name]) for name in columns if row.get(name) not in (None, "")}


def _delimited(path: Path, sign: str) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=sign, strict=True)
        try:
            _refuse_twice(path, reader.fieldnames or ())
            for data in reader:
                place = f"{path}:{reader.line_num}"
                if None in data or None in data.values():
                    raise ConfigError(
                        f"{place}: this row has not as many fields as the header ({len(reader.fieldnames or ())})."
                    )
                yield Row(data, place)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}:{reader.line_num}: this line cannot be read ({error}).") from None


def _spreadsheet(path: Path) -> Iterator[Row]:
    try:
        openpyxl = import_module("openpyxl")  # optional: nothing else needs it
    except ImportError:
        raise ConfigError(
            f"{path} is a spreadsheet, and openpyxl is not installed. `pip install openpyxl`, or save it as .tsv."
        ) from None
    sheet = openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True)
    header = [str(name) for name in next(sheet)]
    _refuse_twice(path, [name for name in header if name != "None"])
    for number, values in enumerate(sheet, 2):
        yield Row(dict(zip(header, values, strict=True)), f"{path}: row {number}")


def _refuse_twice(path: Path, header: Sequence[str]) -> None:
    """Of two columns of one name, only the last would be read."""
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise ConfigError(f"{path}: the column {twice[0]!r} is there twice. Rename one of them.")
