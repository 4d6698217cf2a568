"""Files of stored notes: one JSON object a line, each note with who wrote it and what the checks found in it.

`mmplat mub notes` writes them, and the conditions of `conditions/notes.py` put what they hold into questions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mmplat.artifacts import write_lines
from mmplat.errors import ConfigError
from mmplat.records import Record

Direction = Literal["misleading", "guiding"]
Known = Mapping[tuple[str, str], Mapping[int, "Note"]]
"""By sample and direction, then by number, in order."""


class Note(Record):
    """One note about one sample."""

    sample_id: str
    direction: Direction
    """Away from the right answer, or towards it."""
    k: int = Field(ge=0)
    """Which of the notes on this sample in this direction."""
    text: str
    by: dict[str, Any]
    """Who wrote it: an endpoint with its model and prompt, rules, or the released data."""
    flags: tuple[str, ...] = ()
    """What the checks found wrong with it; empty: nothing."""


def read_notes(path: str | Path) -> Known:
    """What a file holds; read anew when it changed."""
    found = Path(path)
    if not found.is_file():
        raise ConfigError(f"there is no file {found}: `mmplat mub notes` writes one")
    state = found.stat()
    return _read(found, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, *stamp: int) -> Known:
    notes: dict[tuple[str, str], dict[int, Note]] = {}
    # Not splitlines: a note may hold U+2028 or its like, and JSON lets them stand.
    lines = enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
    for number, line in ((number, line) for number, line in lines if line):
        try:
            note = Note.model_validate_json(line)
        except ValidationError as error:
            what = error.errors()[0]
            raise ConfigError(
                f"{path}:{number}: this is no note ({'.'.join(map(str, what['loc'])) or 'line'}: {what['msg']}). "
                "`mmplat mub notes` writes such files."
            ) from None
        own = notes.setdefault((note.sample_id, note.direction), {})
        if own.setdefault(note.k, note) is not note:
            raise ConfigError(f"{path}:{number}: {note.direction} note {note.k} on {note.sample_id!r} is there twice.")
    return {key: dict(sorted(own.items())) for key, own in notes.items()}


def write_notes(path: Path, notes: Iterable[Note]) -> Path | None:
    """Returns where the notes lie now that the file held before and these lack."""
    return write_lines(
        path, (json.dumps(note.model_dump(mode="json"), ensure_ascii=False, sort_keys=True) for note in notes)
    )
