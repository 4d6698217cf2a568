"""Judging the answers of one model on one suite: asks what is missing, keeps what was said, survives being killed at any moment.

The endpoint keeps every reply as it comes, so nothing is paid twice; it is not even contacted where nothing is missing. A reply
that says no score is kept as such, with its words. judged.json is written last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from mmplat.artifacts import Results, read_json, write_json
from mmplat.deciding.asked import asked_of
from mmplat.errors import ConfigError
from mmplat.evidence.judged import JUDGED, KEY, SCHEMA, judged_folder, read_judged, write_judged
from mmplat.evidence.opening import set_aside_broken
from mmplat.evidence.written import read_written
from mmplat.ids import content_id
from mmplat.judges import JudgeSpec
from mmplat.locks import only_writer
from mmplat.models import Failure
from mmplat.plan import Pair, Plan, refuse_guest
from mmplat.preparing import load_samples
from mmplat.provenance import packages
from mmplat.records import Prompt, Sample
from mmplat.rubrics import Rubric
from mmplat.rubrics import catalog as rubrics

if TYPE_CHECKING:
    from mmplat.models.endpoint.client import Endpoint
    from mmplat.models.endpoint.replies import Completion

FLUSH_S = 20.0
"""So often judgments become a part on disk; what a killed job had not written is read again from the kept replies."""

Advance = Callable[[int], None]
CaseKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One answer, to be judged in one order."""

    sample: Sample
    writing: str
    order: str
    prompt: Prompt

    @property
    def key(self) -> CaseKey:
        return (self.sample.sample_key, self.writing, self.order, self.prompt.key)


@dataclass(slots=True)
class Outcome:
    """What judging a pair came to."""

    judged: int = 0
    kept: int = 0
    unread: int = 0
    """Replies that say no score, those of earlier runs included."""
    seconds: float = 0.0
    failures: list[dict[str, str]] = field(default_factory=list)


def judge(plan: Plan, pair: Pair, results: Results, *, advance: Advance = lambda n: None) -> Outcome:
    """Judges what is missing of a pair and writes its judged.json."""
    who = pair.judge
    if who is None:
        raise ConfigError(f"{pair.model.name} × {pair.suite.name} has no judge in this grid: there is nothing to do.")
    refuse_guest(results, plan.grid.campaign)
    began, outcome, rubric = time.perf_counter(), Outcome(), rubrics.get(who.rubric)
    model_key, _ = asked_of(plan, pair, results)
    stored = results.evidence(pair.model.name, pair.suite.name, model_key)
    cases = _cases(pair, results, stored, rubric)
    folder = judged_folder(stored)
    with only_writer(folder, what=f"What is judged of {pair.model.name} on {pair.suite.name}"):
        set_aside_broken(folder, JUDGED)
        identity = _known(who, folder, cases)
        if identity is None:
            identity = _Job(who, rubric, folder, results.replies, outcome, advance).run(cases)
        else:
            outcome.kept = len(cases)
            advance(len(cases))
        rows = read_judged(folder, content_id(identity)).filter(pl.col("prompt").is_in([c.prompt.key for c in cases]))
    outcome.unread = int(rows["score"].is_null().sum())
    outcome.seconds = time.perf_counter() - began
    marker = results.judged(plan.grid.campaign, pair.model.name, pair.suite.name)
    write_json(marker, {"settings": who.settings, **_marker(identity, outcome, rows)})
    return outcome


def _cases(pair: Pair, results: Results, stored: Path, rubric: Rubric) -> list[Case]:
    """Every written answer in every order; equal ones once."""
    samples = load_samples(results.suite(pair.suite.name, pair.suite.key))
    _refuse_unfit(rubric, pair, samples)
    written = read_written(stored, [writing.key for writing in pair.writings])
    texts = {(key, writing): text for key, writing, text in written.select("sample_key", "writing", "text").iter_rows()}
    cases = {}
    for sample in samples:
        for writing in (one.key for one in pair.writings if (sample.sample_key, one.key) in texts):
            for order in rubric.orders:
                text = texts[sample.sample_key, writing]
                case = Case(sample, writing, order, rubric.prompt(sample, text, order))
                cases[case.key] = case
    return list(cases.values())


def _refuse_unfit(rubric: Rubric, pair: Pair, samples: Iterable[Sample]) -> None:
    for sample in samples:
        lacking = [name for name in rubric.needs if name not in sample.reference]
        if lacking:
            raise ConfigError(
                f"Suite {pair.suite.name!r}, sample {sample.sample_id!r} has no {', '.join(lacking)} in its `reference`, which "
                f"rubric {rubric.name!r} needs. Let the suite give it, or name another rubric: {', '.join(rubrics)}."
            )


def _known(who: JudgeSpec, folder: Path, cases: list[Case]) -> dict[str, Any] | None:
    """The identity under which everything is judged already, so that nobody needs to be asked; else None."""
    for path in sorted(folder.glob("judge-*.json")):
        said = read_json(path, made_by="mmplat judge")
        if said["settings"] == who.settings and not _missing(folder, said["identity"], cases):
            return dict(said["identity"])
    return None


def _missing(folder: Path, identity: dict[str, Any], cases: list[Case]) -> list[Case]:
    there = set(read_judged(folder, content_id(identity)).select(KEY).iter_rows())
    return [case for case in cases if case.key not in there]


def _marker(identity: dict[str, Any], outcome: Outcome, rows: pl.DataFrame) -> dict[str, Any]:
    return {
        "judge": content_id(identity),
        "identity": identity,
        "judged": outcome.judged,
        "kept": outcome.kept,
        "unread": outcome.unread,
        "tokens": {name: int(rows[name].sum()) for name in ("prompt_tokens", "completion_tokens")},
        "seconds": round(outcome.seconds, 3),
        "failures": outcome.failures,
        "versions": packages(),
    }


@dataclass(slots=True)
class _Job:
    """Asking a judge."""

    who: JudgeSpec
    rubric: Rubric
    folder: Path
    replies: Path
    outcome: Outcome
    advance: Advance
    key: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    flushed: float = 0.0

    def run(self, cases: list[Case]) -> dict[str, Any]:
        """Judges what is missing; returns who judged."""
        from mmplat.models.endpoint import load

        endpoint = load(self.who.model)
        identity = {**endpoint.identity, "rubric": self.who.rubric, "version": self.who.version}
        self.key, self.flushed = content_id(identity), time.monotonic()
        said = {"settings": self.who.settings, "identity": identity}
        write_json(self.folder / f"judge-{content_id(said)}.json", said)
        missing = _missing(self.folder, identity, cases)
        self.outcome.kept = len(cases) - len(missing)
        self.advance(self.outcome.kept)
        try:
            self._ask(endpoint, missing)
        finally:
            # Ctrl-C, a spent budget and errors come through here: what was said is kept.
            self._flush()
        return identity

    def _ask(self, endpoint: Endpoint, cases: list[Case]) -> None:
        """Asks each prompt once, whatever number of answers it stands for."""
        alike: dict[Prompt, list[Case]] = {}
        for case in cases:
            alike.setdefault(case.prompt, []).append(case)
        for prompt, said in endpoint.complete(alike, self.replies):
            for case in alike[prompt]:
                if isinstance(said, Failure):
                    self._failed(case, said.error)
                else:
                    self._keep(case, said)
            self.advance(len(alike[prompt]))

    def _failed(self, case: Case, error: str) -> None:
        which = {"sample_id": case.sample.sample_id, "writing": case.writing, "order": case.order}
        self.outcome.failures.append({**which, "error": error})

    def _keep(self, case: Case, said: Completion) -> None:
        score, of_reference = self.rubric.read(said.text, case.order) or (None, None)
        usage = said.usage
        key = dict(zip(KEY, case.key, strict=True))
        self.rows.append(
            {
                **key,
                "sample_id": case.sample.sample_id,
                "judge": self.key,
                "rubric": self.rubric.name,
                "rubric_version": self.rubric.version,
                "score": score,
                "score_reference": of_reference,
                "reply": said.text,
                "served": said.model,
                "seconds": said.seconds,
                "prompt_tokens": usage.prompt_tokens if usage else None,
                "completion_tokens": usage.completion_tokens if usage else None,
            }
        )
        self.outcome.judged += 1
        if time.monotonic() - self.flushed > FLUSH_S:
            self._flush()

    def _flush(self) -> None:
        self.flushed = time.monotonic()
        if self.rows:
            write_judged(self.folder, pa.Table.from_pylist(self.rows, schema=SCHEMA))
            self.rows.clear()
