"""Somebody publishes again and again while results are read: every reader sees one moment, whole."""

from __future__ import annotations

import time
from typing import Any

import duckdb
import pytest
from generate import write_campaign
from publishing import publisher
from sqlalchemy.engine import URL

from mmplat.artifacts import Results
from mmplat.errors import ArtifactError
from mmplat.leaderboard import connect, pages, query, ranking, snapshot
from mmplat.leaderboard.comparing import compare
from mmplat.store import publish

READS, AT_LEAST_TURNS, WITHIN_S = 20, 5, 120
METRICS = {"evidence-r0": 5, "evidence-r1": 6}


@pytest.mark.slow
def test_a_reader_sees_one_moment_of_a_store_that_is_written(store: URL, results: Results) -> None:
    write_campaign(results, revision="r0")
    publish(results, "demo")
    began, seen, reads = time.monotonic(), set(), 0
    with publisher(results, {"MMPLAT_STORE_URL": store.render_as_string(hide_password=False)}) as turns:
        while reads < READS or turns() < AT_LEAST_TURNS:
            assert time.monotonic() - began < WITHIN_S, f"{turns()} turns and {reads} reads"
            seen.add(moment(results))
            reads += 1
    assert len(seen) > 1  # it did change


def moment(results: Results) -> str:
    """Whose evidence a fresh connection sees, once it is checked that everything fits together."""
    connection = connect(results)
    try:
        runs = query(
            connection,
            "SELECT evidence_key, count(DISTINCT run_id) AS runs, count(metric) / count(DISTINCT run_id) AS metrics "
            "FROM runs LEFT JOIN metrics USING (run_id) GROUP BY ALL",
        )
        evidence = str(runs["evidence_key"][0])
        assert runs.rows() == [(evidence, 24, METRICS[evidence])]
        assert query(connection, "FROM metrics ANTI JOIN runs USING (run_id)").is_empty()
        look_into_the_files(connection)
        return evidence
    finally:
        connection.close()


def look_into_the_files(connection: duckdb.DuckDBPyConnection) -> None:
    """Files may be of the next moment already: what they hold is whole, or a run is said to be missing, or DuckDB says that a
    file was replaced while it was opened."""
    runs = ranking(connection, "demo", "world-facts")["run_id"].head(2)
    for read in (lambda: compare(connection, *runs).shared, lambda: pages.verdicts(connection, runs[0])):
        said = ""
        try:
            found = read().height
        except duckdb.Error:
            continue
        except ArtifactError as error:
            found, said = 0, str(error)
        assert found == 6 or "no prediction in the files" in said


def test_what_is_published_between_two_tables_is_in_neither(
    store: URL, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_one(results, "demo")
    others = iter(["other"])
    for reading in ("_arrow", "_fetched"):  # of SQLite through DuckDB, and of PostgreSQL

        def read_and_lose_the_race(connection: Any, what: str, original: Any = getattr(snapshot, reading)) -> Any:
            table = original(connection, what)
            for campaign in others:  # once
                publish_one(results, campaign)
            return table

        monkeypatch.setattr(snapshot, reading, read_and_lose_the_race)
    tables = snapshot.store_tables(store)
    assert list(others) == []
    assert (tables["campaigns"].num_rows, tables["runs"].num_rows, tables["metrics"].num_rows) == (1, 24, 120)


def publish_one(results: Results, campaign: str) -> None:
    write_campaign(results, campaign)
    publish(results, campaign)
