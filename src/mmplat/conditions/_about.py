"""What is told about an option: sentences from a file that `mmplat facts generate` wrote, or one's own (JSON lines).

A row holds `option` and `text`; what else it holds (who wrote it, when, by which prompt) is provenance, and read by people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmplat.conditions._pools import existing
from mmplat.conditions.base import Value
from mmplat.errors import ConfigError

LETTER = re.compile(r"\(([A-Z])\)|\b(?:answer|option|choice)\s+(?:is\s+)?\(?([A-Z])\b", re.IGNORECASE)
"""A text that speaks of lettered options gives an answer, true or not, and is no description."""


def about(path: Value) -> Mapping[str, str]:
    """Option → text, by the option in lower case; of several texts of one option the first."""
    found = existing(path)
    state = found.stat()
    return _about(found, state.st_mtime_ns, state.st_size)


def leaks(text: str, right: str) -> str | None:
    """Why a text about a wrong option must not stand beside a question whose right answer is `right`; None: it may."""
    if re.search(rf"\b{re.escape(right.strip())}\b", text, re.IGNORECASE):
        return f"it names the right answer, {right!r}"
    if LETTER.search(text):
        return "it speaks of options by their letters"
    return None


@lru_cache(maxsize=16)
def _about(path: Path, *stamp: int) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            row = _row(line, f"{path}:{number}")
            found.setdefault(row["option"].strip().lower(), row["text"].strip())
    return found


def _row(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{place}: this is not valid JSON ({error}). One object a line, with `option` and `text`."
        ) from None
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("option", "text")):
        raise ConfigError(f"{place}: a row is an object with the texts `option` and `text`; this is {line:.60}.")
    return row
