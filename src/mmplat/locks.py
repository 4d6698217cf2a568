"""Locks of the results folder: one writer of a folder at a time, and no sweeping while something is being made.

They are locks of the file system, which NFS knows too: released when their process ends in any way.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mmplat.artifacts import Results, writing_allowed
from mmplat.errors import ArtifactError, Busy
from mmplat.records import PLACES


@dataclass(slots=True)
class _Use:
    """The open lock of a results folder, and how many tasks of this process hold it."""

    stream: IO[bytes]
    holders: int = 0


_uses: dict[Path, _Use] = {}
_uses_guard = threading.RLock()


@contextlib.contextmanager
def in_use(results: Results) -> Iterator[None]:
    """Around whatever makes files that nothing refers to yet. Many processes may hold this at once; none may sweep meanwhile."""
    with _uses_guard:
        path = _use_file(results)
        if path not in _uses:
            stream = path.open("a+b")
            try:
                _take(stream, fcntl.LOCK_SH, range(1), results.root, lambda: _swept(results))
            except ArtifactError:
                stream.close()
                raise
            _uses[path] = _Use(stream)
        _uses[path].holders += 1
    try:
        yield
    finally:
        with _uses_guard:
            _uses[path].holders -= 1
            if not _uses[path].holders:
                _uses.pop(path).stream.close()


@contextlib.contextmanager
def alone(results: Results) -> Iterator[None]:
    """Around sweeping: while nobody plans, prepares, asks, trains or imports in this folder."""
    with _uses_guard:
        path = _use_file(results)
        if path in _uses:
            raise _used(results)
        with path.open("a+b") as stream:
            _take(stream, fcntl.LOCK_EX, range(1), results.root, lambda: _used(results))
            yield


def _swept(results: Results) -> Busy:
    return Busy(f"{results.root} is being swept by `mmplat gc --delete`. Wait for it, and run this again.")


def _used(results: Results) -> Busy:
    return Busy(
        f"Something is being planned, prepared, asked, trained or imported in {results.root}: what it makes is referred to "
        "only afterwards. Wait for it, or stop it, and run this again."
    )


def _use_file(results: Results) -> Path:
    path = (results.root / ".in-use").resolve()
    with writing_allowed(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # to open and close it would drop the locks of this process
            path.touch(0o666)
    return path


ALL_PLACES = range(PLACES)
_held: set[Path] = set()
"""Folders that this process holds. Locks belong to the process, and closing a second handle would drop the first's."""


@contextlib.contextmanager
def only_writer(folder: Path, *, what: str, places: range = ALL_PLACES) -> Iterator[None]:
    """Holds `folder` for this process; a second process is told who holds it instead of writing beside it.

    Processes that write rows of different `places` hold it side by side. One byte of the lock file stands for one place, so
    the file system itself (NFS too) keeps ranges apart that overlap.
    """
    with writing_allowed(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = (folder / ".lock").resolve()
    if path in _held:
        raise _busy(folder, what, places)
    holder = folder / f".writer-{places.start}-{places.stop}"
    with writing_allowed(folder):
        stream = path.open("ab")
    with stream:
        _take(stream, fcntl.LOCK_EX, places, folder, lambda: _busy(folder, what, places))
        _held.add(path)
        try:
            for left in _writers(folder, places):  # of killed processes: what they held is ours now
                left.unlink(missing_ok=True)
            holder.write_text(f"process {os.getpid()} on {os.uname().nodename}", encoding="utf-8")
            yield
        finally:
            holder.unlink(missing_ok=True)
            _held.discard(path)


def _take(stream: IO[bytes], kind: int, places: range, folder: Path, busy: Callable[[], Busy]) -> None:
    """Locks these bytes of an open file, until it is closed or the process dies; `busy` is the error where another holds them."""
    try:
        fcntl.lockf(stream, kind | fcntl.LOCK_NB, len(places), places.start)
    except (BlockingIOError, PermissionError):  # both are allowed to say that it is taken
        raise busy() from None
    except OSError as error:
        raise ArtifactError(
            f"{folder} lies on a file system that cannot lock files ({error.strerror}). Locks keep two jobs from asking the "
            "same rows: put the results folder on one that can (NFS with its lock service, Lustre mounted with -o flock)."
        ) from error


def _busy(folder: Path, what: str, places: range) -> Busy:
    names = []
    for path in _writers(folder, places):
        with contextlib.suppress(FileNotFoundError):  # it ends at this very moment
            names.append(path.read_text(encoding="utf-8"))
    who = " or ".join(filter(None, names)) or "another process"
    return Busy(
        f"{what} is being written by {who} (lock {folder / '.lock'}). Wait for it, or stop it, and run this again: "
        "what it has finished is kept."
    )


def _writers(folder: Path, places: range) -> list[Path]:
    """Files in which writers of some of these places have named themselves."""
    found = []
    for path in sorted(folder.glob(".writer-*")):
        start, stop = (int(number) for number in path.name.split("-")[1:])
        if start < places.stop and places.start < stop:
            found.append(path)
    return found
