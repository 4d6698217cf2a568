"""What the cells of one model on one suite share, and how each of them is decided: evidence → answers, by array maths."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.artifacts import Results
from mmplat.deciding.asked import asked_of
from mmplat.deciding.judged import ByOrder, Judgments, judgments_of
from mmplat.decoding.filters import Answers, Scores, distribution
from mmplat.errors import EvidenceTooNarrow, NotFinite
from mmplat.evidence.coverage import covered
from mmplat.evidence.files import read_evidence
from mmplat.evidence.rows import Evidence
from mmplat.evidence.written import open_written
from mmplat.ids import content_id
from mmplat.plan import Pair, Plan, Seeded
from mmplat.preparing import load_metadata, load_samples
from mmplat.records import DecodingSpec, Sample
from mmplat.spurious import SPURIOUS, labels_with
from mmplat.suites import catalog as suites


@dataclass(frozen=True, slots=True)
class Context:
    """What the cells of one pair share."""

    plan: Plan
    pair: Pair
    samples: list[Sample]
    suite: dict[str, Any]
    model_key: str
    asked: dict[str, Any]
    """What the done-markers of its batches say: failures with their reasons."""
    evidence: Evidence
    gold: NDArray[np.int64]
    positive: NDArray[np.int64] | None
    spurious: NDArray[np.bool_] | None
    """Which labels speak for a spurious attribute (sample, label), where samples say so."""
    written: pl.DataFrame
    """Answers in words; empty where labels are read."""
    parts: Mapping[str, str]
    """Files of evidence that hold at least one of the rows, and the SHA-256 of each."""
    judgments: Judgments | None = None
    """Of the answers in words, where the plan has a judge."""

    @property
    def evidence_digest(self) -> str:
        """Of everything that the cells are decided from, whatever its files are called."""
        return content_id(sorted(self.parts.values()))


@dataclass(frozen=True, slots=True)
class Decided:
    """One cell's answers on the samples that could be decided."""

    seeded: Seeded
    decoding: DecodingSpec
    rows: NDArray[np.int64]
    """Samples that were decided (indices)."""
    answers: Answers
    seconds: float
    undecided: dict[int, str] = field(default_factory=dict)
    """Why samples (indices) with evidence are not decided: a remote model did not tell what this cell looks at."""
    texts: list[str | None] | None = None
    """What was written to each sample of the suite; None: labels were read."""
    forwards: int | None = None
    """Forward passes that writing took; None: one per view and sample."""
    judged: dict[int, ByOrder] | None = None
    """What a judge said of each decided sample (index)."""


def context_of(plan: Plan, pair: Pair, results: Results, bound: Mapping[str, str] | None = None) -> Context:
    """Reads what a pair is decided from; with `bound`, the parts of evidence that an earlier decision names, and no others."""
    results = results.of(plan.grid.campaign)
    folder = results.suite(pair.suite.name, pair.suite.key)
    samples = load_samples(folder)
    model_key, asked = asked_of(plan, pair, results)
    stored = results.evidence(pair.model.name, pair.suite.name, model_key)
    opened = open_written(stored, [writing.key for writing in pair.writings], bound=bound)
    written = opened.rows
    evidence = read_evidence(stored, samples, list(pair.views), bound=bound)
    judgments = judgments_of(plan, pair, results, stored, bound)
    open_ended = suites.get(pair.suite.kind).open_ended
    if open_ended:  # nothing was read but what was written
        device, dtype = ("+".join(sorted(written[name].unique())) or "unknown" for name in ("device", "dtype"))
        evidence = replace(evidence, device=device, dtype=dtype)
    _refuse_narrow(pair, evidence, plan)
    positive = suites.get(pair.suite.kind).positive
    return Context(
        plan=plan,
        pair=pair,
        samples=samples,
        suite=load_metadata(folder),
        model_key=model_key,
        asked=asked,
        evidence=evidence,
        gold=np.array([0 if open_ended else s.labels.index(s.gold) for s in samples]),
        positive=None if positive is None else np.array([s.labels.index(positive) for s in samples]),
        spurious=labels_with(SPURIOUS, samples, int(evidence.n_labels.max())),
        written=written,
        parts={**evidence.parts, **opened.used, **({} if judgments is None else judgments.parts)},
        judgments=judgments,
    )


def _refuse_narrow(pair: Pair, evidence: Evidence, plan: Plan) -> None:
    """The rule that asking follows: rows that do not reach as far as the grid looks decide nothing."""
    mains = [evidence.main, *(evidence.view(view) for view in pair.views if view.key == view.main_key)]
    narrow = np.logical_or.reduce([main.present & ~covered(main, plan.demand) for main in mains])
    if narrow.any():
        raise EvidenceTooNarrow(
            f"{pair.model.name} × {pair.suite.name}: the stored evidence of {int(narrow.sum())} of {narrow.size} samples does "
            "not reach as far as this grid looks. `mmplat ask` with this grid asks those samples again, wider; nothing was "
            "approximated."
        )


def method_cells(context: Context, seeded: Seeded) -> list[Decided]:
    """All decodings of one method; its scores are computed once."""
    began = time.perf_counter()
    present = context.evidence.main.present.copy()
    for view in seeded.method.views:
        present &= context.evidence.view(view).present
    rows = np.flatnonzero(present)
    if not len(rows):  # the cell fails, with its reason; the others go on
        none = nothing(context.evidence.main.label_logits.shape[1])
        return [Decided(seeded, decoding, rows, none, 0.0) for decoding in context.plan.grid.decodings]
    with np.errstate(over="ignore", invalid="ignore"):  # scores that are no numbers are found below, and recorded
        scores = seeded.method.scores(only(context.evidence, rows))
    final = context.evidence.seen_from(seeded.method.main).main.final[rows]
    shared = (time.perf_counter() - began) / len(context.plan.grid.decodings)
    cells = []
    for decoding in context.plan.grid.decodings:
        began = time.perf_counter()
        try:
            answers, sure = decidable(scores, decoding, final)
        except EvidenceTooNarrow as error:
            raise EvidenceTooNarrow(f"{context.pair.model.name} × {context.pair.suite.name}: {error}") from error
        why = {} if sure.all() else _why_undecided(context.evidence, seeded, decoding, rows[~sure], final[~sure])
        cells.append(Decided(seeded, decoding, rows[sure], answers, shared + time.perf_counter() - began, why))
    return cells


def decidable(scores: Scores, decoding: DecodingSpec, final: NDArray[np.bool_]) -> tuple[Answers, NDArray[np.bool_]]:
    """Answers of the samples that can be decided exactly, and which those are.

    What cannot be decided from a `final` row stays undecided; from any other row it is asked for, so the error goes on. What is
    no number stays undecided too.
    """
    sure = ~(scores.unknown & final)
    while sure.any():
        try:
            return distribution(scores.take(sure), decoding), sure
        except NotFinite as error:
            sure[np.flatnonzero(sure)[error.samples]] = False
        except EvidenceTooNarrow as error:
            narrow = np.flatnonzero(sure)[error.samples]
            if not final[narrow].all():
                raise
            sure[narrow] = False
    return nothing(scores.n_labels), sure


def nothing(n_labels: int) -> Answers:
    """The answers of no sample."""
    return Answers(np.zeros((0, n_labels)), np.zeros(0))


def _why_undecided(
    evidence: Evidence, seeded: Seeded, decoding: DecodingSpec, rows: NDArray[np.int64], final: NDArray[np.bool_]
) -> dict[int, str]:
    """Of samples without an answer: a remote model did not tell enough, or the method's scores are no numbers."""
    return dict.fromkeys(rows[final].tolist(), _not_told(evidence, seeded, decoding)) | dict.fromkeys(
        rows[~final].tolist(), _not_finite(seeded)
    )


def _not_finite(seeded: Seeded) -> str:
    spec = seeded.method.spec
    values = ", ".join(f"{name} = {value}" for name, value in spec.params.items()) or "none"
    return (
        f"the scores of method {spec.name!r} are NaN or infinite, so no answer is the likeliest; its parameters: {values}. Give "
        "them usual values; if the model itself overflows, ask it with dtype: float32"
    )


def _not_told(evidence: Evidence, seeded: Seeded, decoding: DecodingSpec) -> str:
    """What a remote model told, against what a cell looks at."""
    needs = (
        f"method {seeded.method.spec.name!r} under decoding {decoding.name!r} needs more, and nothing is approximated"
    )
    if evidence.main.drawn_by is not None:
        return f"the endpoint only draws answers, by decoding {evidence.main.drawn_by!r}; {needs}"
    return f"the endpoint told {int(evidence.main.kept.max())} tokens at temperature 1; {needs}"


def only(evidence: Evidence, rows: NDArray[np.int64]) -> Evidence:
    """The evidence of some samples; all of them in the common case, without a copy."""
    if np.array_equal(rows, np.arange(len(evidence.n_labels))):
        return evidence
    views = {key: one.take(rows) for key, one in evidence.views.items()}
    main = next(key for key, one in evidence.views.items() if one is evidence.main)
    return Evidence(evidence.n_labels[rows], views[main], views, evidence.device, evidence.dtype)


def likeliest(answers: Answers) -> NDArray[np.int64]:
    """Index of the likeliest label, −1 where saying no label is likelier still."""
    if not answers.probs.shape[1]:  # open-ended: there are no labels
        return np.full(len(answers.probs), -1)
    best = answers.probs.argmax(axis=1)
    return np.where(answers.other > answers.probs.max(axis=1), -1, best)


def failures(context: Context, views: Sequence[str]) -> dict[str, str]:
    """Why samples have no evidence of some of `views`, by sample id; "all" holds for every sample."""
    return {
        f["sample_id"]: f["error"]
        for f in context.asked["failures"]
        if f["suite"] == context.pair.suite.name and f["view"] in ("every", *views)
    }


def why_failed(context: Context, views: Sequence[str], undecided: dict[int, str]) -> str:
    reasons = failures(context, views)
    if undecided:
        return f"{len(undecided)} samples: {next(iter(undecided.values()))}"
    if not reasons:
        return "evidence is missing: run `mmplat ask` with this grid"
    count = "all samples" if "all" in reasons else f"{len(reasons)} samples"
    return f"{count} could not be asked; the first reason: {next(iter(reasons.values()))}"
