"""Reading ten million predictions: `bench/store.py [--predictions 10000000] [--results FOLDER]`.

A folder that is there is read again. 20 models × 5 suites × 10 methods under one decoding; the files are those that deciding
writes, the numbers are drawn.
Prints JSON: seconds of each query on two threads, the best and the median of five, the connection being open.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "store"))
import generate

from mmplat.artifacts import Results, write_json
from mmplat.leaderboard import connect, query, ranking
from mmplat.leaderboard.comparing import compare
from mmplat.leaderboard.ranges import with_rank_ranges
from mmplat.store import publish

MODELS = tuple(f"model-{at:02d}" for at in range(20))
SUITES = tuple(f"suite-{at}" for at in range(5))
METHODS = ("naive", *(f"method-{at}" for at in range(9)))
CAMPAIGN, REPEATS = "large", 5
PAIR = "model = 'model-03' AND suite = 'suite-1'"
QUERIES = {
    "leaderboard": "FROM leaderboard",
    "accuracy of every run, from the predictions": "SELECT run_id, avg(p_correct) FROM predictions GROUP BY run_id",
    "filter by model and suite": f"SELECT run_id, avg(p_correct) FROM predictions WHERE {PAIR} GROUP BY run_id",
    "filter by model": "SELECT suite, avg(p_correct) FROM predictions WHERE model = 'model-03' GROUP BY suite",
    "filter by suite, one column": "SELECT count(*) FROM predictions WHERE suite = 'suite-1' AND NOT correct",
    "one sample in every run of a suite": "SELECT run_id, answer FROM predictions WHERE suite = 'suite-1' AND sample_id = 's77'",
}


def write(results: Results, predictions: int) -> None:
    samples = predictions // (len(MODELS) * len(SUITES) * len(METHODS))
    generate.write_campaign(
        results,
        CAMPAIGN,
        models=MODELS,
        suites=SUITES,
        decodings=("greedy",),
        methods=METHODS,
        samples=6,
        extra_metrics=15,
    )
    for suite in SUITES:
        generate.write_suite(results, suite, samples)
        for model in MODELS:
            folder = results.decided(CAMPAIGN, model, suite)
            runs = pl.read_parquet(folder / "runs.parquet", glob=False).with_columns(n=pl.lit(samples, pl.Int64))
            metrics = pl.read_parquet(folder / "metrics.parquet", glob=False).with_columns(n=pl.lit(samples, pl.Int64))
            generate.write_parquet(folder / "runs.parquet", runs)
            generate.write_parquet(folder / "metrics.parquet", metrics)
            generate.write_parquet(folder / "predictions.parquet", rows(runs["run_id"].to_list(), samples))
    publish(results, CAMPAIGN)
    write_json(results.root / "predictions.json", predictions)


def rows(runs: list[str], samples: int) -> pl.DataFrame:
    p = np.random.default_rng(len(runs)).random((len(runs) * samples, 1))
    right = p[:, 0] > 0.3
    gold = np.resize(["yes", "no"], len(p))
    answer = np.where(right, gold, np.resize(["no", "yes"], len(p)))
    return pl.DataFrame(
        {
            "run_id": np.repeat(runs, samples),
            "sample_id": pl.Series([f"s{at}" for at in range(samples)] * len(runs)),
            "answer": answer, "gold": gold, "correct": right, "p_correct": p[:, 0], "p_other": np.zeros(len(p)),
            "labels": pl.Series([list(generate.LABELS)]).new_from_index(0, len(p)),
            "probs": pl.Series(np.hstack([p, 1 - p])).cast(pl.List(pl.Float64)),
            "margin": p[:, 0].astype(np.float32), "near_tie": np.zeros(len(p), bool),
        }
    ).with_columns(text=pl.lit(None, pl.String), error=pl.lit(None, pl.String)).select(*generate.PREDICTIONS)  # fmt: skip


def timed(work: Callable[[], Any]) -> dict[str, float]:
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return {"best": round(min(seconds), 3), "median": round(statistics.median(seconds), 3)}


def measure(results: Results) -> dict[str, Any]:
    said: dict[str, Any] = {"connect": timed(lambda: connect(results).close())}
    connection = connect(results)
    connection.execute("SELECT 1")
    said["predictions"] = query(connection, "SELECT count(*) AS n FROM predictions")["n"][0]
    said |= {name: timed(lambda sql=sql: query(connection, sql)) for name, sql in QUERIES.items()}
    one = ranking(connection, CAMPAIGN, SUITES[0])
    some = one.filter(one["model"].is_in(MODELS[:5]))  # as many predictions as ranks get a range for
    said["leaderboard with rank ranges"] = {"rows": some.height, **timed(lambda: with_rank_ranges(connection, some))}
    first, second = (f"model=model-03,suite=suite-1,method={method}" for method in ("naive", "method-0"))
    said["compare two runs"] = timed(lambda: compare(connection, first, second).overall("accuracy"))
    connection.close()
    return said


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--predictions", type=int, default=10_000_000)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Results(given.results or Path(temporary) / "results")
        if not (place.root / "predictions.json").exists():
            write(place, given.predictions)
        print(json.dumps(measure(place), indent=1))
