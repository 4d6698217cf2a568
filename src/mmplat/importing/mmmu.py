"""MMMU's answers ({id: text}) with its answer dictionary ({id: {question_type, ground_truth}})."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmplat.errors import ConfigError
from mmplat.importing._rows import json_of
from mmplat.importing.base import LETTERS, Answer, Format, Given, Question, Told, catalog
from mmplat.records import Sample
from mmplat.suites._official import mmmu_short

RIGHT, WRONG = "right", "wrong"
FEWEST = 4
"""The dictionary does not say how many options there are; most questions have four."""


def read(given: Given) -> Told:
    return _questions(given.questions), _answers(given.answers)


def _questions(path: Path) -> Iterator[Question]:
    for key, entry in _entries(path):
        place = f"{path}: {key!r}"
        if not isinstance(entry, dict) or "ground_truth" not in entry:
            raise ConfigError(f"{place}: an entry is {{question_type, ground_truth}}, not {entry!r:.80}.")
        subject = key.split("_", 1)[-1].rsplit("_", 1)[0]  # validation_Computer_Science_12
        groups = {"subject": subject, "question_type": str(entry.get("question_type", "multiple-choice"))}
        gold = entry["ground_truth"]
        if groups["question_type"] == "multiple-choice":
            yield Question(key, str(gold), place, labels=_letters(str(gold), place), groups=groups)
        else:
            yield _short(key, gold if isinstance(gold, list) else [gold], place, groups)


def _letters(gold: str, place: str) -> tuple[str, ...]:
    if gold not in LETTERS:
        raise ConfigError(f"{place}: the right answer {gold!r} is none of the letters {LETTERS[0]} to {LETTERS[-1]}.")
    return LETTERS[: max(FEWEST, LETTERS.index(gold) + 1)]


def _short(key: str, accepted: list[Any], place: str, groups: dict[str, str]) -> Question:
    """A short answer is right or wrong, by MMMU's own rule: it has no other labels."""
    wanted = [str(one) for one in accepted]

    def parse(text: str, sample: Sample) -> str | None:
        return (RIGHT if mmmu_short(text, wanted) else WRONG) if text.strip() else None

    return Question(key, RIGHT, place, labels=(RIGHT, WRONG), groups=groups, parse=parse)


def _answers(path: Path) -> Iterator[Answer]:
    for key, said in _entries(path):
        yield Answer(key, str(said["text"] if isinstance(said, dict) and "text" in said else said), f"{path}: {key!r}")


def _entries(path: Path) -> list[tuple[str, Any]]:
    found = json_of(path)
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path}: MMMU's files are one JSON object with an entry per question, not a {type(found).__name__}."
        )
    return list(found.items())


catalog.add("mmmu", Format("mmmu", "answers JSON {id: text} with the answer dictionary {id: {question_type, ground_truth}}",
                           read, suites=("mmmu",), files=("*.json",), annotated=True))  # fmt: skip
