"""A suite as it is and under cues, with made-up answers; and a small campaign of the tiny models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from builders import Ran, run_grid

from mmplat.artifacts import Results
from mmplat.diagnostics import Measured
from mmplat.diagnostics.conditioned import Conditioned
from mmplat.grid import parse_grid
from mmplat.plan import make_plan
from mmplat.records import Sample

PAIRS = """
campaign: c
models: [fake]
suites: [{name: world-objects, conditions: [cue-wrong, cue-gold]}]
"""
LABELS = ("yes", "no")


def distribution(said: Any) -> np.ndarray[Any, Any]:
    """Answers as (right, wrong, invalid): 1 is right, 0 wrong, −1 no label; or distributions as they are."""
    said = np.asarray(said, float)
    if said.ndim == 2:
        return said
    return np.stack([said == 1, said == 0, said == -1], axis=1).astype(float)


class Maker:
    """Builds pairs from what was said; the right answer of every sample is `yes`, but for `gold`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pairs = make_plan(parse_grid(PAIRS)).pairs

    def measured(
        self,
        at: int,
        runs: dict[tuple[str, str], Any],
        *,
        ids: Any = None,
        cluster: Any = None,
        made: Any = None,
        seed: int = 0,
    ) -> Measured:
        first = distribution(next(iter(runs.values())))
        ids = range(len(first)) if ids is None else ids
        clusters = ids if cluster is None else cluster
        samples = [
            Sample(str(i), str(i), str(c), "?", (), LABELS, "yes", (), {}, {} if made is None else {"condition": made})
            for i, c in zip(ids, clusters, strict=True)
        ]
        place = self.folder / f"{at}-{seed}"
        place.mkdir(exist_ok=True)
        tables, rows = [], []
        for (method, decoding), said in runs.items():
            right, wrong, invalid = distribution(said).T
            run_id = f"{method} {decoding} {seed}"
            said_as = {
                "run_id": [run_id] * len(right),
                "probs": np.stack([right, wrong], axis=1).tolist(),
                "p_other": invalid,
            }
            tables.append(pl.DataFrame(said_as))
            settings = f'{{"decoding": {{"greedy": {str(decoding == "greedy").lower()}}}}}'
            rows.append(
                {
                    "run_id": run_id,
                    "method": method,
                    "decoding": decoding,
                    "settings": settings,
                    "seed": seed,
                    "status": "done",
                }
            )
        pl.concat(tables).write_parquet(place / "predictions.parquet")
        pl.DataFrame(rows).write_parquet(place / "runs.parquet")
        return Measured(self.pairs[at], seed, samples, pl.DataFrame(rows), place / "predictions.parquet", place)

    def __call__(
        self, clean: Any, wrong: Any = None, gold: Any = None, *, key: Any = ("naive", "greedy"), **said: Any
    ) -> Conditioned:
        """One cell before, under misleading cues and under true ones."""
        made = {"template": "paper", "wording": 0, "cue": "…"}
        under = {}
        if wrong is not None:
            under["cue-wrong"] = self.measured(
                1, {key: wrong}, made={**made, "leads": "wrong", "towards": "no"}, **said
            )
        if gold is not None:
            under["cue-gold"] = self.measured(2, {key: gold}, made={**made, "leads": "gold", "towards": "yes"}, **said)
        return Conditioned(self.measured(0, {key: clean}, **said), under)


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


TINY = """
campaign: misled
models: [tiny, tiny-biased]
suites:
  - name: world-objects
    params: {n: 180, seed: 5}
    conditions: &cues
      - {name: cue-wrong, params: {template: world-trained, position: before}}
      - {name: cue-gold, params: {template: world-trained, position: before}}
  - {name: world-spurious, params: {n: 72, seed: 5}, conditions: *cues}
decodings: [greedy, sample, t2]
methods: [naive, cue-contrast]
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Two tiny models on two suites under cues; tests only read it, but for what commands write."""
    return run_grid(TINY, Results(tmp_path_factory.mktemp("misled") / "results"))
