"""What lies in a results folder and no campaign refers to: evidence of models and suites that left every grid, above all.

Nothing is deleted that a campaign's plan, batches or decisions name, that somebody is writing, or that was paid for
(`replies/`). A campaign is taken away by deleting its folder; what it alone referred to is garbage then.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmplat.archive.holdings import Holdings, campaigns_in, holdings_of
from mmplat.archive.loading import STAGING
from mmplat.artifacts import Results
from mmplat.errors import Busy, ConfigError
from mmplat.locks import only_writer

LEFTOVER_S = 24 * 3600
"""A temporary file of this age belongs to nobody: files are renamed within seconds of being written."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """A file or folder that nothing refers to."""

    path: Path
    what: str
    bytes: int


def collect(results: Results) -> list[Garbage]:
    """Everything that may go, the largest first; nothing is touched."""
    campaigns = campaigns_in(results)
    if not campaigns:
        raise ConfigError(
            f"{results.root} holds no campaign of its own, so nothing in it is referred to and all would be garbage. Check "
            "--results; delete the folder itself if it is really meant."
        )
    held = [holdings_of(results, campaign) for campaign in campaigns]
    found = [
        Garbage(path, what, size_of(path))
        for finder in FINDERS
        for what, path in finder(results, held)
        if path.exists()
    ]
    return sorted(found, key=lambda one: (-one.bytes, str(one.path)))


def delete(one: Garbage) -> str | None:
    """Removes it, unless a process is writing it: then why not is said."""
    if one.path.is_file():
        one.path.unlink(missing_ok=True)
        return None
    try:
        with only_writer(one.path, what=str(one.path)):
            shutil.rmtree(one.path)
    except Busy as busy:
        return str(busy)
    _remove_empty(one.path.parent)
    return None


def size_of(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(state.st_size for file in files if file.is_file() and (state := _state(file)))


def _state(path: Path) -> os.stat_result | None:
    """None where a job has renamed or removed it at this very moment."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _evidence(results: Results, held: Iterable[Holdings]) -> Iterator[tuple[str, Path]]:
    kept = frozenset[Path]().union(*(one.evidence for one in held))
    pending = frozenset[Path]().union(*(one.pending for one in held))
    for folder in results.evidence_root.glob("model=*/suite=*/*"):
        if folder.is_dir() and folder not in kept and folder.parent not in pending:
            yield "evidence", folder


def _suites(results: Results, held: Iterable[Holdings]) -> Iterator[tuple[str, Path]]:
    kept = frozenset[Path]().union(*(one.suites for one in held))
    for path in (*results.suites_root.glob("*/*"), *results.suites_root.glob("*.json")):
        if path not in kept and (path.is_dir() or path.parent == results.suites_root):
            yield "prepared suite", path


def _batches(results: Results, held: Iterable[Holdings]) -> Iterator[tuple[str, Path]]:
    kept = frozenset[Path]().union(*(one.batches for one in held))
    for path in (results.root / "batches").glob("*.json"):
        if path not in kept:
            yield "batch", path


def _trained(results: Results, held: Iterable[Holdings]) -> Iterator[tuple[str, Path]]:
    kept = frozenset[Path]().union(*(one.trained for one in held))
    for path in results.trained_root.glob("*"):
        if path not in kept:
            yield "trained model", path


def _decided(results: Results, held: Iterable[Holdings]) -> Iterator[tuple[str, Path]]:
    for one in held:
        for folder in one.folder.glob("decided/model=*/suite=*"):
            if folder not in one.decided:
                yield "decisions outside the grid", folder


def _leftovers(results: Results, held: Iterable[Holdings]) -> Iterator[tuple[str, Path]]:
    """Parts that could not be read, temporary files of killed processes, and imports that did not end."""
    yield from (("import that did not end", path) for path in results.root.glob(f"{STAGING}*"))
    for room in ("evidence", "suites", "batches", "trained", "campaigns"):
        yield from (("broken part", path) for path in (results.root / room).rglob("*.broken"))
        for path in (results.root / room).rglob(".*.tmp"):
            state = _state(path)
            if state and time.time() - state.st_mtime > LEFTOVER_S:
                yield "temporary file", path


def _remove_empty(folder: Path) -> None:
    """Folders of a model or a suite of which nothing is left."""
    while folder.name.startswith(("model=", "suite=")) and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


FINDERS = (_evidence, _suites, _batches, _trained, _decided, _leftovers)
