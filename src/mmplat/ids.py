"""Content ids: the only place of mmplat that hashes.

An id is the hash of the canonical JSON of what it names, so equal things have equal ids on every machine. Machine settings
(batch size, device, paths) never enter an id; versions of extensions do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ID_LENGTH = 16  # hex digits = 64 bits: a million ids collide with probability 3e-8
NOTES = ("card.json", "README.md")
"""Files of a checkpoint that say something about it and change nothing of what it says."""


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value: sorted keys, no spaces, no NaN; 1.0 and 1 are the same number."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_id(value: Any, *, length: int = ID_LENGTH) -> str:
    """Hash of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


def bytes_id(data: bytes, *, length: int = ID_LENGTH) -> str:
    """Hash of raw bytes, for images and files."""
    return hashlib.sha256(data).hexdigest()[:length]


def file_id(path: Path, *, length: int = ID_LENGTH) -> str:
    """Hash of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:length]


def folder_id(folder: Path, *, length: int = ID_LENGTH, ignore: tuple[str, ...] = NOTES) -> str:
    """Hash of names and contents of all files below `folder` but `ignore`: the revision of a local checkpoint."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in ignore):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:length]


def seed_from(*parts: Any) -> int:
    """A 64-bit seed that depends on `parts` alone: the source of every random draw."""
    return int(content_id(list(parts), length=16), 16)


def _plain(value: Any) -> Any:
    if value is None or type(value) in (str, int, bool):  # most of what comes here
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"cannot name a {type(value).__name__} by its content: only JSON values have ids")
