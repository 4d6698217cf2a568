"""The console of the page SQL: what a query may take, and that it writes nothing, whoever wrote it and however."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from mmplat.artifacts import Results
from mmplat.leaderboard import confining, connect
from mmplat.leaderboard.console import Console
from mmplat.leaderboard.console_process import Limits
from mmplat.leaderboard.statements import QueryError

App = Callable[..., Any]
SMALL = Limits(seconds=300, memory_gb=0.25, rows=3, answer_mb=1)
DOUBLING = ", ".join(f"c{n} AS MATERIALIZED (FROM c{n - 1} UNION ALL FROM c{n - 1})" for n in range(1, 23))


@pytest.fixture
def console(made: Results) -> Iterator[Console]:
    opened = Console(made, SMALL)
    yield opened
    opened.close()


def test_an_answer_comes_home_as_a_table_of_its_first_rows(console: Console) -> None:
    found = console.ask(
        "SELECT range AS n, sum(range) OVER () AS total, 'é' AS text FROM range(9) ORDER BY n DESC; -- all"
    )
    assert found.schema == {"n": pl.Int64, "total": pl.Int64, "text": pl.String}
    assert found.rows() == [(8, 36, "é"), (7, 36, "é"), (6, 36, "é")]
    assert console.ask("PIVOT runs ON decoding USING count(*) GROUP BY method").height == 3
    assert console.ask("EXPLAIN ANALYZE FROM runs").height == 1


def test_a_query_that_duckdb_does_not_interrupt_is_stopped_at_its_time(made: Results) -> None:
    console = Console(made, Limits(seconds=1))
    console.prepare()
    began = time.monotonic()
    # Both texts are one row each: DuckDB looks for an interrupt between rows alone. It takes two minutes.
    with pytest.raises(QueryError, match="was stopped after 1 s. Ask for less"):
        console.ask("SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))")
    took = time.monotonic() - began
    console.close()
    assert took < 60  # most of it reads the results, on a busy machine


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(lpad('x', 2000000000, 'y'))",
        "SELECT list(range) FROM range(500000000)",
        f"WITH c0 AS MATERIALIZED (SELECT repeat('x', 1000) AS x FROM range(1000)), {DOUBLING} SELECT count(*) FROM c22",
        "SELECT length(concat_ws(',', list)) FROM (SELECT list(repeat('x', 1000000)) AS list FROM range(1000))",
    ],
)
def test_a_query_may_hold_no_more_than_the_memory_it_is_given(console: Console, sql: str) -> None:
    with pytest.raises(QueryError, match=r"needs more than 0\.25 GB of memory. Ask for less"):
        console.ask(sql)
    assert console.ask("SELECT 1 AS one")["one"].to_list() == [1]


def test_an_answer_that_is_too_large_for_a_page_is_refused(console: Console) -> None:
    with pytest.raises(QueryError, match="larger than 1 MB"):
        console.ask("SELECT repeat('x', 2000000) AS x")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("-- x\nEXPLAIN ANALYZE CREATE OR REPLACE VIEW leaderboard AS SELECT 1", "CREATE is not allowed"),
        ("SET memory_limit = '8GB'", "SET is not allowed"),
        ("FROM read_text('/etc/passwd')", "reads the results and nothing else"),
        ("SELECT 1 FRM runs", "Parser Error(?s:.)*LINE 1: SELECT 1 FRM runs"),
        ("-- nothing", "no SQL statement"),
    ],
)
def test_what_is_refused_says_why(console: Console, sql: str, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        console.ask(sql)


PAST_THE_FIRST_WALL = """
import sys
from pathlib import Path
import duckdb
from mmplat.artifacts import Results
from mmplat.leaderboard import confining
from mmplat.leaderboard.connection import connect_tables
from mmplat.leaderboard.snapshot import store_tables
from mmplat.store import store_url

results, locks = Results(Path(sys.argv[1])), sys.argv[2] == "locked"
tables = store_tables(store_url(results))
if locks:
    reason = confining.forbid_writing()
    assert reason is None, reason
connection = connect_tables(tables, results, memory="1GB", threads=2)
confining.limit(seconds=60, memory_bytes=2_000_000_000, threads=2)
for sql in sys.stdin.read().split(";"):
    try:
        connection.execute(sql)
        print("done")
    except duckdb.IOException:
        print("refused")
"""


@pytest.mark.parametrize("locks", ["locked", "only limited"])
def test_a_process_that_answers_cannot_write_whatever_it_is_told(mine: Results, tmp_path: Path, locks: str) -> None:
    """What no statement of a reader reaches: should one, it still changes nothing."""
    if locks == "locked" and (reason := unlocked()):
        pytest.skip(reason)
    root = str(mine.root).replace("'", "''")
    writes = [
        f"COPY (FROM range(100000)) TO '{root}/new.csv'",
        f"COPY (FROM range(100000)) TO '{root}/new.parquet'",
        f"EXPLAIN ANALYZE COPY (FROM range(9)) TO '{root}/other.csv'",
    ]
    if locks == "locked":  # a limit of size alone lets a file be made empty
        writes.append(f"COPY (FROM range(9)) TO '{root}/mmplat.db' (FORMAT csv, USE_TMP_FILE false)")
    before = {path: path.read_bytes() for path in mine.root.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", PAST_THE_FIRST_WALL, str(mine.root), locks],
        input=";".join(writes), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["refused"] * len(writes), done.stderr
    after = {path: path.read_bytes() for path in mine.root.rglob("*") if path.is_file()}
    assert {path: kept for path, kept in after.items() if kept or path in before} == before
    assert locks != "locked" or len(after) == len(before)


def unlocked() -> str:
    code = "from mmplat.leaderboard import confining; print(confining.forbid_writing() or '')"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_where_the_system_has_no_lock_on_files_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert confining.forbid_writing() == "Landlock is Linux's, and this is darwin"


def test_a_page_that_shows_a_newer_state_is_answered_from_it(mine: Results, run_campaign: Callable[..., None]) -> None:
    console = Console(mine)
    console.prepare(version=1)
    run_campaign(
        mine,
        "{campaign: second, models: [fake], suites: [world-facts], decodings: [greedy], methods: [naive], limit: 6}",
    )
    assert console.ask("SELECT DISTINCT campaign FROM runs", version=2).height == 2
    console.close()


def test_a_store_that_cannot_be_read_is_named_before_any_query(mine: Results) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(mine.store)) as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
        store.commit()
    console = Console(mine)
    with pytest.raises(QueryError, match="9999"):
        console.ask("FROM runs")
    console.close()


def test_no_process_is_left_behind(made: Results) -> None:
    console = Console(made, SMALL)
    console.prepare()
    console.ask("FROM runs")
    assert console._prepared is not None
    prepared = console._prepared[1].process
    assert prepared.poll() is None  # for the next query
    console.close()
    assert prepared.poll() is not None
    orphan = subprocess.Popen(
        [sys.executable, "-m", "mmplat.leaderboard.console_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _ = orphan.communicate(b'{"root": "%s", "limits": {}}\n' % str(made.root).encode(), timeout=120)
    assert b'"kind":"ready"' in out
    assert orphan.returncode == 0


def said(test: Any) -> str:
    kinds = ("error", "warning", "info", "text", "code", "caption")
    return "\n".join(str(one.value) for kind in kinds for one in test.get(kind))


def answered(test: Any) -> bool:
    return any(one.label == "Up" for one in test.selectbox)  # the chart of an answer


@pytest.fixture
def page(app: App, made: Results) -> Callable[[str], Any]:
    def at(sql: str) -> Any:
        test = app(made)
        test.switch_page("screens/sql.py")
        test.query_params["sql"] = sql
        return test.run()

    return at


def test_a_query_of_an_address_waits_for_a_click(page: Callable[[str], Any]) -> None:
    sql = "SELECT model, count(*) AS runs FROM runs GROUP BY ALL"
    test = page(sql)
    assert not test.exception
    assert next(one for one in test.text_area).value == sql
    assert not answered(test)
    run(test)
    assert answered(test)
    test.query_params["sql"] = f"{sql} -- another"
    test.run()
    assert not answered(test)  # what was clicked was the other one
    run(test)
    assert answered(test)


def run(test: Any) -> None:
    next(one for one in test.button if one.label == "Run").click().run()
    assert not test.exception


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1 FRM runs", 'Parser Error: syntax error at or near "runs"\n\nLINE 1: SELECT 1 FRM runs\n'),
        ("SELECT modl FROM runs", 'Referenced column "modl" not found'),
        ("FROM rums", "Table with name rums does not exist"),
        ("SELECT sum(model) FROM runs", "No function matches"),
        ("SELECT model::INTEGER FROM runs", "Conversion Error"),
        ("PRAGMA nothing", "does not exist"),
        ("SELECT 1; SELECT 2", "one is allowed at a time"),
    ],
)
def test_a_mistake_in_a_query_is_told_as_one(page: Callable[[str], Any], sql: str, told: str) -> None:
    test = page(sql)
    run(test)
    assert told in said(test)
    assert not re.search("(?i)results changed|vanished|Reload", said(test))


def test_results_that_change_under_a_query_are_told_to_have_changed(app: App, mine: Results) -> None:
    test = app(mine)
    test.switch_page("screens/sql.py").run()
    shared = sys.modules["shared"]
    ask, version = shared.Console.ask, shared._version_now()
    versions = iter([version])

    def vanished(self: Console, sql: str, version: object) -> pl.DataFrame:
        raise QueryError("IO Error: No files found")

    shared.Console.ask, now = vanished, shared._version_now
    shared._version_now = lambda: next(versions, ("another",))
    try:
        test.text_area[0].set_value("FROM predictions")
        run(test)
    finally:
        shared.Console.ask, shared._version_now = ask, now
    assert "The results changed while they were read. Run the query again.\nIO Error" in said(test)


@pytest.mark.parametrize(
    ("error", "is_defect"),
    [(duckdb.BinderException, True), (duckdb.ParserException, True), (duckdb.IOException, False)],
)
def test_a_mistake_of_a_page_is_no_change_of_the_results(
    app: App, made: Results, error: type[Exception], is_defect: bool
) -> None:
    test = app(made)
    shared = sys.modules["shared"]
    read = shared.read

    def failing(*_: Any, **__: Any) -> Any:
        raise error("no such column")

    shared.read = failing
    try:
        test.run()
    finally:
        shared.read = read
    assert (shared.DEFECT in said(test)) is is_defect
    assert ("changed or vanished" in said(test)) is not is_defect


def test_what_readers_type_never_reaches_the_connection_of_pages(page: Callable[[str], Any], made: Results) -> None:
    test = page("SELECT 1 AS one, 2 AS two")
    shared = sys.modules["shared"]
    original = shared._connection

    def forbidden(*_: Any) -> Any:
        raise AssertionError("a page's connection was asked")

    shared._connection = forbidden
    try:
        run(test)
    finally:
        shared._connection = original
    assert answered(test)
    assert connect(made).execute("SELECT 1").fetchone() == (1,)
