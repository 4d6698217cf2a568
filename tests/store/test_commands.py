"""The commands: tables to stdout, messages to stderr, files whole."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from generate import write_campaign

from mmplat.artifacts import Results
from mmplat.store import publish

Command = Callable[..., Any]


def test_publish_writes_every_campaign_and_says_what_is_in_the_store(demo: Results, mmplat: Command) -> None:
    write_campaign(demo, "second", methods=("naive", "broken"))
    said = mmplat("publish", "--no-tracking", "--results", str(demo.root))
    assert said.out == b""
    assert "demo: 24 runs in sqlite:///" in said.err
    assert "second: 16 runs in sqlite:///" in said.err
    assert "8 of them failed" in said.err
    summary = json.loads(demo.published("demo").read_text())
    assert (summary["runs"], summary["folders"]) == (24, 4)


def test_publish_of_one_campaign_leaves_the_others_unpublished(demo: Results, mmplat: Command) -> None:
    write_campaign(demo, "second")
    mmplat("publish", "second", "--no-tracking", "--results", str(demo.root))
    assert not demo.published("demo").exists()
    assert demo.published("second").exists()


def test_rebuild_is_of_the_whole_store(demo: Results, mmplat: Command) -> None:
    assert mmplat("publish", "--rebuild", "--no-tracking", "--results", str(demo.root)).code == 0
    refused = mmplat("publish", "demo", "--rebuild", "--results", str(demo.root))
    assert (refused.code, "name no campaign" in refused.err) == (2, True)


def test_publish_without_campaigns_says_what_begins_one(results: Results, mmplat: Command) -> None:
    said = mmplat("publish", "--results", str(results.root))
    assert (said.code, "`mmplat plan` begins one" in said.err) == (2, True)


def test_publish_without_mlflow_succeeds_with_one_warning(
    demo: Results, mmplat: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)  # what an import finds where it is not installed
    said = mmplat("publish", "--results", str(demo.root))
    assert said.code == 0
    assert said.err.count("warning:") == 1
    assert "pip install 'mmplat[tracking]'" in said.err
    assert demo.published("demo").exists()
    assert demo.mirror_queue("demo").exists()
    assert "no MLflow mirror" in mmplat("tracking", "prepare", "--results", str(demo.root)).err


def test_rank_writes_the_leaderboard_in_three_formats(published: Results, mmplat: Command) -> None:
    said = mmplat("rank", "demo", "--results", str(published.root))
    assert (said.code, said.out) == (0, b"")
    page = published.leaderboard("demo", "md").read_text()
    assert "# demo" in page
    assert "plain mean of expected_accuracy over suites" in page
    rows = json.loads(published.leaderboard("demo", "json").read_text())
    assert len(rows) == 24
    assert pl.read_csv(published.leaderboard("demo", "csv").read_bytes()).columns == list(rows[0])


def test_rank_of_the_same_store_writes_the_same_bytes(published: Results, mmplat: Command) -> None:
    def written() -> list[bytes]:
        mmplat("rank", "demo", "--results", str(published.root))
        return [published.leaderboard("demo", suffix).read_bytes() for suffix in ("md", "csv", "json")]

    assert written() == written()


def test_the_leaderboard_shows_rank_interval_n_unparsed_and_cost(published: Results, mmplat: Command) -> None:
    said = mmplat("leaderboard", "--suite", "world-facts", "--results", str(published.root))
    lines = said.out.decode().splitlines()
    assert lines[0] == "demo · world-facts · expected_accuracy"
    assert lines[1].split() == ["rank", "model", "method", "decoding", "value", "n", "unparsed", "forward_passes"]
    assert "[" in lines[2]
    assert said.err.splitlines()[-2:] == [f"Files: {published.campaign('demo')}", "Dashboard: make dashboard"]


def test_the_leaderboard_counts_the_runs_that_failed(results: Results, mmplat: Command) -> None:
    write_campaign(results, methods=("naive", "broken"))
    publish(results, "demo")
    said = mmplat("leaderboard", "--results", str(results.root))
    assert "8 runs are failed and are in no ranking" in said.err
    assert "broken" not in said.out.decode()


def test_the_leaderboard_of_nothing_says_what_fills_it(results: Results, mmplat: Command) -> None:
    said = mmplat("leaderboard", "--results", str(results.root))
    assert (said.code, said.out) == (1, b"")
    assert "`mmplat publish`" in said.err


def test_a_suite_of_another_campaign_is_no_empty_board(published: Results, mmplat: Command) -> None:
    write_campaign(published, "second", suites=("world-both",))
    publish(published, "second")
    said = mmplat("leaderboard", "--campaign", "demo", "--suite", "world-both", "--results", str(published.root))
    assert (said.code, said.out) == (1, b"")
    assert "No run of demo is ranked by expected_accuracy on world-both" in said.err


def test_an_unknown_campaign_exits_with_the_code_of_wrong_input(published: Results, mmplat: Command) -> None:
    said = mmplat("leaderboard", "--campaign", "dem", "--results", str(published.root))
    assert (said.code, "Did you mean 'demo'" in said.err) == (2, True)


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_sql_prints_the_same_rows_in_every_format(published: Results, mmplat: Command, form: str) -> None:
    read = {"csv": pl.read_csv, "json": pl.read_json, "parquet": pl.read_parquet}[form]
    statement = "SELECT model, count(*) AS n FROM runs GROUP BY model ORDER BY model"
    said = mmplat("sql", statement, "--format", form, "--results", str(published.root))
    assert read(io.BytesIO(said.out)).rows() == [("tiny", 12), ("tiny-biased", 12)]


def test_sql_writes_a_file_whole_and_outside_the_results_too(
    published: Results, mmplat: Command, tmp_path: Path
) -> None:
    target = tmp_path / "runs.parquet"
    said = mmplat("sql", "FROM runs", "--output", str(target), "--results", str(published.root))
    assert (said.code, said.out) == (0, b"")
    assert pl.read_parquet(target.read_bytes()).height == 24
    assert list(tmp_path.glob("*.tmp")) == []


def test_sql_refuses_a_file_whose_name_does_not_say_the_format(
    published: Results, mmplat: Command, tmp_path: Path
) -> None:
    target, where = tmp_path / "runs.xlsx", ("--results", str(published.root))
    said = mmplat("sql", "FROM runs", "--output", str(target), *where)
    assert (said.code, ".csv, .json, .md, .parquet, .txt. Choose with --format" in said.err) == (2, True)
    assert not target.exists()
    assert mmplat("sql", "FROM runs", "--output", str(target), "--format", "csv", *where).code == 0


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM nowhere", "SELEC 1", "COPY runs TO 'x.csv'", "FROM '/etc/passwd'"]
)
def test_sql_that_fails_exits_with_one_and_no_table(published: Results, mmplat: Command, statement: str) -> None:
    said = mmplat("sql", statement, "--results", str(published.root))
    assert (said.code, said.out) == (1, b"")
    assert said.err.strip()
    assert "Traceback" not in said.err


def test_sql_on_an_empty_results_folder_gives_an_empty_table(results: Results, mmplat: Command) -> None:
    said = mmplat("sql", "SELECT run_id FROM runs", "--format", "csv", "--results", str(results.root))
    assert (said.code, said.out) == (0, b"run_id\n")
    assert not results.root.exists()


def test_the_revision_of_a_store_that_is_not_there_is_told_apart(results: Results, mmplat: Command) -> None:
    assert mmplat("db", "current", "--results", str(results.root)).out == b"empty\n"
    said = mmplat("db", "check", "--results", str(results.root))
    assert (said.code, "`mmplat publish` makes it" in said.err) == (1, True)
    assert mmplat("db", "upgrade", "--results", str(results.root)).code == 0
    assert mmplat("db", "check", "--results", str(results.root)).code == 0


def test_the_commands_import_nothing_heavy_until_they_run() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from mmplat.cli import db, leaderboard, publish, rank, sql, tracking; import mmplat.tracking; "
        "print([name for name in ('duckdb', 'sqlalchemy', 'mlflow', 'polars', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
