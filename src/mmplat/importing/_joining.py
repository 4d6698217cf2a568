"""Questions and answers → samples with what was said to each; whatever does not fit together is listed with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mmplat.errors import ConfigError
from mmplat.ids import content_id
from mmplat.importing.base import LETTERS, YES_NO, Answer, Format, Given, Question
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
class Part:
    """Questions among which an id means one, and the answers to them, file by file."""

    questions: list[Question]
    answers: list[list[Answer]]


@dataclass(frozen=True, slots=True)
class Joined:
    """Samples in the order of the questions, and the answer to each; None: it has none."""

    questions: list[Question]
    samples: list[Sample]
    answers: list[Answer | None]
    missing: list[Left | None]
    """Why a sample has no answer."""
    unjoined: list[Left]
    """Answers to no question, and to other questions than the annotations ask."""
    labels: tuple[str, ...]
    """What may be answered to questions that do not say it themselves."""

    @property
    def unanswered(self) -> list[Left]:
        return [left for left in self.missing if left is not None]


@dataclass(frozen=True, slots=True)
class _Row:
    question: Question
    sample: Sample
    answer: Answer | None
    missing: Left | None


def parts_of(form: Format, given: Iterable[Given]) -> list[Part]:
    """What the files hold; answers to the same file of questions belong together."""
    shared: dict[Path, Part] = {}
    parts: list[Part] = []
    for one in given:
        questions, answers = form.read(one)
        if form.annotated and one.annotations in shared:
            shared[one.annotations].answers.append(list(answers))
            continue
        parts.append(Part(list(questions), [list(answers)]))
        if one.annotations is not None:
            shared[one.annotations] = parts[-1]
    return parts


def join(parts: Sequence[Part], labels: Sequence[str] = ()) -> Joined:
    shared = _shared_labels([question for part in parts for question in part.questions], labels)
    unjoined: list[Left] = []
    rows: dict[str, _Row] = {}
    for part in parts:
        answers, failed, left = _answered(part)
        unjoined += left
        for question in part.questions:
            answer, key = answers.get(question.key), question.key
            missing = None if answer else failed.get(key) or Left(key, question.place, "no answer has this id")
            row = _Row(question, _sample(question, question.labels or shared), answer, missing)
            sample_id = row.sample.sample_id
            rows[sample_id] = _the_same(rows.setdefault(sample_id, row), row)
    return Joined(
        [row.question for row in rows.values()],
        [row.sample for row in rows.values()],
        [row.answer for row in rows.values()],
        [row.missing for row in rows.values()],
        unjoined,
        shared,
    )


def _answered(part: Part) -> tuple[dict[str, Answer], dict[str, Left], list[Left]]:
    """The answer to each question of a part, why some have none, and answers that fit no question."""
    by_key = _by_key(part.questions)
    said: dict[str, Answer] = {}
    failed: dict[str, Left] = {}
    unjoined: list[Left] = []
    for answers in part.answers:
        before = dict(said)
        for answer in answers:
            key, elsewhere = answer.key, before.get(answer.key)
            reason = _misfit(answer, by_key.get(key), None if elsewhere else said.get(key))
            if reason:
                unjoined.append(Left(key, answer.place, reason))
            elif answer.error is not None:
                failed[key] = Left(key, answer.place, answer.error)
            elif elsewhere is None:
                said[key] = answer
            elif (elsewhere.text, elsewhere.label) != (answer.text, answer.label):
                raise ConfigError(
                    f"{answer.place}: the answer to {key!r} is {answer.text!r:.60}, and {elsewhere.text!r:.60} in "
                    f"{elsewhere.place}. Files that answer one question differently are two runs: import one of them, and "
                    "the other with another --seed, --decoding, --method or --campaign."
                )
    return said, failed, unjoined


def _the_same(first: _Row, second: _Row) -> _Row:
    """One sample that two files hold: the one with the answer, where they do not contradict each other."""
    if first.sample == second.sample:
        if first.answer is None or second.answer is None:
            return first if second.answer is None else second
        if (first.answer.text, first.answer.label) == (second.answer.text, second.answer.label):
            return first
    raise ConfigError(
        f"{second.question.place}: the sample id {second.sample.sample_id!r} is taken by {first.question.place}, with another "
        "question or answer. What numbers its samples alike (another source of images, another task, a second run) is "
        "imported by itself, with a --suite, --seed or --campaign of its own."
    )


def _by_key(questions: Sequence[Question]) -> dict[str, Question]:
    found: dict[str, Question] = {}
    for question in questions:
        other = found.setdefault(question.key, question)
        if other is not question:
            raise ConfigError(
                f"{question.place}: the id {question.key!r} occurs twice, first in {other.place}, so an answer to it could be "
                "to either. Keep one of them; files that number their questions alike are given one by one."
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
