"""What came of a cell: its place in the grid, what was run at which cost, and the metrics of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmplat.ids import content_id
from mmplat.records.base import Record


@dataclass(frozen=True, slots=True)
class Cell:
    """model × suite × decoding × method × seed, by name."""

    model: str
    suite: str
    decoding: str
    method: str
    seed: int


IMPORTED = "imported"
"""Origin of runs and suites that were made from answers of other tools: they have no evidence."""
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
    origin: Literal["measured", "archive", "imported"] = "measured"
    """measured: asked here. archive: asked elsewhere, and brought with its evidence. imported: answers alone were brought."""
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
    """Identity of the evidence this run was decided from: whose answers, to which samples, under which views."""
    evidence_digest: str | None = None
    """Digest of the very parts that it was decided from; None: decided by an earlier version, or elsewhere."""
    settings: dict[str, Any]
    """Decoding settings and method parameters, resolved."""
    versions: dict[str, str]
    """Versions of packages and extensions behind the numbers."""


def identifying(versions: Mapping[str, str]) -> dict[str, str]:
    """The versions that are part of a run's id: those of what decides it, and not those of packages."""
    deciding, families = ("method", "suite", "judge"), ("metric:", "rubric:")
    return {name: value for name, value in versions.items() if name in deciding or name.startswith(families)}


def measured_run_id(run: Mapping[str, Any]) -> str:
    """The id of a measured run, from its record: the content of everything that determines its numbers."""
    return content_id(
        {
            **{name: run[name] for name in ("campaign", "model", "suite", "decoding", "method", "seed")},
            "evidence": run["evidence_key"],
            "settings": run["settings"],
            "versions": identifying(run["versions"]),
        }
    )


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
