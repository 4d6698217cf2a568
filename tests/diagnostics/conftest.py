"""Pairs with made-up answers, and the tiny model's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from builders import Ran, run_grid
from made_up import label_rows

from mmplat.artifacts import Results
from mmplat.diagnostics import Measured
from mmplat.evidence.rows import Evidence
from mmplat.grid import parse_grid
from mmplat.plan import make_plan
from mmplat.records import Sample

TINY = """
campaign: priors
models: [tiny]
suites:
  - {name: world-objects, params: {n: 360, seed: 5}}
  - {name: world-spurious, params: {n: 90, seed: 5}}
  - {name: world-facts, params: {n: 120, seed: 5}}
decodings: [greedy, sample, t0.5, p0.5]
methods: [naive, posthoc-none, vdd-none, threshold-shift, {name: threshold-shift, params: {like: vdd-none}}]
views: [zero]
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A small campaign of the tiny model; tests only read it, but for what `diagnose` writes."""
    return run_grid(TINY, Results(tmp_path_factory.mktemp("tiny") / "results"))


Made = Callable[..., Measured]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A pair on yes/no samples from arrays: gold (0 is yes), answers by (method, decoding), label logits by view."""

    def make(
        gold: Any,
        probs: dict[tuple[str, str], Any],
        *,
        logits: dict[str, Any] | None = None,
        other: Any = None,
        cluster: Any = None,
    ) -> Measured:
        n = len(gold)
        views = [name for name in (logits or {}) if name != "image"]
        grid = parse_grid(f"campaign: c\nmodels: [fake]\nsuites: [world-objects]\nmethods: [naive]\nviews: {views}\n")
        pair = make_plan(grid).pairs[0]
        clusters = range(n) if cluster is None else cluster
        samples = [
            Sample(str(i), str(i), str(c), "?", (), ("yes", "no"), ("yes", "no")[g], ())
            for i, (g, c) in enumerate(zip(gold, clusters, strict=True))
        ]
        rows = [
            pl.DataFrame(
                {"run_id": f"{method} {decoding}", "probs": np.asarray(said, float).tolist()},
                schema_overrides={"probs": pl.List(pl.Float64)},
            ).with_columns(pl.Series("p_other", np.zeros(n) if other is None else other, dtype=pl.Float64))
            for (method, decoding), said in probs.items()
        ]
        pl.concat(rows).write_parquet(tmp_path / "predictions.parquet")
        runs = pl.DataFrame(
            [
                {"run_id": f"{m} {d}", "method": m, "decoding": d, "settings": '{"decoding": {"greedy": true}}'}
                for m, d in probs
            ]
        )
        found = Measured(pair, 0, samples, runs, tmp_path / "predictions.parquet", tmp_path)
        if logits is not None:
            by_name = {view.name: label_rows(logits[view.name]) for view in pair.views}
            keyed = {view.key: by_name[view.name] for view in pair.views}
            found.__dict__["evidence"] = Evidence(np.full(n, 2, np.int16), by_name["image"], keyed)
        return found

    return make
