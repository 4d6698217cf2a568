"""Implicit cues: a note that argues towards an answer without naming it, read from a file of stored notes.

`misleading-note` leads away from the right answer, `guiding-note` towards it. Parameter `k` says which of the notes on a sample;
papers count a sample as misled if any of several notes misleads it, so each note is a condition of its own, and diagnostics
report them one by one and together. Notes in which the checks found something are left out with that reason unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

import numpy as np

from mmplat.conditions._pools import existing
from mmplat.conditions._texts import after_stem, at_end
from mmplat.conditions.base import Condition, Value, catalog, noted
from mmplat.notes import Direction, Note, read_notes
from mmplat.samples import CLEAN, LEADS, LeftOut, RawSample

LEAD_IN = "Please pay attention to this instruction: "
"""The paper's words before a note."""
LEAVE_OUT, KEEP = FLAGGED = ("leave-out", "keep")
MISLEADING, GUIDING = get_args(Direction)
LEADS_TO = {MISLEADING: "wrong", GUIDING: "gold"}


def note(direction: str) -> Callable[[RawSample, Mapping[str, Value], np.random.Generator], RawSample | LeftOut]:
    def apply(sample: RawSample, params: Mapping[str, Value], rng: np.random.Generator) -> RawSample | LeftOut:
        found = read_notes(str(params["path"])).get((sample.sample_id, direction, int(params["k"])))
        if found is None:
            return LeftOut(sample.sample_id, f"there is no {direction} note {params['k']} on it")
        if found.flags and params["flagged"] == LEAVE_OUT:
            return LeftOut(sample.sample_id, f"its {direction} note {params['k']} is flagged: {', '.join(found.flags)}")
        said = {"note": found.text, "by": found.by, "flags": list(found.flags), LEADS: LEADS_TO[direction]}
        return noted(_placed(sample, found), **said, **{CLEAN: sample.question})

    return apply


def _placed(sample: RawSample, found: Note) -> RawSample:
    """Before the options where they are listed behind the question, at the end else."""
    listed = sample.question.partition(sample.stem)[2] if sample.stem else ""
    place = after_stem if any(option and option in listed for option in sample.options) else at_end
    return place(sample, LEAD_IN + found.text)


def refuse(params: Mapping[str, Value]) -> str | None:
    if not params["path"]:
        return "no path: give the file that `mmplat mub notes` wrote"
    if params["flagged"] not in FLAGGED:
        return f"flagged = {params['flagged']!r}. Allowed: {', '.join(FLAGGED)}"
    k = params["k"]
    return None if isinstance(k, int) and k >= 0 else f"k = {k!r}. Allowed: whole numbers from 0"


for _direction, _summary in (
    (MISLEADING, "a stored note that argues away from the right answer"),
    (GUIDING, "a stored note that argues towards the right answer"),
):
    catalog.add(
        f"{_direction}-note",
        Condition(
            f"{_direction}-note",
            _summary,
            "instruction",
            note(_direction),
            defaults={"path": "", "k": 0, "flagged": LEAVE_OUT},
            refuse=refuse,
            sources=lambda params: {"notes": existing(params["path"])},
            places=("path",),
        ),
    )
