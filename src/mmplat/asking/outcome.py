"""What asking came to: counts, cost, and what could not be asked, with the reason. Shared by all jobs of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmplat.asking.prefaces import NO_PREFACES, Prefaces
from mmplat.models import LoadedModel, RemoteModel
from mmplat.records import BatchSuite, Sample, ViewSpec
from mmplat.views import catalog as view_kinds

Advance = Callable[[int], None]


@dataclass(slots=True)
class Outcome:
    """What asking a batch came to."""

    asked: int = 0
    kept: int = 0
    seconds: float = 0.0
    failures: list[dict[str, str]] = field(default_factory=list)
    model_keys: dict[str, str] = field(default_factory=dict)
    """Suite name → key of the evidence folder."""
    steps: int = 0
    """Rows of forwards as the plan foresees them: a cost per step is one that the next plan can multiply."""

    def fail(self, part: BatchSuite, sample_id: str, view: str, error: str) -> None:
        """Records a failure with its reason; "all" stands for every sample, "every" for each view."""
        self.failures.append({"suite": part.suite.name, "sample_id": sample_id, "view": view, "error": error})


def possible_views(
    model: LoadedModel | RemoteModel,
    part: BatchSuite,
    samples: list[Sample],
    missing: NDArray[np.bool_],
    outcome: Outcome,
    advance: Advance,
    prefaces: Prefaces = NO_PREFACES,
) -> NDArray[np.bool_]:
    """`missing` without the views that this very model cannot make, recorded once for all samples, and without those that
    cannot be made of a sample."""
    possible = missing.copy()
    for at, view in enumerate(part.views):
        reason = model.unavailable(view.kind)
        if reason:
            outcome.fail(part, "all", view.name, f"view {view.name!r} is not available: {reason}")
            possible[:, at] = False
            continue
        for row in np.flatnonzero(missing[:, at]):
            misfit = why_no_view(view, samples[row], prefaces)
            if misfit:
                outcome.fail(part, samples[row].sample_id, view.name, misfit)
                possible[row, at] = False
    advance(int(missing.sum() - possible.sum()))
    return possible


def why_no_view(view: ViewSpec, sample: Sample, prefaces: Prefaces) -> str | None:
    """Why a view cannot be made of a sample; None: it can."""
    reason = view_kinds.get(view.kind).misfit(sample, view.params) or prefaces.lacking(sample, view)
    return f"no view {view.name!r} of it: {reason}" if reason else None
