"""Implicit cues: a note that argues towards an answer without naming it, from a file of stored notes or by rule.

`misleading-note` leads away from the right answer, `guiding-note` towards it. Parameter `k` says which of the notes on a sample;
papers count a sample as misled if any of several notes misleads it, so each note is a condition of its own, and diagnostics
report them one by one and together; for training, one of them is drawn. Notes in which the checks found something are left out
with that reason unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import numpy as np

from mmplat.conditions._pools import existing
from mmplat.conditions._texts import after_stem, at_end
from mmplat.conditions._wordings import HELD_OUT, TRAINED
from mmplat.conditions.base import SEED, Condition, Value, catalog, noted
from mmplat.notes import Direction, Note, flags_of, read_notes
from mmplat.samples import CLEAN, LEADS, LeftOut, RawSample
from mmplat.world import notes as world

FILE, RULES = WRITERS = ("file", "rules")
LEAD_IN = "Please pay attention to this instruction:"
"""The paper's words before a note."""
DRAWN = "drawn"
"""In place of the number of a note: one of those on a sample."""
LEAVE_OUT, KEEP = FLAGGED = ("leave-out", "keep")
WORDINGS = (TRAINED, HELD_OUT)
MISLEADING, GUIDING = get_args(Direction)
LEADS_TO = {MISLEADING: "wrong", GUIDING: "gold"}
DEFAULTS: Mapping[str, Value] = {
    "by": FILE,
    "path": "",
    "wording": TRAINED,
    "k": 0,
    "lead": LEAD_IN,
    "flagged": LEAVE_OUT,
    SEED: 0,
}


def note(direction: str) -> Callable[[RawSample, Mapping[str, Value], np.random.Generator], RawSample | LeftOut]:
    def apply(sample: RawSample, params: Mapping[str, Value], rng: np.random.Generator) -> RawSample | LeftOut:
        notes = NOTES_ON[str(params["by"])](sample, direction, params)
        found = _drawn(notes, params, rng) if params["k"] == DRAWN else _numbered(notes, params)
        if isinstance(found, str):
            return LeftOut(sample.sample_id, found.format(direction))
        said = {"note": found.text, "by": found.by, "flags": list(found.flags), LEADS: LEADS_TO[direction]}
        return noted(_placed(sample, f"{params['lead']} {found.text}".lstrip()), **said, **{CLEAN: sample.question})

    return apply


def _stored(sample: RawSample, direction: str, params: Mapping[str, Value]) -> Mapping[int, Note]:
    return read_notes(str(params["path"])).get((sample.sample_id, direction), {})


def _by_rules(sample: RawSample, direction: str, params: Mapping[str, Value]) -> Mapping[int, Note]:
    """As they would be written and checked for a file."""
    held_out = params["wording"] == HELD_OUT
    said = {"sample_id": sample.sample_id, "direction": direction, "by": world.by(held_out=held_out)}
    texts = world.notes_on(sample, direction, held_out=held_out)
    return {k: Note(**said, k=k, text=text, flags=flags_of(sample, direction, text)) for k, text in enumerate(texts)}


NOTES_ON = {FILE: _stored, RULES: _by_rules}


def _numbered(notes: Mapping[int, Note], params: Mapping[str, Value]) -> Note | str:
    """The note that is asked for, or why there is none."""
    found = notes.get(int(params["k"]))
    if found is None:
        return f"there is no {{}} note {params['k']} on it"
    flagged = found.flags and params["flagged"] == LEAVE_OUT
    return f"its {{}} note {params['k']} is flagged: {', '.join(found.flags)}" if flagged else found


def _drawn(notes: Mapping[int, Note], params: Mapping[str, Value], rng: np.random.Generator) -> Note | str:
    """One of the notes, each equally often, or why there is none."""
    fit = [found for found in notes.values() if not found.flags or params["flagged"] == KEEP]
    if not fit:
        return "all {} notes on it are flagged" if notes else "there is no {} note on it"
    return fit[int(rng.integers(len(fit)))]


def _placed(sample: RawSample, text: str) -> RawSample:
    """Before the options where they are listed behind the question, at the end else."""
    listed = sample.question.partition(sample.stem)[2] if sample.stem else ""
    place = after_stem if any(option and option in listed for option in sample.options) else at_end
    return place(sample, text)


def refuse(params: Mapping[str, Value]) -> str | None:
    for name, allowed in (("by", WRITERS), ("wording", WORDINGS), ("flagged", FLAGGED)):
        if params[name] not in allowed:
            return f"{name} = {params[name]!r}. Allowed: {', '.join(allowed)}"
    if params["by"] == RULES and params["path"]:
        return "both by: rules and a path. Give one: rules need no file"
    if params["by"] == FILE and not params["path"]:
        return "no path: give the file that `mmplat mub notes` wrote, or on suites of the world `by: rules`"
    if params["by"] == FILE and params["wording"] != TRAINED:
        return f"wording = {params['wording']!r}, which is of `by: rules`: a file holds the wordings that it was written with"
    k = params["k"]
    return (
        None if k == DRAWN or (isinstance(k, int) and k >= 0) else f"k = {k!r}. Allowed: whole numbers from 0, {DRAWN}"
    )


def sources(params: Mapping[str, Value]) -> Mapping[str, Path | str]:
    """What the notes are found in, by content: a file, or the wordings themselves."""
    by_rules = params["by"] == RULES
    return {"notes": world.content(held_out=params["wording"] == HELD_OUT) if by_rules else existing(params["path"])}


for _direction, _summary in (
    (MISLEADING, "a note that argues away from the right answer, stored or by rule"),
    (GUIDING, "a note that argues towards the right answer, stored or by rule"),
):
    catalog.add(
        f"{_direction}-note",
        Condition(
            f"{_direction}-note",
            _summary,
            "instruction",
            note(_direction),
            defaults=DEFAULTS,
            refuse=refuse,
            sources=sources,
            places=("path",),
        ),
    )
