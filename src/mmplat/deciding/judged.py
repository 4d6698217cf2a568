"""Judgments → measures of one cell. A reply that says no score is counted, and is in no mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmplat.artifacts import Results, read_json
from mmplat.errors import ArtifactError
from mmplat.evidence.judged import KEY, judged_folder, open_judged
from mmplat.metrics.graded import summarise_graded
from mmplat.metrics.summary import Number
from mmplat.plan import Pair, Plan
from mmplat.records import Sample
from mmplat.rubrics import Rubric, Scores
from mmplat.rubrics import catalog as rubrics

ByOrder = Mapping[str, Scores | None]
"""What was said of one answer in each order; None: no score."""
FAILED = "judge_failed"


@dataclass(frozen=True, slots=True)
class Judgments:
    """All judgments of one model on one suite."""

    rubric: Rubric
    marker: Mapping[str, Any]
    """judged.json: who judged, and what could not be judged."""
    said: Mapping[tuple[str, ...], Scores | None]
    parts: Mapping[str, str]
    """Files that hold them, and the SHA-256 of each."""

    @property
    def settings(self) -> dict[str, Any]:
        """Who judged, for the record of a run."""
        who = self.marker["identity"]
        said = {name: who[name] for name in ("url", "model", "served", "rubric")}
        return {**said, "orders": list(self.rubric.orders), "key": self.marker["judge"]}

    @property
    def versions(self) -> dict[str, str]:
        return {"judge": str(self.marker["identity"]["served"]), f"rubric:{self.rubric.name}": str(self.rubric.version)}

    def of(self, sample: Sample, writing: str, text: str) -> ByOrder | None:
        """What was said of an answer; None where an order was not judged."""
        found = {}
        for order in self.rubric.orders:
            key = (sample.sample_key, writing, order, self.rubric.prompt(sample, text, order).key)
            if key not in self.said:
                return None
            found[order] = self.said[key]
        return found

    def why_not(self, sample: Sample, writing: str) -> str:
        """Why an answer has no judgment."""
        wanted = {"sample_id": sample.sample_id, "writing": writing}
        failed = [one["error"] for one in self.marker["failures"] if wanted.items() <= one.items()]
        return (
            f"the judge could not be asked: {failed[0]}" if failed else "not judged: run `mmplat judge` with this grid"
        )

    def numbers(
        self, cell: int, judged: Mapping[int, ByOrder], samples: Sequence[Sample], subsets: Sequence[tuple[str, ...]]
    ) -> list[Number]:
        """Measures of one cell over the answers that were scored in every order, and the share of those that were not."""
        failed = [{FAILED: (float(None in one.values()), 1.0)} for one in judged.values()]
        numbers = summarise_graded(cell, failed, [samples[row] for row in judged], subsets)
        scored = {row: whole for row, one in judged.items() if (whole := _whole(one)) is not None}
        if not scored:
            return numbers
        measures = [self.rubric.measures(one) for one in scored.values()]
        of = [samples[row] for row in scored]
        return numbers + summarise_graded(cell, measures, of, subsets, shares=self.rubric.shares)


def _whole(one: ByOrder) -> dict[str, Scores] | None:
    found = {order: scores for order, scores in one.items() if scores is not None}
    return found if len(found) == len(one) else None


def judgments_of(
    plan: Plan, pair: Pair, results: Results, evidence: Path, bound: Mapping[str, str] | None = None
) -> Judgments | None:
    """The judgments that the plan asks for; None: the suite is scored without a judge."""
    if pair.judge is None:
        return None
    path = results.judged(plan.grid.campaign, pair.model.name, pair.suite.name)
    marker = read_json(path, made_by="mmplat judge")
    if marker["settings"] != pair.judge.settings:
        raise ArtifactError(
            f"{path} is of another judge than the grid names. Run `mmplat judge` with this grid; what either said is kept."
        )
    opened = open_judged(judged_folder(evidence), marker["judge"], bound=bound)
    rows = opened.rows.select(*KEY, "score", "score_reference")
    said = {row[:4]: None if row[4] is None else (row[4], row[5]) for row in rows.iter_rows()}
    return Judgments(rubrics.get(pair.judge.rubric), marker, said, opened.used)
