"""Two runs against each other, the gate, and ranks that are ranges: on a grid that was really run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from builders import run_grid
from generate import write_campaign

from mmplat.artifacts import Results
from mmplat.errors import ArtifactError, ConfigError
from mmplat.leaderboard import connect, ranking
from mmplat.leaderboard.comparing import compare, find_run
from mmplat.leaderboard.ranges import with_rank_ranges
from mmplat.statistics import mcnemar
from mmplat.store import publish

Command = Callable[..., Any]
GRID = """
campaign: judged
models: [fake]
suites: [world-objects]
decodings: [greedy, sample]
methods: [naive, posthoc-none, vdd-none]
limit: 180
"""
NAIVE, VDD = "method=naive,decoding=greedy", "decoding=greedy,method=vdd-none"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("judged") / "results")
    run_grid(GRID, results)
    publish(results, "judged", url=f"sqlite:///{results.store}")
    return results


@pytest.fixture
def opened(judged: Results) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(judged)
    yield connection
    connection.close()


def predictions(opened: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    run_id = find_run(opened, name)["run_id"]
    return opened.execute("FROM predictions WHERE run_id = $id ORDER BY sample_id", {"id": run_id}).pl()


def test_a_comparison_counts_what_the_predictions_hold(opened: duckdb.DuckDBPyConnection) -> None:
    found = compare(opened, NAIVE, VDD)
    first, second = (predictions(opened, name) for name in (NAIVE, VDD))
    before, after = first["correct"].to_numpy(), second["correct"].to_numpy()
    assert (found.shared.height, found.unshared) == (180, 0)
    assert (found.fixed, found.broken) == (int((~before & after).sum()), int((before & ~after).sum()))
    assert found.fixed + found.broken > 0, "else this test sees no flip"
    assert found.mcnemar == mcnemar(found.fixed, found.broken)
    overall = found.overall("accuracy")
    assert overall.difference == pytest.approx(after.mean() - before.mean())
    assert overall.low <= overall.difference <= overall.high
    assert overall.clusters == found.shared["cluster"].n_unique() < 180
    expected = found.overall("expected_accuracy")
    assert expected.difference == pytest.approx(second["p_correct"].mean() - first["p_correct"].mean())


def test_flips_are_listed_sample_by_sample_with_both_answers(opened: duckdb.DuckDBPyConnection) -> None:
    found = compare(opened, NAIVE, VDD)
    flips = found.flips()
    assert flips["change"].value_counts().sort("change").rows() == [
        (name, count) for name, count in (("broken", found.broken), ("fixed", found.fixed)) if count
    ]
    for row in flips.iter_rows(named=True):
        right = row["answer_second"] if row["change"] == "fixed" else row["answer_first"]
        assert right == row["gold"]
        assert row["answer_first"] != row["answer_second"]


def test_groups_add_up_to_the_whole_and_their_p_values_are_of_one_family(opened: duckdb.DuckDBPyConnection) -> None:
    found = compare(opened, NAIVE, VDD)
    groups = found.by_group("accuracy", ["split"])
    assert [one.subset for one in groups] == ["split=adversarial", "split=popular", "split=random"]
    whole = found.overall("accuracy")
    assert sum(one.difference * one.n for one in groups) == pytest.approx(whole.difference * whole.n)
    assert all(one.p_holm is not None and one.p_holm >= one.p for one in groups)


def test_a_run_compared_with_itself_differs_by_nothing(opened: duckdb.DuckDBPyConnection) -> None:
    run_id = find_run(opened, NAIVE)["run_id"]
    one = compare(opened, run_id, run_id[:10]).overall("accuracy")
    assert (one.difference, one.low, one.high, one.p) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("method=naive", "means 2 runs"),
        ("ffffnone", "There is no run 'ffffnone'"),
        ("method=nowhere", "`mmplat publish` fills the store"),
        ("metod=naive", "is named by its id"),
    ],
)
def test_a_name_that_means_no_single_run_says_how_runs_are_named(
    opened: duckdb.DuckDBPyConnection, name: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        find_run(opened, name)


def test_a_method_with_commas_and_equals_signs_in_its_name_is_found(results: Results) -> None:
    write_campaign(results, methods=("naive", "vcd(alpha=0.5,beta=0.1)"))
    publish(results, "demo")
    connection = connect(results)
    run = find_run(connection, "method=vcd(alpha=0.5,beta=0.1),model=tiny,suite=world-facts,decoding=t1,seed=0")
    assert run["method"] == "vcd(alpha=0.5,beta=0.1)"
    connection.close()


def test_runs_without_predictions_or_without_common_samples_are_refused(results: Results) -> None:
    write_campaign(results, methods=("naive", "broken"))
    publish(results, "demo")
    connection = connect(results)
    cell = "model=tiny,suite=world-facts,decoding=greedy"
    with pytest.raises(ArtifactError, match="has no prediction"):
        compare(connection, f"{cell},method=naive", f"{cell},method=broken")
    connection.close()
    path = results.decided("demo", "tiny", "world-facts") / "predictions.parquet"
    table = pl.read_parquet(path.read_bytes())
    table.with_columns(sample_id="other-" + pl.col("sample_id")).write_parquet(path)
    connection = connect(results)
    with pytest.raises(ConfigError, match="no sample in common"):
        compare(connection, f"{cell},method=naive", f"{cell.replace('tiny', 'tiny-biased')},method=naive")
    connection.close()


def test_another_right_answer_is_another_suite_and_no_difference(published: Results) -> None:
    path = published.decided("demo", "tiny", "world-facts") / "predictions.parquet"
    table = pl.read_parquet(path.read_bytes())
    table.with_columns(gold=pl.when(pl.col("sample_id") == "s3").then(pl.lit("yes")).otherwise("gold")).write_parquet(
        path
    )
    connection = connect(published)
    cell = "suite=world-facts,decoding=greedy,method=naive"
    with pytest.raises(ConfigError, match="the first of them 's3'"):
        compare(connection, f"model=tiny,{cell}", f"model=tiny-biased,{cell}")
    connection.close()


def test_the_command_prints_the_comparison_and_all_of_it_as_json(judged: Results, mmplat: Command) -> None:
    where = ["--results", str(judged.root)]
    text = mmplat("compare", NAIVE, VDD, "--flips", "3", *where).out.decode()
    assert "exact McNemar p =" in text
    assert "split=adversarial" in text
    assert "flips, 3 of" in text
    said = json.loads(mmplat("compare", NAIVE, VDD, "--json", *where).out)
    assert said["fixed"] + said["broken"] == len(said["flips"])
    assert [one["metric"] for one in said["overall"]] == ["accuracy", "expected_accuracy"]
    assert said["overall"][0]["low"] <= said["overall"][0]["difference"] <= said["overall"][0]["high"]


def test_questions_about_one_image_have_no_interval_and_say_so(results: Results, mmplat: Command) -> None:
    run_grid(GRID.replace("180", "6"), results)
    publish(results, "judged")
    where = ("--results", str(results.root))
    assert "[unknown: one cluster]" in mmplat("compare", NAIVE, VDD, *where).out.decode()
    assert "design effect none" in mmplat("compare", NAIVE, NAIVE, *where).out.decode()
    gate = mmplat("gate", "--baseline", NAIVE, "--candidate", VDD, "--margin", "0.02", *where)
    assert (gate.code, "[unknown: one cluster] on 6 shared samples" in gate.out.decode()) == (4, True)


def test_the_gate_has_an_exit_code_for_each_verdict(judged: Results, mmplat: Command) -> None:
    def gate(baseline: str, candidate: str, margin: str) -> Any:
        options = ["--baseline", baseline, "--candidate", candidate, "--margin", margin, "--json"]
        return mmplat("gate", *options, "--results", str(judged.root))

    same = gate(NAIVE, NAIVE, "0.01")
    assert (same.code, json.loads(same.out)["verdict"]) == (0, "GO")
    worse, better = sorted((NAIVE, VDD), key=lambda name: accuracy(judged, name))
    wide = json.loads(gate(better, worse, "1").out)
    assert wide["verdict"] == "GO"
    assert wide["low"] < wide["difference"] < 0, "the two must differ, or this test shows nothing"
    inside = gate(better, worse, str(-(wide["low"] + wide["difference"]) / 2))
    assert (inside.code, json.loads(inside.out)["verdict"]) == (4, "INCONCLUSIVE")
    assert gate(NAIVE, "nothing", "0.01").code == 2


def test_the_gate_closes_on_what_is_clearly_worse(published: Results, mmplat: Command) -> None:
    path = published.decided("demo", "tiny", "world-facts") / "predictions.parquet"
    table = pl.read_parquet(path.read_bytes())
    good = find(published, "greedy")
    table.with_columns(correct=pl.col("run_id") == good).write_parquet(path)
    cell = "model=tiny,suite=world-facts,method=naive,decoding="
    options = ["--baseline", f"{cell}greedy", "--candidate", f"{cell}t1", "--margin", "0.02"]
    said = mmplat("gate", *options, "--results", str(published.root))
    assert (said.code, said.out.decode()[:6]) == (3, "NO-GO:")


def find(results: Results, decoding: str) -> str:
    connection = connect(results)
    try:
        return str(find_run(connection, f"model=tiny,suite=world-facts,method=naive,decoding={decoding}")["run_id"])
    finally:
        connection.close()


def accuracy(results: Results, name: str) -> float:
    connection = connect(results)
    try:
        return float(predictions(connection, name)["correct"].mean())  # type: ignore[arg-type]
    finally:
        connection.close()


def test_a_rank_is_a_range_that_holds_it(judged: Results, opened: duckdb.DuckDBPyConnection, mmplat: Command) -> None:
    table = with_rank_ranges(opened, ranking(opened, "judged"))
    assert table.columns[table.columns.index("rank") :][:3] == ["rank", "rank_low", "rank_high"]
    assert table.filter(pl.col("rank_low").is_null()).is_empty()
    assert ((table["rank_low"] <= table["rank"]) & (table["rank"] <= table["rank_high"])).all()
    assert table["rank_high"].max() == table.height
    shown = mmplat("leaderboard", "--top", "2", "--results", str(judged.root)).out.decode()
    first = table.row(0, named=True)
    assert f"1 ({first['rank_low']}–{first['rank_high']})" in shown


def test_ranks_have_no_range_where_there_is_no_pair(opened: duckdb.DuckDBPyConnection) -> None:
    no_mean = with_rank_ranges(opened, ranking(opened, "judged", metric="f1"))
    assert no_mean["rank_low"].null_count() == no_mean.height > 0


def test_dear_ranges_are_asked_for_and_only_the_best_have_one(
    judged: Results, opened: duckdb.DuckDBPyConnection, mmplat: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranked = ranking(opened, "judged")
    every = with_rank_ranges(opened, ranked)
    monkeypatch.setattr("mmplat.leaderboard.ranges.CHEAP", 100)
    assert with_rank_ranges(opened, ranked)["rank_low"].null_count() == ranked.height
    assert with_rank_ranges(opened, ranked, asked_for=True).equals(every)
    told = mmplat("leaderboard", "--results", str(judged.root))
    assert f"{ranked['n'].sum():,} predictions would be read for them. --ranges does." in told.err
    asked = mmplat("leaderboard", "--ranges", "--results", str(judged.root))
    assert "--ranges" not in asked.err
    assert f"1 ({every['rank_low'][0]}–{every['rank_high'][0]})" in asked.out.decode()
    monkeypatch.setattr("mmplat.leaderboard.ranges.RANGED", 2)
    some = with_rank_ranges(opened, ranked, asked_for=True)
    best = ranked["rank"] <= 2
    assert some.filter(best).equals(every.filter(best))
    assert some.filter(~best)["rank_low"].count() == 0 < (~best).sum()


def test_power_answers_from_each_side(mmplat: Command) -> None:
    said = json.loads(mmplat("power", "--accuracy", ".8", "--effect", ".02", "--clusters", "500", "--json").out)
    assert said["needed_clusters"] > 500
    assert said["smallest_effect"] > 0.02
    assert said["power"] < 0.5
    text = mmplat("power", "--accuracy", ".8", "--effect", ".02").out.decode()
    assert f"0.82 against 0.8 needs {said['needed_n']} samples" in text
    assert mmplat("power", "--accuracy", ".8").code == 2
    nothing = mmplat("power", "--accuracy", ".999", "--clusters", "5").out.decode()
    assert "no effect at all" in nothing


def test_a_metric_that_is_no_mean_over_samples_has_no_pairs(opened: duckdb.DuckDBPyConnection) -> None:
    found = compare(opened, NAIVE, VDD)
    with pytest.raises(ConfigError, match="no mean over samples"):
        found.overall("f1")
    assert np.isfinite(found.design_effect)
