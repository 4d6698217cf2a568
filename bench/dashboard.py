"""The dashboard on a large store: `bench/dashboard.py [--results FOLDER] [--only-write]`.

10,000 runs (20 models × 5 suites × 10 methods × 10 decodings, an earlier campaign of 1,000 beside them) and 10 million predictions;
a folder that is there is used again. The files are those that deciding writes, the numbers are drawn. A server is started, and a
real Chromium opens every page: cold (the first page that a fresh server serves) and after a choice was changed. Prints JSON: seconds
until the page's script has ended and its first chart or table is there, best and median of `REPEATS`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "store"), str(ROOT / "bench"), str(ROOT / "tests" / "dashboard")]
import generate
from store import rows

from mmplat.artifacts import Results, write_json
from mmplat.store import publish

MODELS = tuple(f"model-{at:02d}-{size}b" for at, size in zip(range(20), (1, 3, 7, 13) * 5, strict=True))
SUITES = tuple(f"suite-{at}" for at in range(5))
METHODS = ("naive", "apc-only", *(f"method-{at}" for at in range(8)))
DECODINGS = ("greedy", "sample", *(f"t0.{at}" for at in range(1, 9)))
SAMPLES, REPEATS = 1000, 5
CAMPAIGN, EARLIER = "large", "earlier"


def write(results: Results) -> None:
    write_campaign(results, EARLIER, DECODINGS[:1], revision="r0")
    write_campaign(results, CAMPAIGN, DECODINGS, revision="r1")
    write_json(results.root / "written.json", {"samples": SAMPLES})


def write_campaign(results: Results, campaign: str, decodings: tuple[str, ...], *, revision: str) -> None:
    generate.write_campaign(
        results, campaign, models=MODELS, suites=SUITES, decodings=decodings, methods=METHODS, samples=6,
        revision=revision, extra_metrics=15,
    )  # fmt: skip
    for suite in SUITES:
        generate.write_suite(results, suite, SAMPLES)
        for model in MODELS:
            write_pair(results.decided(campaign, model, suite))
    publish(results, campaign)
    write_json(results.published(campaign), {})


def write_pair(folder: Path) -> None:
    """What was decided of few samples, as if it were of many."""
    for name in ("runs", "metrics"):
        table = pl.read_parquet(folder / f"{name}.parquet", glob=False).with_columns(n=pl.lit(SAMPLES, pl.Int64))
        generate.write_parquet(folder / f"{name}.parquet", table)
    runs = pl.read_parquet(folder / "runs.parquet", glob=False)["run_id"].to_list()
    generate.write_parquet(folder / "predictions.parquet", rows(runs, SAMPLES))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=Path)
    parser.add_argument("--only-write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Results(given.results or Path(temporary) / "results")
        if not (place.root / "written.json").exists():
            write(place)
