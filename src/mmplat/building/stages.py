"""What a stage of a build is, and how it is known to be done: by the content of what it read, its settings and its version.

A stage writes `<stage>.jsonl` (where it has lines) and then `<stage>.json`, the record, last. A record whose key still holds is
kept, so the same command goes on where a killed one stopped. Within a stage, scores are kept in parts and replies one by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmplat.artifacts import Results, read_json, write_json
from mmplat.building.settings import BuildSpec
from mmplat.errors import ArtifactError
from mmplat.ids import content_id, file_id
from mmplat.locks import only_writer
from mmplat.provenance import packages

Advance = Callable[[str, int, int], None]
"""(stage, done, in all)"""


@dataclass(frozen=True, slots=True)
class Build:
    """A build and its folder."""

    spec: BuildSpec
    results: Results

    @property
    def folder(self) -> Path:
        return self.results.build(self.spec.build)

    @property
    def images(self) -> Path:
        return self.folder / "images"

    @property
    def reviews(self) -> Path:
        return self.folder / "reviews.jsonl"

    @property
    def release(self) -> Path:
        return self.folder / "release"

    def picture(self, name: str) -> Path:
        """An image as `select` stored it."""
        path = self.images / name
        if not path.exists():
            raise ArtifactError(
                f"{path} is missing. Delete {self.folder / 'select.json'} and run `mmplat spubench select` again."
            )
        return path

    def lines(self, stage: str) -> Path:
        return self.folder / f"{stage}.jsonl"

    def record(self, stage: str) -> dict[str, Any]:
        """What a stage came to; the command that makes it is told where it is missing."""
        found: dict[str, Any] = read_json(self.folder / f"{stage}.json", made_by=f"mmplat spubench {stage}")
        return found


def builds(results: Results) -> list[str]:
    """Names of the builds of a results folder, for pages that list them."""
    return sorted(path.parent.name for path in results.builds.glob("*/build.json"))


def open_build(results: Results, name: str) -> Build:
    """A build by its name, as it was run last."""
    said = read_json(results.build(name) / "build.json", made_by="mmplat spubench build")
    return Build(BuildSpec.model_validate(said), results)


@dataclass(slots=True)
class Outcome:
    """What a stage came to."""

    content: str
    """Id of the file that it made: what the next stage depends on."""
    counts: dict[str, Any]
    by: dict[str, Any] = field(default_factory=dict)
    """Which model did it, and with which prompt."""
    costs: dict[str, Any] = field(default_factory=dict)
    unread: list[dict[str, str]] = field(default_factory=list)
    """Replies that are not in the form that was asked for; each with its words."""
    failures: list[dict[str, str]] = field(default_factory=list)
    """What could not be asked, and is asked again by the same command."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a build. Raise `version` when it would find something else in the same input."""

    name: str
    version: int
    settings: Callable[[Build], Mapping[str, Any]]
    """What determines its outcome, beside what the stage before it found."""
    work: Callable[[Build, Advance], Outcome]
    after: str | None = None
    made: Callable[[Build], Path] | None = None
    """What it makes, where that is not its lines."""

    def file(self, build: Build) -> Path:
        return build.lines(self.name) if self.made is None else self.made(build)

    def settings_key(self, build: Build) -> str:
        """Names what determines the outcome beside what the stage before it found: what a workflow looks at."""
        return content_id([self.name, self.version, self.settings(build)])

    def key(self, build: Build) -> str:
        """Names the outcome by everything that it follows from."""
        before = None if self.after is None else build.record(self.after)["content"]
        return content_id([self.settings_key(build), before])


@dataclass(frozen=True, slots=True)
class Ran:
    """The record of a stage, and whether it was known already."""

    record: dict[str, Any]
    known: bool


def run(stage: Stage, build: Build, *, advance: Advance = lambda stage, done, total: None) -> Ran:
    """Does a stage unless it is done. One with failures is done again: what was answered is kept and not paid again."""
    path = build.folder / f"{stage.name}.json"
    with only_writer(build.folder, what=f"Build {build.spec.build!r}"):
        _remember(build)
        key = stage.key(build)
        if path.exists():
            before = build.record(stage.name)
            if _holds(before, key, stage.file(build)):
                return Ran(before, known=True)
        began = time.perf_counter()
        outcome = stage.work(build, advance)
        record = _record(stage, key, outcome, time.perf_counter() - began)
        write_json(path, record)
    return Ran(record, known=False)


def _holds(record: dict[str, Any], key: str, made: Path) -> bool:
    """Whether a stage is done: nothing that it follows from has changed, and what it made is still there."""
    return record["key"] == key and not record["failures"] and made.exists() and file_id(made) == record["content"]


def _remember(build: Build) -> None:
    """The build as it is run now, so that it can be opened by its name."""
    path, said = build.folder / "build.json", build.spec.model_dump(mode="json")
    if not path.exists() or read_json(path, made_by="mmplat spubench build") != said:
        write_json(path, said)


def _record(stage: Stage, key: str, outcome: Outcome, seconds: float) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "version": stage.version,
        "key": key,
        "content": outcome.content,
        "counts": outcome.counts,
        "by": outcome.by,
        "costs": outcome.costs,
        "seconds": round(seconds, 3),
        "unread": outcome.unread,
        "failures": outcome.failures,
        "versions": packages(),
    }
