"""Files of what is told about options: one JSON object a line, written by `mmplat facts generate` or by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from mmplat.artifacts import write_lines
from mmplat.conditions._pools import existing
from mmplat.conditions.base import Value
from mmplat.errors import ConfigError
from mmplat.records import Record

LETTER = re.compile(r"\([A-Z]\)|\b(?i:answer|option|choice)\s+(?i:is\s+)?\(?[A-Z]\b")
"""A text that speaks of lettered options gives an answer, true or not, and is no description."""


class About(Record):
    """What is told about one option."""

    option: str
    text: str
    by: dict[str, Any] = Field(default_factory=dict)
    """Who wrote it: a model with its prompt; empty: whoever wrote the file."""


def about(path: Value) -> Mapping[str, str]:
    """Option, as `plain` spells it → text; read anew when the file changed."""
    found = existing(path)
    state = found.stat()
    return _read(found, state.st_mtime_ns, state.st_size)


def plain(option: str) -> str:
    """Options that differ in case or in the space around them are one."""
    return option.strip().lower()


def leak(text: str, right: str) -> str | None:
    """Why a text about a wrong option must not stand beside a question whose right answer is `right`; None: it may."""
    if re.search(rf"(?<!\w){re.escape(right.strip())}(?!\w)", text, re.IGNORECASE):
        return f"it names the right answer, {right.strip()!r}"
    if LETTER.search(text):
        return "it speaks of options by their letters"
    return None


def write_about(path: Path, told: Iterable[About]) -> Path | None:
    """Returns where the texts lie now that the file held before and these lack."""
    return write_lines(
        path, (json.dumps(one.model_dump(mode="json"), ensure_ascii=False, sort_keys=True) for one in told)
    )


@lru_cache(maxsize=8)
def _read(path: Path, *stamp: int) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"), 1):
        try:
            one = About.model_validate_json(line)
        except ValidationError as error:
            what = error.errors()[0]
            where = ".".join(map(str, what["loc"])) or "line"
            raise ConfigError(
                f"{path}:{number}: this tells nothing about an option ({where}: {what['msg']}). "
                'A row is {"option": …, "text": …}; `mmplat facts generate` writes such files.'
            ) from None
        if plain(one.option) in found:
            raise ConfigError(f"{path}:{number}: option {one.option!r} is there twice. Keep one.")
        found[plain(one.option)] = one.text.strip()
    return found
