"""What a format of results is: files → questions with their right answers, and what a model said to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import Sample
from mmplat.registry import Registry

LETTERS = tuple("ABCDEFGHIJ")
YES_NO = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Question:
    """One question as a file gives it."""

    key: str
    """What answers are joined by."""
    gold: str
    place: str
    """File and line, for messages."""
    text: str = ""
    sample_id: str = ""
    """Its id among the samples of the suite; empty: the key."""
    labels: tuple[str, ...] = ()
    """What may be answered; empty: what the whole file shows."""
    options: tuple[str, ...] = ()
    image: str = ""
    """Questions about one image are one cluster; empty: the question stands alone."""
    groups: Mapping[str, str] = field(default_factory=dict)
    parse: Callable[[str, Sample], str | None] | None = None
    """Where this question has a rule of its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, as a file gives it."""

    key: str
    text: str
    place: str
    asked: str = ""
    """The prompt, where the file has it: an answer to another question is not joined."""
    image: str = ""
    label: str | None = None
    """The label that was chosen without words (the likeliest option); None: the text is to be parsed."""
    error: str | None = None
    """Why there is no answer."""


@dataclass(frozen=True, slots=True)
class Given:
    """One file of answers (MME: folder), and the file of the questions that they are to."""

    answers: Path
    annotations: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our names of columns → the file's."""

    @property
    def questions(self) -> Path:
        """The annotations, for formats that cannot do without."""
        if self.annotations is None:
            raise ConfigError(
                f"{self.answers} holds answers without the questions. Give the file with questions and right answers as "
                "--annotations."
            )
        return self.annotations


Told = tuple[Iterable[Question], Iterable[Answer]]


@dataclass(frozen=True, slots=True)
class Format:
    """One registered format."""

    name: str
    summary: str
    read: Callable[[Given], Told]
    suites: tuple[str, ...] = ()
    """Suites that are read in this format unless another is named."""
    files: tuple[str, ...] = ()
    """Which files of a folder are read, as patterns; empty: the folder itself is what is read."""
    annotated: bool = False
    """Questions lie, or may lie, in a file of their own (--annotations)."""


catalog: Registry[Format] = Registry("import format", "mmplat.importing")


def format_for(suite: str, name: str | None) -> Format:
    """The format that was named, or the one in which a suite's results usually come."""
    if name is not None:
        return catalog.get(name)
    for _, form in catalog.items():
        if suite in form.suites:
            return form
    raise ConfigError(f"Say in which format the results of {suite!r} come, with --from: {', '.join(catalog)}.")
