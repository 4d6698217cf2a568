"""What was measured of one model on one suite: samples, stored predictions as arrays, and the evidence behind them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.artifacts import Results, read_json, refuse_altered
from mmplat.errors import ConfigError, IncompatibleCell, UnknownName
from mmplat.evidence.files import padded, read_evidence
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import label_probs
from mmplat.metrics import Answered
from mmplat.plan import MADE_BY, Pair, Plan, read_plan
from mmplat.preparing import load_samples
from mmplat.records import Sample, ViewSpec
from mmplat.spurious import SPURIOUS, labels_with
from mmplat.suites import catalog as suites

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
EMPTY_INPUTS = ("none", "unk", "zero", "one", "noise", "black", "white", "random-pixels", "imagined")
"""Kinds of view that show nothing, or next to nothing, of the image."""
MOSTLY_NOISE = 900
"""From this step on noise is an empty input; VCD's 500 still shows most of the image."""


@dataclass(frozen=True, slots=True)
class Run:
    """One cell's answers on all samples of its suite; NaN where it decided nothing."""

    method: str
    decoding: str
    probs: Floats  # (sample, label)
    other: Floats  # (sample,)

    @property
    def decided(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.other)

    @property
    def likeliest(self) -> Rows:
        """Index of the likeliest label, −1 where saying no label is likelier still, or nothing was decided (sample,)."""
        best = np.nan_to_num(self.probs, nan=-1.0).argmax(axis=1)
        said = self.probs[np.arange(len(best)), best]
        return np.where(said >= self.other, best, -1)


@dataclass(frozen=True)
class Measured:
    """One pair of a campaign, as its files say. Random methods speak under the first seed of the grid."""

    pair: Pair
    seed: int
    samples: list[Sample]
    runs: pl.DataFrame
    predictions: Path
    evidence_folder: Path
    guest: bool = False
    """Whether its campaign came as an archive."""

    @property
    def closed(self) -> bool:
        """Every question is answered by one of a few labels."""
        return all(sample.labels for sample in self.samples)

    @cached_property
    def gold(self) -> Rows:
        return np.array([s.labels.index(s.gold) for s in self.samples])

    @cached_property
    def n_labels(self) -> Rows:
        return np.array([len(s.labels) for s in self.samples])

    @cached_property
    def positive(self) -> Rows | None:
        label = suites.get(self.pair.suite.kind).positive
        return None if label is None else np.array([s.labels.index(label) for s in self.samples])

    @cached_property
    def spurious(self) -> NDArray[np.bool_] | None:
        """Which labels speak for a spurious attribute (sample, label); None where no sample says so."""
        return labels_with(SPURIOUS, self.samples, int(self.n_labels.max()))

    @cached_property
    def cluster(self) -> Rows:
        return np.unique([s.cluster for s in self.samples], return_inverse=True)[1]

    @cached_property
    def evidence(self) -> Evidence:
        return read_evidence(self.evidence_folder, self.samples, list(self.pair.views))

    @property
    def methods(self) -> list[str]:
        return self.runs["method"].unique(maintain_order=True).to_list()

    @property
    def decodings(self) -> list[str]:
        self._refuse_nothing()
        return self.runs["decoding"].unique(maintain_order=True).to_list()

    @property
    def empty_inputs(self) -> list[ViewSpec]:
        """Views that were asked and show nothing of the image, by the order of `EMPTY_INPUTS`."""
        found = [view for view in self.pair.views if view.kind in EMPTY_INPUTS]
        found = [view for view in found if int(view.params.get("step", MOSTLY_NOISE)) >= MOSTLY_NOISE]
        return sorted(found, key=lambda view: EMPTY_INPUTS.index(view.kind))

    @property
    def subsets(self) -> dict[str, Rows]:
        """All samples, and each group by one of the columns that the suite reports by."""
        found: dict[str, list[int]] = {}
        for keys in suites.get(self.pair.suite.kind).subsets:
            for row, sample in enumerate(self.samples):
                if len(keys) == 1 and keys[0] in sample.groups:
                    found.setdefault(f"{keys[0]}={sample.groups[keys[0]]}", []).append(row)
        return {"all": np.arange(len(self.samples))} | {name: np.array(rows) for name, rows in sorted(found.items())}

    def settings(self, decoding: str) -> dict[str, Any]:
        """What a decoding's name stands for."""
        said = self.runs.filter(pl.col("decoding") == decoding)["settings"][0]
        return dict(json.loads(said)["decoding"])

    def usual_decoding(self, preferred: str = "greedy") -> str:
        """The decoding that a diagnostic looks at unless it is told another."""
        return preferred if preferred in self.decodings else self.decodings[0]

    def answers(self, *, method: str | None = None, decoding: str | None = None) -> list[Run]:
        """Runs of one method or under one decoding, read at once; a name that was not run is refused."""
        self._refuse_nothing()
        wanted = self.runs
        for axis, name in (("method", method), ("decoding", decoding)):
            if name is not None:
                if name not in wanted[axis]:
                    raise UnknownName(axis, name, wanted[axis].unique(), where=f" in what was decided of {self.title}")
                wanted = wanted.filter(pl.col(axis) == name)
        ids = wanted["run_id"].to_list()
        rows = (
            pl.scan_parquet(self.predictions, glob=False)
            .filter(pl.col("run_id").is_in(ids))
            .select("run_id", "probs", "p_other")
            .collect()
            .partition_by("run_id", as_dict=True)
        )
        each = wanted.select("method", "decoding", "run_id").iter_rows()
        return [self._run(method, decoding, rows[(run_id,)]) for method, decoding, run_id in each]

    def _refuse_nothing(self) -> None:
        if self.runs.is_empty():
            raise IncompatibleCell(f"all cells of {self.title} failed, and `mmplat status` says why")

    def _run(self, method: str, decoding: str, rows: pl.DataFrame) -> Run:
        probs = padded(rows["probs"], np.nan, np.float64, width=int(self.n_labels.max()))
        return Run(method, decoding, probs, rows["p_other"].cast(pl.Float64).to_numpy())

    def answered(self, run: Run, rows: Rows, *, expected: bool = False) -> Answered:
        """A run's answers on some samples, for metrics: the likeliest ones, or the whole distribution."""
        positive = None if self.positive is None else self.positive[rows]
        spurious = None if self.spurious is None else self.spurious[rows]
        if expected:
            return Answered(np.nan_to_num(run.probs[rows]), run.other[rows], self.gold[rows], positive, spurious)
        said = run.likeliest[rows]
        one_hot = (np.arange(run.probs.shape[1]) == said[:, None]).astype(np.float64)
        return Answered(one_hot, (said < 0).astype(np.float64), self.gold[rows], positive, spurious)

    def label_probs(self, view: ViewSpec | None = None) -> Floats:
        """What the labels get among themselves at temperature 1 (sample, label); NaN where that was not asked or told."""
        rows = self.evidence.main if view is None else self.evidence.view(view)
        with np.errstate(invalid="ignore"):
            return np.where(rows.present[:, None], label_probs(rows), np.nan)

    @property
    def title(self) -> str:
        return f"{self.pair.model.name} × {self.pair.suite.name}"


def measured(
    results: Results, campaign: str, *, models: Sequence[str] = (), suites: Sequence[str] = ()
) -> list[Measured]:
    """The decided pairs of a campaign, all of them or those of some models and suites."""
    path = results.plan(campaign)
    if not path.exists():
        known = [plan.parent.name for plan in results.plans]
        raise UnknownName("campaign", campaign, known, where=f" in {results.root} (`{MADE_BY}` makes one)")
    plan = read_plan(path)
    for axis, asked, there in (
        ("model", models, [pair.model.name for pair in plan.pairs]),
        ("suite", suites, [pair.suite.name for pair in plan.pairs]),
    ):
        for name in asked:
            if name not in there:
                raise UnknownName(axis, name, set(there), where=f" in campaign {campaign!r}")
    pairs = [
        pair
        for pair in plan.pairs
        if (not models or pair.model.name in models) and (not suites or pair.suite.name in suites)
    ]
    if not pairs:
        raise ConfigError(f"Campaign {campaign!r} planned none of these models on these suites.")
    return [_measured(plan, pair, results) for pair in pairs]


def _measured(plan: Plan, pair: Pair, results: Results) -> Measured:
    guest, results = results.has_guest(plan.grid.campaign), results.of(plan.grid.campaign)
    folder = results.decided(plan.grid.campaign, pair.model.name, pair.suite.name)
    decided = read_json(folder / "decided.json", made_by=f"mmplat decide {results.plan(plan.grid.campaign)}")
    for name in ("runs.parquet", "predictions.parquet"):
        refuse_altered(folder / name, decided.get("files", {}).get(name))
    runs = pl.read_parquet(folder / "runs.parquet", glob=False).filter(seed=plan.grid.seeds[0])
    return Measured(
        pair=pair,
        seed=plan.grid.seeds[0],
        samples=load_samples(results.suite(pair.suite.name, decided["suite"]["key"])),
        runs=runs.filter(pl.col("status") != "failed"),
        predictions=folder / "predictions.parquet",
        evidence_folder=results.evidence(pair.model.name, pair.suite.name, decided["model"]["key"]),
        guest=guest,
    )
