"""MM-SpuBench on disk, as released: annotation.json and data/images. Small, and never the released questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmark_files import write_picture

from mmplat.spurious import TYPES

NAMES = (
    "BG",
    "Texture and Noise",
    "Co-occurring Objects",
    "RS",
    "Colorization",
    "Ori.",
    "LS",
    "Perspective & Angle",
    "Sha.",
)
"""The nine types, each under a name that files may use."""


def annotation(number: int, **changed: Any) -> dict[str, Any]:
    """One row: the right option is built on the core attribute and stands behind each letter by turns."""
    kind, answer = number % len(TYPES), number % 4
    core = f"core mark {number}"
    choices = [f"side mark {number}-{place}" for place in range(3)]
    choices.insert(answer, core)
    row = {
        "id": number,
        "question": f"Which mark tells what thing {number} is?",
        "choices": choices,
        "answer": "ABCD"[answer],
        "type": NAMES[kind],
        "core_attributes": [core],
        "spurious_attributes": [choice for choice in choices if choice != core],
    }
    return {key: value for key, value in {**row, **changed}.items() if value is not None}


def write_spubench(folder: Path, rows: list[dict[str, Any]] | int = 18, suffix: str = ".png") -> Path:
    """annotation.json and one image per row; returns the folder."""
    rows = [annotation(number) for number in range(rows)] if isinstance(rows, int) else rows
    for row in rows:
        write_picture(folder / "data" / "images" / f"{row['id']:06}{suffix}", row["id"])
    (folder / "annotation.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder
