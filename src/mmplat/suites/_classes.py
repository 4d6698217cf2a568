"""Pictures sorted by class, as they are published: a folder per class, or a list beside a folder; and what classes are called.

Every picture has an id that depends on its class and file alone. Pictures are taken in the order of their ids, which is an order
by chance: files are sorted by class, and a limit would see one class otherwise.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites._files import Row, json_object, text_of

SUFFIXES = (".jpg", ".jpeg", ".png")
SPLITS = ("train", "val", "validation", "test")
FOLDERS = ("images", "101_ObjectCategories")
"""Where releases put the folders of classes."""
NAMELESS = re.compile(r"n\d{8}|-?\d+")
"""A WordNet id, or the number of a class (-1 where a test split keeps its labels to itself)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a class, not opened yet."""

    of: str
    """Its class, as files call it."""
    file: str
    """What names it within its class."""
    path: Path
    place: str

    @property
    def identity(self) -> str:
        return identity(self.of, self.file)


def identity(of: str, file: str) -> str:
    """As in the paper on modality interference: the MD5 of `class/file`."""
    return hashlib.md5(f"{of}/{file}".encode(), usedforsecurity=False).hexdigest()


def files(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    """The files that say which pictures there are and what classes are called; folders need none."""
    names = {"names": Path(spec.params["names"])} if spec.params["names"] else {}
    return {**_lists(spec, path), **names}


def _lists(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    """The list of the split, where there are such lists."""
    known = {name: path / name for split in SPLITS for name in (f"{split}.csv", f"meta/{split}.txt")}
    there = {name: file for name, file in known.items() if file.is_file()}
    found = {name: file for name, file in there.items() if file.stem == spec.params["split"]}
    if there and not found:
        raise ConfigError(f"split = {spec.params['split']!r} has no list in {path}. There are {', '.join(there)}.")
    return found


def pictures(spec: SuiteSpec, path: Path, what: str) -> list[Picture]:
    """Every picture of the split: those that a list names, or all that lie in folders of classes."""
    inner = (path / name for name in (*FOLDERS, spec.params["split"]))
    root = next((folder for folder in inner if folder.is_dir()), path)
    lists = _lists(spec, path).values()
    found = [picture for file in lists for picture in _of_list(file, root)] if lists else list(_of_folders(root))
    if not found:
        where = next(iter(lists), root)
        raise ConfigError(f"{where} names no picture of a class ({', '.join(SUFFIXES)} in folders). `path` is {what}.")
    return found


def _of_list(file: Path, root: Path) -> Iterator[Picture]:
    """Mini-ImageNet's `filename,label`, or Food-101's `class/file` without a suffix."""
    rows = _of_csv(file) if file.suffix == ".csv" else _of_lines(file)
    for row in rows:
        of, name = row.text("label"), row.text("filename")
        inner = name if file.suffix == ".csv" else f"{of}/{name}"
        yield Picture(of, Path(inner).name, root / inner, row.place)


def _of_csv(file: Path) -> Iterator[Row]:
    lines = csv.DictReader(text_of(file).splitlines())
    return (Row(data, f"{file}:{lines.line_num}") for data in lines)


def _of_lines(file: Path) -> Iterator[Row]:
    for number, line in enumerate(text_of(file).splitlines(), 1):
        of, slash, name = line.strip().partition("/")
        if line.strip() and not slash:
            raise ConfigError(f"{file}:{number}: a line is class/file, not {line!r:.60}.")
        if line.strip():
            yield Row({"label": of, "filename": f"{name}.jpg"}, f"{file}:{number}")


def _of_folders(root: Path) -> Iterator[Picture]:
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        for name in sorted(os.listdir(folder)):
            if name.lower().endswith(SUFFIXES):
                yield Picture(folder.name, name, folder / name, f"{folder}/{name}")


def called(classes: Iterable[str], names: str) -> dict[str, str]:
    """What a reader is shown for each class: what the file `names` says, or its own name without underscores."""
    known = _names(Path(names)) if names else {}
    found = {of: known.get(of, of.replace("_", " ")).strip() for of in sorted(set(classes))}
    _refuse_ids(found, names)
    _refuse_namesakes(found)
    return found


def _names(file: Path) -> Mapping[str, str]:
    """`id name, synonym` per line as ImageNet's LOC_synset_mapping.txt, {id: name}, or {number: [id, name]}."""
    if not file.is_file():
        raise ConfigError(
            f"names = {str(file)!r} is no file. It says what classes are called: `id name` per line, or JSON."
        )
    if file.suffix != ".json":
        pairs = [line.split(maxsplit=1) for line in text_of(file).splitlines() if line.strip()]
        return {pair[0]: pair[-1].split(",")[0] for pair in pairs}
    said = json_object(file).data
    pairs = [list(value) if isinstance(value, list) else [key, value] for key, value in said.items()]
    return {pair[0]: pair[-1].split(",")[0].replace("_", " ") for pair in pairs}


def _refuse_ids(found: Mapping[str, str], names: str) -> None:
    nameless = [of for of, name in found.items() if NAMELESS.fullmatch(name)]
    if nameless:
        lacking = f"; {names} does not name them" if names else ""
        raise ConfigError(
            f"{len(nameless)} classes have no name but a number or a WordNet id; the first is {nameless[0]!r}. Give `names`, a "
            f"file with `id name` per line (ImageNet's LOC_synset_mapping.txt){lacking}."
        )


def _refuse_namesakes(found: Mapping[str, str]) -> None:
    """Two classes of one name would both be the right option."""
    first: dict[str, str] = {}
    for of, name in found.items():
        other = first.setdefault(name.casefold(), of)
        if other != of:
            raise ConfigError(f"the classes {other!r} and {of!r} are both called {name!r}. Give `names` that differ.")
