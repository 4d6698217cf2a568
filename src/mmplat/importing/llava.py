"""LLaVA's answers: JSON lines (question_id, text), joined with the benchmark's own (question_id, image, text, label)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.importing._rows import GOLD, ID, IMAGE, TEXT, groups_of, needed, optional, rows_of
from mmplat.importing.base import Answer, Format, Given, Question, Told, catalog

SPLIT = re.compile(r"(?:(?P<source>[a-z]+)_)?pope_(?P<split>random|popular|adversarial)")
SAID = ("text", "answer", "output", "response", "prediction", "caption")


def read(given: Given) -> Told:
    _refuse_other_split(given)
    return questions(given.questions), answers(given.answers)


def _refuse_other_split(given: Given) -> None:
    """Every split numbers its questions alike: answers without their prompts would be joined with those of another."""
    asked = SPLIT.search(given.questions.name)
    named_splits = set(re.findall(r"(?<![a-z])(?:random|popular|adversarial)(?![a-z])", given.answers.stem.lower()))
    if asked and named_splits and asked["split"] not in named_splits:
        raise ConfigError(
            f"{given.answers} is of the split {' and '.join(sorted(named_splits))} by its name, and "
            f"{given.questions} of {asked['split']}. "
            "Give the questions of the same split, or rename the file of answers."
        )


def questions(path: Path) -> Iterator[Question]:
    """A file of POPE is one split, and says which in its name; ids are those of the suite `pope`."""
    of_name = SPLIT.search(path.name)
    shared = {name: value for name, value in of_name.groupdict().items() if value} if of_name else {}
    for row in rows_of(path):
        key = needed(row, *ID)
        groups = {**shared, **groups_of(row.data, ("split", "category"))}
        yield Question(
            key,
            needed(row, *GOLD).strip().lower(),
            row.place,
            text=optional(row, *TEXT),
            sample_id=f"{groups['split']}-{key}" if "split" in groups else key,
            image=optional(row, *IMAGE),
            groups=groups,
        )


def answers(path: Path) -> Iterator[Answer]:
    for row in rows_of(path):
        asked, image = optional(row, "prompt", "question"), optional(row, *IMAGE)
        yield Answer(needed(row, *ID), needed(row, *SAID), row.place, asked=asked, image=image)


catalog.add("llava", Format("llava", "answers JSONL (question_id, text) with annotations (question_id, image, text, label)",
                            read, suites=("pope",), files=("*.jsonl", "*.json"), annotated=True))  # fmt: skip
