"""Where imported results come from: the files, by name and content, and the rules by which they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmplat.ids import file_id
from mmplat.importing.base import Given


@dataclass(frozen=True, slots=True, order=True)
class SourceFile:
    """One file that was read."""

    role: str
    """answers, annotations or results."""
    name: str
    content: str
    """Its hash."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where results come from."""

    form: str
    parser: str
    labels: tuple[str, ...]
    """What may be answered where the files do not say it."""
    files: tuple[SourceFile, ...]

    @classmethod
    def of(cls, form: str, parser: str, labels: Sequence[str], given: Iterable[Given]) -> Source:
        files = [file for one in given for file in _read_from(one)]
        return cls(form, parser, tuple(labels), tuple(_named(files)))

    @property
    def rules(self) -> dict[str, Any]:
        """What must be the same of all answers of one run."""
        return {"format": self.form, "parser": self.parser, "labels": list(self.labels)}


def settings_of(rules: dict[str, Any], files: Iterable[SourceFile]) -> dict[str, Any]:
    """As a run records them."""
    return {**rules, "files": [asdict(file) for file in sorted(files)]}


def _read_from(given: Given) -> list[tuple[str, Path]]:
    answers = sorted(given.answers.glob("*.txt")) if given.answers.is_dir() else [given.answers]
    asked = [] if given.annotations is None else [given.annotations]
    return [*(("answers", path) for path in answers), *(("annotations", path) for path in asked)]


def _named(files: Sequence[tuple[str, Path]]) -> list[SourceFile]:
    """By name, and by folder and name where that says more: models' files are often called alike in a folder per split."""
    distinct = dict.fromkeys(files)
    counts = Counter(path.name for _, path in distinct)
    return [
        SourceFile(role, path.name if counts[path.name] < 2 else f"{path.parent.name}/{path.name}", file_id(path))
        for role, path in distinct
    ]
