"""Joined answers → labels by our parsers → metrics by our definitions, as if mmplat had decided them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ConfigError
from mmplat.importing._joining import Joined, Left, join, parts_of
from mmplat.importing.base import LETTERS, YES_NO, Format, Given
from mmplat.metrics import Answered, summarise
from mmplat.metrics.summary import CellAnswers, Number
from mmplat.records import Sample
from mmplat.suites import Suite
from mmplat.suites import catalog as suites

MOST_GROUPS = 50
"""A column with more values than this names samples, not groups of them."""
STRICT = "strict"
Parse = Callable[[str, Sample], str | None]


@dataclass(frozen=True, slots=True)
class Scored:
    """One sample and what came of its answer."""

    sample: Sample
    text: str | None
    """What was answered; None: nothing."""
    label: str | None
    """The label that it says; None: there is no answer, or it says none."""
    why: str | None
    """Why there is no answer."""

    @property
    def answered(self) -> bool:
        return self.why is None


@dataclass(frozen=True, slots=True)
class Imported:
    """Results of one model on one suite, scored."""

    suite: Suite
    joined: Joined
    said: list[str | None]
    """The label of each sample's answer; None: there is no answer, or it says none."""
    unparsed: list[Left]
    rows: list[Scored]
    numbers: list[Number]

    @property
    def n(self) -> int:
        return sum(answer is not None for answer in self.joined.answers)

    def value(self, metric: str, subset: str = "all") -> Number | None:
        return next((one for one in self.numbers if (one.metric, one.subset) == (metric, subset)), None)


def import_predictions(
    form: Format, given: Given | Sequence[Given], suite: str, *, parser: str = STRICT, labels: Sequence[str] = ()
) -> Imported:
    """Reads, joins, parses and scores; nothing is written."""
    files = [given] if isinstance(given, Given) else given
    joined = join(parts_of(form, files), labels)
    if not any(joined.answers):
        raise ConfigError(f"{files[0].answers}: no answer could be joined with a question. {_first(joined)}")
    known = _suite(suite, joined, labels)
    parse = _parser(known, parser, joined.samples)
    pairs = list(zip(joined.questions, joined.samples, joined.answers, strict=True))
    said = [None if a is None else a.label or (q.parse or parse)(a.text, s) for q, s, a in pairs]
    unparsed = [
        Left(a.key, a.place, f"says no label: {a.text!r:.80}")
        for (_, _, a), label in zip(pairs, said, strict=True)
        if a is not None and label is None
    ]
    rows = [
        Scored(sample, answer.text if answer else None, label, missing.reason if missing else None)
        for sample, answer, label, missing in zip(joined.samples, joined.answers, said, joined.missing, strict=True)
    ]
    return Imported(known, joined, said, unparsed, rows, numbers_of(known, rows))


def _first(joined: Joined) -> str:
    left = [*joined.unjoined, *joined.unanswered]
    return f"The first reason: {left[0].place}: {left[0].reason}." if left else "The files are empty."


def _suite(name: str, joined: Joined, labels: Sequence[str]) -> Suite:
    """The registered suite; one that mmplat does not have must say its labels, so that a slip of the pen is no new suite."""
    if name not in suites and labels:
        positive = YES_NO[0] if tuple(labels) == YES_NO else None
        return Suite(name, "imported", 1, samples=lambda spec: (), count=lambda spec: None, positive=positive)
    known = suites.get(
        name, where=". To import results of a suite that mmplat does not have, give --labels yes,no (or A,B,C,D)"
    )
    if known.open_ended:
        raise ConfigError(f"Suite {name!r} asks open questions; only closed ones, with labels, can be imported.")
    positive = known.positive
    if positive is not None and any(positive not in sample.labels for sample in joined.samples):
        raise ConfigError(f"Suite {name!r} asks for {positive!r}, and these files do not: is it another suite?")
    return known


def _parser(suite: Suite, name: str, samples: Sequence[Sample]) -> Parse:
    if name == STRICT:
        return suite.parse
    if name not in suite.official:
        raise ConfigError(
            f"Suite {suite.name!r} has no parser {name!r}. Allowed: {', '.join((STRICT, *suite.official))}; official ones are for "
            "comparing with published numbers."
        )
    if any(sample.labels[0] in LETTERS and not sample.options for sample in samples):
        raise ConfigError(
            f"The {name} parser of suite {suite.name!r} looks for the texts of the options, which these files do not hold. Use "
            f"--parser {STRICT}, or a format with options."
        )
    return suite.official[name]


def numbers_of(suite: Suite, rows: Sequence[Scored]) -> list[Number]:
    """Every metric of the suite on the samples with an answer."""
    samples = [row.sample for row in rows if row.answered]
    answered = _answered(suite, samples, [row.label for row in rows if row.answered])
    cell = CellAnswers(answered, answered)
    whole = [row.sample for row in rows]
    return summarise([cell], samples, _subsets(suite, samples), named=suite.metrics, whole=whole)


def _answered(suite: Suite, samples: Sequence[Sample], said: Sequence[str | None]) -> Answered:
    """What was said is certain: every probability is 0 or 1."""
    probs = np.zeros((len(samples), max(len(sample.labels) for sample in samples)))
    for row, (sample, label) in enumerate(zip(samples, said, strict=True)):
        if label is not None:
            probs[row, sample.labels.index(label)] = 1.0
    positive = None if suite.positive is None else _places(samples, [suite.positive] * len(samples))
    return Answered(probs, 1.0 - probs.sum(axis=1), _places(samples, [sample.gold for sample in samples]), positive)


def _places(samples: Sequence[Sample], labels: Sequence[str]) -> NDArray[np.int64]:
    return np.array([sample.labels.index(label) for sample, label in zip(samples, labels, strict=True)], np.int64)


def _subsets(suite: Suite, samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    """The suite's own groups as far as the files tell them, and whatever else they group by."""
    values: dict[str, set[str]] = {}
    for sample in samples:
        for column, value in sample.groups.items():
            values.setdefault(column, set()).add(value)
    own = [keys for keys in suite.subsets if all(key in values for key in keys)]
    others = [(column,) for column, found in sorted(values.items()) if 2 <= len(found) <= MOST_GROUPS]
    return [*own, *(keys for keys in others if keys not in own)]
