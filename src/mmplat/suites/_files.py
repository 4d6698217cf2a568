"""Reading benchmark files: every row knows its file and line, so that each mistake in the data can be named by its place.

A loader turns rows into `Question`s; `finished` turns those into samples: it opens the images and refuses what would be
scored wrong in silence.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ConfigError
from mmplat.image_files import UnreadableImage, open_rgb
from mmplat.records import SuiteSpec
from mmplat.suites.base import LeftOut, RawSample

LabelNames = Mapping[str, Mapping[int, str]]
"""What the numbers of a column stand for."""

PLACES = ("path", "images", "hub", "revision")
REFUSE, LEAVE_OUT = "refuse", "leave-out"
DEFAULTS = {"path": "", "images": "", "hub": "", "revision": "", "missing_images": REFUSE}
"""Parameters of every suite that reads data: a local path, or a dataset of the hub at a pinned revision."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file, with its place for messages."""

    data: Mapping[str, Any]
    place: str

    def get(self, *columns: str) -> Any:
        """The first of `columns` that the row has; files of one benchmark spell them differently."""
        for column in columns:
            if self.data.get(column) is not None:
                return self.data[column]
        raise ConfigError(
            f"{self.place}: there is no {' or '.join(map(repr, columns))}. The row has {', '.join(map(repr, self.data))}."
        )

    def text(self, *columns: str) -> str:
        return str(self.get(*columns))


@dataclass(frozen=True, slots=True)
class Question:
    """A sample whose images are still files, or bytes of a table."""

    sample: RawSample
    images: tuple[Path | bytes, ...]
    place: str


def json_rows(path: Path) -> Sequence[Row]:
    """Rows of a JSON list, or of JSON lines: POPE's files are the latter although they end in .json."""
    return _json_rows(path, path.stat().st_mtime_ns, path.stat().st_size)


def json_object(path: Path) -> Row:
    """A JSON file that is one object, of which every mistake is named by the file."""
    return row_of(_parsed(text_of(path), str(path)), str(path))


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: this is no UTF-8 text ({error}).") from error


@lru_cache(maxsize=16)
def _json_rows(path: Path, *stamp: int) -> Sequence[Row]:
    text = text_of(path)
    if text.lstrip().startswith("["):
        return [row_of(data, f"{path}: row {n}") for n, data in enumerate(_parsed(text, str(path)), 1)]
    lines = enumerate(text.split("\n"), 1)  # not splitlines: texts hold U+2028 and its like, and JSON lets them stand
    return [row_of(_parsed(line, f"{path}:{n}"), f"{path}:{n}") for n, line in lines if line.strip()]


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{place}: this is not valid JSON ({error}). Is the file cut off? Get it again.") from None


def row_of(data: Any, place: str) -> Row:
    if not isinstance(data, dict):
        raise ConfigError(f"{place}: a row is a JSON object with named columns, not {data!r:.60}.")
    return Row(data, place)


def table_files(folder: Path) -> list[Path]:
    """Parquet and Arrow files below a folder, as the hub and `save_to_disk` write them."""
    return sorted(p for kind in ("*.parquet", "*.arrow") for p in folder.rglob(kind))


def table_rows(files: Iterable[Path], root: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Rows of Parquet or Arrow files, a few at a time: they hold the images. Only `columns`, where these are given."""
    import pyarrow as pa

    for path in files:
        number = 0
        try:
            with path.open("rb") as stream:
                schema, batches = _batches(stream, path, columns)
                names = _label_names(schema)
                for batch in batches:
                    for data in batch.to_pylist():
                        yield Row(spelled(data, names), f"{path.relative_to(root)}: row {(number := number + 1)}")
        except pa.ArrowInvalid as error:
            raise ConfigError(f"{path} cannot be read ({error}). Is it cut off? Get it again.") from error


def _batches(stream: IO[bytes], path: Path, columns: Sequence[str] | None) -> tuple[Any, Iterable[Any]]:
    """The schema of a file, and a few rows of it after the other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        table = pq.ParquetFile(stream)
        return table.schema_arrow, table.iter_batches(32, columns=columns)
    whole = pa.ipc.open_stream(stream)
    there = [name for name in columns or whole.schema.names if name in whole.schema.names]
    return whole.schema, (batch.select(there) for batch in whole)


def _label_names(schema: Any) -> LabelNames:
    """What the numbers of a column stand for, as `datasets` writes it into a table."""
    said = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = said.get("info", {}).get("features", {})
    return {column: dict(enumerate(what["names"])) for column, what in features.items() if "names" in what}


def spelled(data: Mapping[str, Any], names: LabelNames) -> Mapping[str, Any]:
    """A row with the names of classes in place of their numbers; -1, of what has no label, stays a number."""
    return {
        **data,
        **{column: said.get(data[column], data[column]) for column, said in names.items() if column in data},
    }


def images_folder(spec: SuiteSpec, default: Path | None = None) -> Path:
    folder = Path(spec.params["images"]) if spec.params["images"] else default
    if folder is None or not folder.is_dir():
        raise ConfigError(f"images = {spec.params['images']!r} is no folder. Give the folder that holds the images.")
    return folder


def chosen(spec: SuiteSpec, param: str, allowed: Iterable[str]) -> str:
    """A parameter that is one of a few words."""
    value, known = spec.params[param], list(allowed)
    if value not in known:
        raise ConfigError(f"{param} = {value!r} is unknown. Allowed: {', '.join(known)}.")
    return str(value)


def embedded(value: Any) -> tuple[bytes, ...]:
    """The image of a table's cell, if it has one."""
    data = value.get("bytes") if isinstance(value, dict) else value
    return (data,) if isinstance(data, bytes) else ()


def finished(questions: Iterable[Question | LeftOut], spec: SuiteSpec) -> Iterator[RawSample | LeftOut]:
    """Samples with their images. One image that is missing stops it, unless missing images are to be left out."""
    if isinstance(questions, Sequence) and chosen(spec, "missing_images", (REFUSE, LEAVE_OUT)) == REFUSE:
        _refuse_missing([question for question in questions if isinstance(question, Question)])
    seen: dict[str, str] = {}
    for question in questions:
        if isinstance(question, LeftOut):
            yield question
            continue
        _refuse_odd(question, seen)
        if all(isinstance(image, bytes) or image.exists() for image in question.images):
            yield replace(question.sample, images=tuple(_picture(image, question.place) for image in question.images))
        else:
            yield LeftOut(question.sample.sample_id, "its image is missing")


def _refuse_missing(questions: Sequence[Question | LeftOut]) -> None:
    asked = [q for q in questions if isinstance(q, Question)]
    pairs = [(image, q.place) for q in asked for image in q.images if isinstance(image, Path)]
    absent = {image for image in {image for image, _ in pairs} if not image.exists()}
    if absent:
        image, place = next((image, place) for image, place in pairs if image in absent)
        raise ConfigError(
            f"{len(absent)} images are missing; the first is {image}, asked about in {place}. Is `images` the right folder? "
            f"`missing_images: {LEAVE_OUT}` goes on without them, and counts what it leaves out."
        )


def _refuse_odd(question: Question, seen: dict[str, str]) -> None:
    sample = question.sample
    other = seen.setdefault(sample.sample_id, question.place)
    if other != question.place:
        raise ConfigError(f"{question.place}: the id {sample.sample_id!r} is given twice, first in {other}.")
    if sample.labels and sample.gold not in sample.labels:
        raise ConfigError(f"{question.place}: the answer {sample.gold!r} is none of {', '.join(sample.labels)}.")


def _picture(image: Path | bytes, place: str) -> NDArray[np.uint8]:
    return _open(image, place) if isinstance(image, bytes) else _opened(image, image.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _opened(path: Path, time: int) -> NDArray[np.uint8]:
    """Consecutive questions are about the same image: it is decoded once for them."""
    return _open(path.read_bytes(), str(path))


def _open(data: bytes, place: str) -> NDArray[np.uint8]:
    try:
        return np.asarray(open_rgb(io.BytesIO(data)))
    except UnreadableImage as error:
        raise ConfigError(f"{place}: its image cannot be read ({error}).") from error
