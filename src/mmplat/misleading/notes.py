"""Writes the notes on a prepared suite: by an endpoint that sees the picture, by rules on the world, or from the released data.

What comes back is split, checked and stored with who wrote it; nothing is thrown away, so that a flag can be looked into. The
endpoint keeps every reply as it comes, and its budget and prices are those of any other endpoint.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from mmplat.artifacts import Results
from mmplat.documents import Document, read_text, validated
from mmplat.errors import ConfigError
from mmplat.grid import SuiteEntry
from mmplat.judges import bind_writer
from mmplat.misleading.prompts import SEPARATOR, TEMPLATES
from mmplat.models import Failure
from mmplat.notes import Direction, Note, flags_of, write_notes
from mmplat.numbers import Whole
from mmplat.preparing import load_samples, prepare
from mmplat.records import ModelSpec, Prompt, Record, Sample
from mmplat.suites import bind as bind_suite
from mmplat.world import notes as world

NUMBERED = re.compile(r"^\s*(?:\d+[.)、]|[-*•])\s*")
Advance = Callable[[int], None]


class NotesFile(Record):
    """What `mmplat mub notes` reads: the suite, who writes, how many notes, and where they go."""

    suite: str | SuiteEntry
    by: Literal["endpoint", "rules", "released"]
    out: str
    """The file of notes that is written."""
    notes: Whole = Field(5, ge=1, le=20)
    """Notes on each sample in each direction."""
    directions: tuple[Direction, ...] = Field(("misleading", "guiding"), min_length=1)
    wording: Literal["trained", "held-out"] = "trained"
    """Of rules: wordings that may be trained on, or those that are for measuring alone."""
    writer: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the endpoint: url, model, key_env, max_cost, … (docs/endpoints.md)."""

    @model_validator(mode="after")
    def _whole(self) -> NotesFile:
        if len({*self.directions}) < len(self.directions):
            raise ValueError(f"directions name one twice: {', '.join(self.directions)}")
        for name, whose in (("writer", "endpoint"), ("wording", "rules")):
            if name in self.model_fields_set and self.by != whose:
                raise ValueError(
                    f"`{name}` is of `by: {whose}`, and this is `by: {self.by}`: leave it out, or say who writes"
                )
        return self


@dataclass(slots=True)
class Written:
    """What came of it."""

    notes: list[Note] = field(default_factory=list)
    without: Counter[str] = field(default_factory=Counter)
    """Samples without a note, by direction."""
    fewer: Counter[str] = field(default_factory=Counter)
    """Samples with fewer notes than were asked for, by direction."""
    failures: list[str] = field(default_factory=list)
    kept: Path | None = None
    """Where the file lies that was there before and held something else."""

    @property
    def flags(self) -> Counter[str]:
        return Counter(flag for note in self.notes for flag in note.flags)


def load(path: Path) -> NotesFile:
    text = read_text(path, what="file of notes to write", hint="docs/misleading.md shows one.")
    return validated(NotesFile, Document(text, str(path)), what="a file of notes to write")


def write(spec: NotesFile, results: Results, *, advance: Advance = lambda n: None) -> Written:
    """Prepares the suite, lets the notes be written, checks them, and writes the file."""
    out, written = _place(spec.out), Written()
    entry = SuiteEntry(name=spec.suite) if isinstance(spec.suite, str) else spec.suite
    suite = bind_suite(entry.name, entry.params, name=entry.as_, limit=entry.limit)
    folder = prepare(suite, results).parent
    samples = [sample for sample in load_samples(folder) if sample.labels]
    if not samples:
        raise ConfigError(f"Suite {suite.name!r} has no closed questions, so no note can lead to another answer.")
    for sample, direction, texts, by in _sources(spec, samples, folder, results, written):
        notes = [note for note in texts if note][: spec.notes]
        if len(notes) < spec.notes:
            (written.fewer if notes else written.without)[direction] += 1
        said = {"sample_id": sample.sample_id, "direction": direction, "by": by}
        written.notes += [
            Note(**said, k=k, text=text, flags=flags_of(sample, direction, text)) for k, text in enumerate(notes)
        ]
        advance(1)
    if not written.notes and not written.failures:
        raise ConfigError(f"There is no note on any sample of suite {suite.name!r}: {NOTHING[spec.by]}.")
    written.kept = write_notes(out, sorted(written.notes, key=lambda one: (one.sample_id, one.direction, one.k)))
    return written


NOTHING = {
    "endpoint": "every reply was empty; see what the endpoint says to its first question in replies/ below the results",
    "rules": "rules speak of the things of the synthetic world alone (world-objects, world-spurious, world-both)",
    "released": "only released implicit files of suite `mub` hold notes (allmislead_gpt….jsonl)",
}
"""What to do where nobody wrote anything."""


def _place(out: str) -> Path:
    """Where the notes will lie; a place that cannot be written to is told before anything is asked and paid for."""
    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out = {out!r}: the folder {path.parent} cannot be made: {error}.") from error
    if path.is_dir():
        raise ConfigError(f"out = {out!r} is a folder. Give the name of the file that is to be written.")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"out = {out!r}: the folder {path.parent.resolve()} cannot be written to. Give another one.")
    return path


def split(text: str) -> list[str]:
    """The notes of one reply: separated by ///, without their numbers."""
    parts = (NUMBERED.sub("", part.strip()).strip() for part in text.split(SEPARATOR))
    return [part for part in parts if part]


Reply = tuple[Sample, Direction, list[str], dict[str, Any]]


def _sources(
    spec: NotesFile, samples: Sequence[Sample], folder: Path, results: Results, written: Written
) -> Iterator[Reply]:
    asked = [(sample, direction) for sample in samples for direction in spec.directions]
    if spec.by == "endpoint":
        model = bind_writer("writer", spec.writer, prompted_by="direction")
        return _by_endpoint(model, asked, spec.notes, folder, results, written)
    return _by_rules(asked, held_out=spec.wording == "held-out") if spec.by == "rules" else _released(asked)


def _by_rules(asked: Iterable[tuple[Sample, Direction]], *, held_out: bool) -> Iterator[Reply]:
    for sample, direction in asked:
        yield sample, direction, world.notes_on(sample, direction, held_out=held_out), world.by(held_out=held_out)


def _released(asked: Iterable[tuple[Sample, Direction]]) -> Iterator[Reply]:
    """What the released implicit files hold; their writer and its prompt are those of the paper."""
    for sample, direction in asked:
        text = sample.reference.get("notes", {}).get(direction, "")
        yield sample, direction, split(text), {"released": "MUB"}


def _by_endpoint(
    model: ModelSpec,
    asked: Sequence[tuple[Sample, Direction]],
    notes: int,
    folder: Path,
    results: Results,
    written: Written,
) -> Iterator[Reply]:
    from mmplat.models.endpoint import load as load_endpoint

    endpoint = load_endpoint(model)
    prompts = [_prompt(sample, direction, notes, folder) for sample, direction in asked]
    whose = {id(prompt): one for prompt, one in zip(prompts, asked, strict=True)}
    for prompt, said in endpoint.complete(prompts, results.replies):
        sample, direction = whose[id(prompt)]
        if isinstance(said, Failure):
            written.failures.append(f"{sample.sample_id} ({direction}): {said.error}")
        else:
            by = {"model": endpoint.settings.model, "served": said.model, **TEMPLATES[direction].said}
            yield sample, direction, split(said.text), by


def _prompt(sample: Sample, direction: Direction, notes: int, folder: Path) -> Prompt:
    template = TEMPLATES[direction]
    image = folder / "images" / sample.images[0] if sample.images else None
    return Prompt(template.about(sample, notes), template.system, image)


def summary(written: Written) -> Mapping[str, Any]:
    """Counts for whoever started it."""
    flagged = sum(bool(note.flags) for note in written.notes)
    return {
        "notes": len(written.notes),
        "flagged": flagged,
        "flags": dict(written.flags.most_common()) or 0,
        "samples without a note": dict(written.without) or 0,
        "samples with fewer notes than asked for": dict(written.fewer) or 0,
        "failed": len(written.failures),
    }
