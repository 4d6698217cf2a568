"""Writes the files of a campaign as the decide verb leaves them, with real schemas and cheap numbers."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import polars as pl

from mmplat.artifacts import Results, atomic, write_json
from mmplat.ids import content_id, seed_from
from mmplat.records import RunRecord

VIEWS = ("image", "none")
LABELS = ("yes", "no")


def write_campaign(
    results: Results,
    campaign: str = "demo",
    *,
    models: tuple[str, ...] = ("tiny", "tiny-biased"),
    suites: tuple[str, ...] = ("world-objects", "world-facts"),
    decodings: tuple[str, ...] = ("greedy", "t1"),
    methods: tuple[str, ...] = ("naive", "posthoc-none", "vdd-unk"),
    samples: int = 6,
    revision: str = "r1",
    extra_metrics: int = 0,
) -> None:
    """All files of one campaign; another `revision` stands for new evidence, so every run id changes."""
    cells = len(models) * len(suites) * len(decodings) * len(methods)
    grid = {"models": list(models), "suites": list(suites), "decodings": list(decodings), "methods": list(methods)}
    write_json(
        results.plan(campaign),
        {
            "campaign": campaign,
            "grid": grid,
            "pairs": [{"model": model, "suite": suite} for model in models for suite in suites],
            "grid_text": json.dumps(grid),
            "cells": cells,
            "planned": cells,
            "skipped": [
                {"reason": "vcd needs an image", "cells": 1, "model": "tiny", "suite": "text", "method": "vcd"}
            ],
            "batches": [],
            "forwards": samples * len(VIEWS),
            "forwards_cell_by_cell": samples * cells,
        },
    )
    for suite in suites:
        write_suite(results, suite, samples)
        for model in models:
            write_evidence(results, model, suite, samples)
            write_decided(
                results, campaign, model, suite,
                cells=list(itertools.product(decodings, methods)), samples=samples, revision=revision,
                extra_metrics=extra_metrics,
            )  # fmt: skip


def write_decided(
    results: Results,
    campaign: str,
    model: str,
    suite: str,
    *,
    cells: list[tuple[str, str]],
    samples: int = 6,
    revision: str = "r1",
    extra_metrics: int = 0,
) -> None:
    """One decided folder; the last cell has failed, as cells do."""
    folder = results.decided(campaign, model, suite)
    runs = [run_record(campaign, model, suite, decoding, method, samples, revision) for decoding, method in cells]
    rows = [
        {**run.model_dump(), "settings": json.dumps(run.settings), "versions": json.dumps(run.versions)} for run in runs
    ]
    # Folders first lists what the store reads; strings keep their type where every value is null.
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col("error").cast(pl.String))
    write_parquet(folder / "runs.parquet", frame)
    write_parquet(folder / "metrics.parquet", metric_rows(runs, extra_metrics))
    write_parquet(folder / "predictions.parquet", prediction_rows(runs, samples))
    write_json(
        folder / "decided.json",
        {
            "campaign": campaign,
            "model": {"name": model, "key": f"key-{model}", "identity": {"revision": "abc", "dtype": "float32"}},
            "suite": {
                "name": suite, "key": "k1", "kind": suite, "version": 1, "n": samples, "content_id": f"content-{suite}",
                "params": {"split": "random"},
            },
            "runs": len(runs),
            "failed": sum(run.status == "failed" for run in runs),
            "seconds": 1.5,
        },
    )  # fmt: skip


def run_record(
    campaign: str, model: str, suite: str, decoding: str, method: str, samples: int, revision: str
) -> RunRecord:
    cell = [campaign, model, suite, decoding, method, 0]
    failed = method == "broken"
    return RunRecord(
        run_id=content_id([*cell, revision]),
        campaign=campaign, model=model, suite=suite, decoding=decoding, method=method, seed=0,
        status="failed" if failed else "done",
        error="the reference view has no evidence" if failed else None,
        n=0 if failed else samples,
        forward_passes=samples * (1 if method == "naive" else 2),
        seconds=0.25, device="cpu", dtype="float32", git_revision="f00d", git_dirty=False,
        model_key=f"key-{model}", suite_key="k1", evidence_key=f"evidence-{revision}",
        settings={"decoding": {"temperature": 1}, "method": {"alpha": 1.0}},
        versions={"mmplat": "0.1.0", "torch": "2.13.0"},
    )  # fmt: skip


def number(*parts: Any) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    return (seed_from(*parts) % 10_000) / 10_000


METRICS: dict[str, Any] = {
    "run_id": pl.String, "metric": pl.String, "subset": pl.String, "value": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "n": pl.Int64,
}  # fmt: skip


def metric_rows(runs: list[RunRecord], extra: int) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for run in (run for run in runs if run.status == "done"):
        # Of 16 possible values: ties occur.
        value = round(number(run.model, run.suite, run.method) * 16) / 16
        subsets = [("expected_accuracy", "all", value), ("expected_accuracy", "split=hard", value / 2)]
        subsets += [("unparsed", "all", 0.125), ("precision", "all", math.nan), ("accuracy", "all", value)]
        subsets += [(f"extra_{i}", "all", 0.5) for i in range(extra)]
        for metric, subset, number_ in subsets:
            low, high = (None, None) if math.isnan(number_) else (number_ - 0.1, number_ + 0.1)
            rows.append(dict(zip(METRICS, (run.run_id, metric, subset, number_, low, high, run.n), strict=True)))
    return pl.DataFrame(rows, schema=METRICS)


PREDICTIONS: dict[str, Any] = {
    "run_id": pl.String, "sample_id": pl.String, "answer": pl.String, "gold": pl.String, "correct": pl.Boolean,
    "p_correct": pl.Float64, "p_other": pl.Float64, "labels": pl.List(pl.String), "probs": pl.List(pl.Float64),
    "margin": pl.Float32, "near_tie": pl.Boolean, "text": pl.String, "error": pl.String,
}  # fmt: skip


def prediction_rows(runs: list[RunRecord], samples: int) -> pl.DataFrame:
    rows = []
    for run in (run for run in runs if run.status == "done"):
        for index in range(samples):
            p_yes = number(run.model, run.method, index)
            answer = None if index == 5 else LABELS[p_yes < 0.5]
            gold = LABELS[index % 2]
            rows.append(
                {
                    "run_id": run.run_id, "sample_id": f"s{index}", "answer": answer, "gold": gold,
                    "correct": answer == gold, "p_correct": p_yes if gold == "yes" else 1 - p_yes, "p_other": 0.0,
                    "labels": list(LABELS),
                    "probs": [p_yes, 1 - p_yes], "margin": 0.5, "near_tie": False, "text": None, "error": None,
                }
            )  # fmt: skip
    return pl.DataFrame(rows, schema=PREDICTIONS)


EVIDENCE: dict[str, Any] = {
    "sample_key": pl.String, "sample_id": pl.String, "view": pl.String, "view_key": pl.String,
    "labels": pl.List(pl.String), "label_logits": pl.List(pl.Float32), "label_mass": pl.Float32,
    "spelling_ids": pl.List(pl.Int32), "spelling_of": pl.List(pl.Int8), "spelling_logits": pl.List(pl.Float32),
    "top_ids": pl.List(pl.Int32), "top_logits": pl.List(pl.Float32), "at_main": pl.List(pl.Float32), "lse": pl.Float64,
    "lse_temperatures": pl.List(pl.Float32), "lse_shifted": pl.List(pl.Float64), "vocab_size": pl.Int32,
    "margin": pl.Float32, "near_tie": pl.Boolean, "seconds": pl.Float32, "device": pl.String, "dtype": pl.String,
}  # fmt: skip


def evidence_row(model: str, view: str, index: int, top_k: int) -> dict[str, Any]:
    yes = number(model, view, index) * 4
    return {
        "sample_key": f"key-s{index}", "sample_id": f"s{index}", "view": view, "view_key": f"vk-{view}",
        "labels": list(LABELS), "label_logits": [yes, 2.0], "label_mass": 0.9, "spelling_ids": [3, 4],
        "spelling_of": [0, 1], "spelling_logits": [yes, 2.0], "top_ids": list(range(top_k)),
        "top_logits": [float(top_k - i) for i in range(top_k)], "at_main": None if view == "image" else [0.0] * top_k,
        "lse": 3.0, "lse_temperatures": [0.5], "lse_shifted": [4.0], "vocab_size": 64, "margin": 0.5, "near_tie": False,
        "seconds": 0.01, "device": "cpu", "dtype": "float32",
    }  # fmt: skip


def write_evidence(results: Results, model: str, suite: str, samples: int) -> None:
    """Two parts: the second holds wider rows of the first sample."""
    folder = results.evidence(model, suite, f"key-{model}")
    first = [evidence_row(model, view, index, 4) for view in VIEWS for index in range(samples)]
    wider = [evidence_row(model, view, 0, 8) for view in VIEWS]
    write_parquet(folder / "part-0000.parquet", pl.DataFrame(first, schema=EVIDENCE))
    write_parquet(folder / "part-0001.parquet", pl.DataFrame(wider, schema=EVIDENCE))


def write_suite(results: Results, suite: str, samples: int) -> None:
    folder = results.suite(suite, "k1")
    rows = [
        {
            "sample_id": f"s{index}", "sample_key": f"key-s{index}", "cluster": f"c{index // 2}",
            "question": "Is it red?", "options": list(LABELS), "labels": list(LABELS),
            "gold": LABELS[index % 2], "images": [f"{index}.png"],
            "groups": json.dumps({"split": "hard" if index % 2 else "easy"}),
        }
        for index in range(samples)
    ]  # fmt: skip
    write_parquet(folder / "samples.parquet", pl.DataFrame(rows))
    write_json(folder / "suite.json", {"name": suite, "key": "k1"})


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    with atomic(path) as temporary:
        frame.write_parquet(temporary)
