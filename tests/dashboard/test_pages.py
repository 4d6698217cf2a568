"""What the pages ask of the results, checked against the files they come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest

from mmplat import leaderboard
from mmplat.artifacts import Results
from mmplat.leaderboard import pages

CELL = ["method", "decoding", "seed"]


@pytest.fixture
def connection(made: Results) -> Iterator[Any]:
    opened = leaderboard.connect(made)
    yield opened
    opened.close()


@pytest.mark.parametrize("metric", pages.PAIRED_ON)
def test_a_paired_difference_is_the_difference_of_the_two_values(connection: Any, metric: str) -> None:
    cells = leaderboard.grid(connection, "demo", "fake", "world-objects", metric)
    naive = cells.filter(method="naive").select("decoding", naive="value")
    paired = pages.against_baseline(connection, "demo", "fake", "world-objects", metric=metric)
    both = paired.join(cells, on=CELL).join(naive, on="decoding")
    assert both.height == cells.filter(pl.col("method") != "naive").height == 15
    assert both["difference"].to_list() == pytest.approx((both["value"] - both["naive"]).to_list())
    assert both.select((pl.col("low") <= pl.col("difference")).all()).item()


def test_the_interval_of_a_paired_difference_is_clustered_by_image(connection: Any) -> None:
    found = pages.against_baseline(connection, "demo", "fake", "world-objects", metric="expected_accuracy")
    one = found.filter(method="vdd-unk", decoding="sample").row(0, named=True)
    answers = leaderboard.answers(connection, "demo", "fake", "world-objects").filter(decoding="sample", seed=0)
    wide = answers.pivot(on="method", index="sample_id", values="p_correct")
    clusters = leaderboard.samples(connection, "world-objects").select("sample_id", "cluster")
    rest = wide.join(clusters, on="sample_id").with_columns(d=pl.col("vdd-unk") - pl.col("naive"))
    residuals = rest.group_by("cluster").agg((pl.col("d") - one["difference"]).sum())["d"].to_numpy()
    count = len(residuals)
    assert count < wide.height  # several questions of one image: ignoring that gives another width
    error = np.sqrt((residuals**2).sum() * count / (count - 1)) / wide.height
    assert one["high"] - one["low"] == pytest.approx(2 * 1.959964 * error)


def test_a_metric_that_is_no_mean_over_samples_has_no_paired_difference(connection: Any) -> None:
    assert pages.against_baseline(connection, "demo", "fake", "world-objects", metric="f1").is_empty()


def test_names_come_in_the_order_of_the_grid_file(connection: Any) -> None:
    axes = pages.axes(connection, "demo")
    methods = axes.filter(axis="methods")["name"].to_list()
    assert methods == ["naive", "posthoc-none", "posthoc-noise", "vdd-unk", "apc-only"]
    assert axes.filter(axis="decodings")["name"].to_list() == ["greedy", "sample", "t0.7-k50-p0.9"]


def test_skipped_cells_have_their_reasons(connection: Any) -> None:
    skipped = pages.skipped(connection, "demo", "fake", "world-objects")
    assert set(skipped["method"]) == {"naive", "posthoc-none", "vdd-unk", "apc-only"}
    assert skipped["reason"].str.contains("would repeat seed 0").all()


def test_samples_of_a_run_are_in_the_order_of_the_suite(connection: Any, made: Results) -> None:
    run_id = pages.board(connection, "demo", "world-objects")["run_id"][0]
    prepared = pl.read_parquet(next(made.suites_root.glob("world-objects/*")) / "samples.parquet")
    assert pages.verdicts(connection, run_id)["sample_id"].to_list() == prepared["sample_id"].to_list()


def test_the_version_of_a_results_folder_changes_when_something_is_published(mine: Results) -> None:
    from mmplat.artifacts import write_json

    before = pages.version_of(mine)
    assert pages.version_of(mine) == before
    write_json(mine.published("demo"), {"again": True})
    assert pages.version_of(mine) != before
