"""What came of a cell: its place in the grid, what was run at which cost, and the metrics of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mmplat.records.base import Record


@dataclass(frozen=True, slots=True)
class Cell:
    """model × suite × decoding × method × seed, by name."""

    model: str
    suite: str
    decoding: str
    method: str
    seed: int


RunStatus = Literal["done", "incomplete", "failed"]


class RunRecord(Record):
    """One cell as recorded: what was run, on what, at which cost, from which versions."""

    run_id: str
    campaign: str
    model: str
    suite: str
    decoding: str
    method: str
    seed: int
    origin: Literal["measured", "imported"] = "measured"
    """Whether mmplat asked the model, or answers were brought from elsewhere."""
    status: RunStatus
    error: str | None = None
    n: int
    """Samples that were decided."""
    n_failed: int = 0
    """Samples without evidence; they are in no metric."""
    n_near_ties: int = 0
    """Samples whose two likeliest tokens are closer than the arithmetic of the device can tell apart."""
    forward_passes: int
    """What this cell costs when it is run alone; cells of one model and suite share them."""
    seconds: float
    """Asking seconds of the views this cell uses (shared with other cells) plus its own deciding."""
    device: str
    dtype: str
    git_revision: str | None = None
    git_dirty: bool | None = None
    model_key: str
    """Identity of the model: revision, dtype, processor, template."""
    suite_key: str
    """Identity of the prepared suite."""
    evidence_key: str
    """Identity of the evidence this run was decided from."""
    evidence_digest: str | None = None
    """Digest of the evidence parts that the run was decided from; None: a version that kept none decided it."""
    settings: dict[str, Any]
    """Decoding settings and method parameters, resolved."""
    versions: dict[str, str]
    """Versions of packages and extensions behind the numbers."""


class MetricRecord(Record):
    """An aggregate of one run: `subset` is `all`, `group=value`, or `worst:group`."""

    run_id: str
    metric: str
    subset: str
    value: float | None
    """None where the metric is undefined (no positive prediction: no precision)."""
    low: float | None
    high: float | None
    n: int
