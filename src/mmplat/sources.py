"""What a suite reads, named by content: the hash of its files is part of its key, and where they lie is not.

A file is hashed again when its size or its time changed. What was hashed is remembered in the user's cache folder, so that a
plan of thousands of images takes as long as asking the file system for their sizes.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

from mmplat.ids import content_id, file_id

log = logging.getLogger(__name__)

TOO_FRESH_NS = 2_000_000_000
"""A file that was written a moment ago may be written again within one tick of its file system's clock."""


def content_of(sources: Mapping[str, Path | str]) -> str:
    """One id for all `sources`; a file that is not there is part of it too."""
    stamps = {name: _stamp(source) for name, source in sources.items()}
    known = cache_folder() / content_id(stamps)
    if known.exists():
        return known.read_text(encoding="utf-8")
    found = content_id({name: _content(source) for name, source in sources.items()})
    if all(stamp is None or time.time_ns() - int(stamp[-1]) > TOO_FRESH_NS for stamp in stamps.values()):
        _remember(known, found)
    return found


def cache_folder() -> Path:
    """Where hashes of files are remembered: it can be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mmplat" / "sources"


def _stamp(source: Path | str) -> list[str | int] | None:
    """What changes when a file does; a pinned revision never changes."""
    if isinstance(source, str):
        return [source, 0]
    try:
        state = source.stat()
    except FileNotFoundError:
        return None
    return [str(source.absolute()), state.st_size, state.st_mtime_ns]


def _content(source: Path | str) -> str | None:
    if isinstance(source, str):
        return source
    return file_id(source) if source.exists() else None


def _remember(path: Path, content: str) -> None:
    """A cache that cannot be written costs time and nothing else."""
    from mmplat.artifacts import write_bytes

    try:
        write_bytes(path, content.encode(), sync=False)
    except OSError as error:
        log.info("What files hold cannot be remembered in %s (%s); they are hashed at each plan.", path.parent, error)
