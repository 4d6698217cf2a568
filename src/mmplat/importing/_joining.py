"""Questions and answers → samples with what was said to each; whatever does not fit together is listed with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from mmplat.errors import ConfigError
from mmplat.ids import content_id
from mmplat.importing.base import LETTERS, YES_NO, Answer, Question
from mmplat.records import Sample
from mmplat.suites._prompts import bare

MOST_LABELS = 20
"""More distinct right answers than this are no labels of a closed question."""


@dataclass(frozen=True, slots=True)
class Left:
    """A question or an answer that is in no metric."""

    key: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Samples in the order of the questions, and the answer to each; None: it has none."""

    questions: list[Question]
    samples: list[Sample]
    answers: list[Answer | None]
    unjoined: list[Left]
    """Answers to no question, and to other questions than the annotations ask."""
    unanswered: list[Left]


def join(questions: Iterable[Question], answers: Iterable[Answer], labels: Sequence[str] = ()) -> Joined:
    asked = list(questions)
    by_key = _by_key(asked)
    said: dict[str, Answer] = {}
    unjoined, why = [], {}
    for answer in answers:
        reason = _misfit(answer, by_key.get(answer.key), said.get(answer.key))
        if reason:
            unjoined.append(Left(answer.key, answer.place, reason))
        elif answer.error is not None:
            why[answer.key] = Left(answer.key, answer.place, answer.error)
        else:
            said[answer.key] = answer
    unanswered = [
        why.get(one.key, Left(one.key, one.place, "no answer has this id")) for one in asked if one.key not in said
    ]
    shared = _shared_labels(asked, labels)
    samples = [_sample(one, one.labels or shared) for one in asked]
    _refuse_twins(asked, samples)
    return Joined(asked, samples, [said.get(one.key) for one in asked], unjoined, unanswered)


def _by_key(questions: Sequence[Question]) -> dict[str, Question]:
    found: dict[str, Question] = {}
    for question in questions:
        other = found.setdefault(question.key, question)
        if other is not question:
            raise ConfigError(
                f"{question.place}: the id {question.key!r} occurs twice, first in {other.place}, so an answer to it could be "
                "to either. Import one file of questions at a time."
            )
    return found


def _misfit(answer: Answer, question: Question | None, earlier: Answer | None) -> str | None:
    """Why an answer is not joined. Equal ids are not enough: releases of one benchmark number other questions alike."""
    if question is None:
        return "no question has this id"
    if earlier is not None:
        return f"a second answer; the first, in {earlier.place}, counts"
    if answer.image and question.image and PurePath(answer.image).stem != PurePath(question.image).stem:
        return f"about the image {answer.image!r}, the question of this id is about {question.image!r}"
    if answer.asked and question.text and _words(question.text) not in _words(answer.asked):
        return f"asked {answer.asked!r:.80}, the question of this id is {question.text!r:.80}"
    return None


def _words(text: str) -> str:
    """A question without case, marks and the endings that each release gives it."""
    return " ".join(re.findall(r"\w+", bare(text).casefold()))


def _shared_labels(questions: Sequence[Question], labels: Sequence[str]) -> tuple[str, ...]:
    """What may be answered where the questions do not say it: as the user says, else what the right answers show."""
    golds = {question.gold for question in questions if not question.labels}
    if labels or not golds:
        return tuple(labels)
    if {gold.casefold() for gold in golds} <= set(YES_NO):
        return YES_NO
    letters = {gold.strip("()").upper() for gold in golds}
    if letters <= set(LETTERS):
        return LETTERS[: max(2, 1 + max(map(LETTERS.index, letters)))]
    if len(golds) > MOST_LABELS:
        raise ConfigError(
            f"The right answers are {len(golds)} different texts, {sorted(golds)[0]!r} among them: what may be answered is not "
            "clear. Say it with --labels, like --labels yes,no; open questions cannot be imported."
        )
    return tuple(sorted(golds))


def _sample(question: Question, labels: tuple[str, ...]) -> Sample:
    sample_id = question.sample_id or question.key
    return Sample(
        sample_id=sample_id,
        sample_key=content_id({"question": question.text, "labels": labels, "images": [question.image]}),
        cluster=question.image or sample_id,
        question=question.text,
        options=question.options,
        labels=labels,
        gold=_gold(question, labels),
        images=(),
        groups=dict(question.groups),
        reference={"image": question.image} if question.image else {},
    )


def _gold(question: Question, labels: tuple[str, ...]) -> str:
    said = question.gold.strip("() .").casefold()
    spelled = {label.casefold(): label for label in labels}
    by_option = {option.strip().casefold(): label for label, option in zip(labels, question.options, strict=False)}
    if said not in spelled and said not in by_option:
        raise ConfigError(f"{question.place}: the right answer {question.gold!r} is none of {', '.join(labels)}.")
    return spelled.get(said) or by_option[said]


def _refuse_twins(questions: Sequence[Question], samples: Sequence[Sample]) -> None:
    seen: dict[str, str] = {}
    for question, sample in zip(questions, samples, strict=True):
        other = seen.setdefault(sample.sample_id, question.place)
        if other != question.place:
            raise ConfigError(f"{question.place}: the sample id {sample.sample_id!r} is taken by {other}.")
