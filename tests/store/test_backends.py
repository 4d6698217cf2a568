"""SQLite and PostgreSQL are one store: same models, same migrations, same rows, same answers."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.runtime.migration import MigrationContext
from generate import write_campaign
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from mmplat import leaderboard
from mmplat.artifacts import Results
from mmplat.errors import ArtifactError, StoreError
from mmplat.leaderboard import connect, pages, query
from mmplat.store import (
    backup,
    check,
    current,
    differences,
    downgrade,
    engine_of,
    head,
    hidden,
    publish,
    rebuild,
    restore,
    store_url,
    upgrade,
)
from mmplat.store.migrate import ensure

RELEASED = Path(__file__).with_name("released")
"""Stores as released versions left them, with rows: SQL that their own databases dumped."""
REVISIONS = sorted({path.name.split(".")[0] for path in RELEASED.iterdir()})
SECRETS = ("hunter2", "p@ss", "p%40ss")


def dump(url: URL, folder: Path) -> list[Any]:
    """Every row of every table, in the order of the keys."""
    path = folder / "dump.gz"
    backup(url, path)
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def count(url: URL, table: str) -> int:
    engine = engine_of(url, reads_only=True)
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    engine.dispose()
    return int(found)


def as_text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


# Migrations


def test_the_migrations_make_exactly_the_tables_of_the_models_up_and_down(store: URL) -> None:
    upgrade(store)
    assert differences(store) == []
    downgrade(store, "base")
    upgrade(store)
    assert (current(store), differences(store)) == (head(), [])


def load_released(url: URL, revision: str) -> None:
    script = (RELEASED / f"{revision}.{url.get_backend_name()}.sql").read_text(encoding="utf-8")
    if url.get_backend_name() == "sqlite":
        assert url.database is not None
        Path(url.database).parent.mkdir(parents=True)
        with closing(sqlite3.connect(url.database)) as connection:
            connection.executescript(script)
    else:
        from postgres_server import execute

        execute(url, script)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_store_of_each_released_revision_is_refused_then_upgraded_with_all_its_rows(
    store: URL, revision: str, results: Results, mmplat: Callable[..., Any]
) -> None:
    load_released(store, revision)
    before = {table: count(store, table) for table in ("campaigns", "decided", "models", "suites", "runs", "metrics")}
    assert min(before.values()) > 0
    with pytest.raises(StoreError, match=rf"revision {revision}; .*needs {head()}. `mmplat db upgrade`"):
        check(store)
    said = mmplat("db", "upgrade", "--results", str(results.root))
    assert (said.code, said.err.endswith(f"{revision} → {head()}\n")) == (0, True)
    assert mmplat("db", "check", "--results", str(results.root)).code == 0
    assert {table: count(store, table) for table in before} == before
    connection = connect(results, as_text(store))
    assert query(connection, "SELECT DISTINCT origin FROM runs")["origin"].to_list() == ["measured"]
    connection.close()


def test_every_released_revision_but_the_newest_has_its_rows_in_the_tests() -> None:
    from alembic.script import ScriptDirectory

    from mmplat.store.migrate import _config

    earlier = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()} - {head()}
    assert earlier == set(REVISIONS)


def test_a_store_of_a_newer_version_is_refused_by_everybody(store: URL, demo: Results, tmp_path: Path) -> None:
    publish(demo, "demo")
    backup(store, tmp_path / "kept.gz")
    engine = engine_of(store)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for use in (lambda: publish(demo, "demo"), lambda: connect(demo), lambda: upgrade(store)):
        with pytest.raises(StoreError, match=r"revision 9999.*newer.*mmplat db upgrade"):
            use()


# Publishing


def test_both_back_ends_hold_the_same_rows_whatever_the_history(demo: Results, postgres: URL, tmp_path: Path) -> None:
    sqlite = store_url(demo)
    for url in (sqlite, postgres):
        publish(demo, "demo", url=as_text(url))
    write_campaign(demo, "second", methods=("naive", "broken"))
    write_campaign(demo, "demo", revision="r2")
    shutil.rmtree(demo.decided("demo", "tiny", "world-facts"))
    for url in (sqlite, postgres):
        publish(demo, "demo", url=as_text(url))
        publish(demo, "second", url=as_text(url))
    grown = dump(sqlite, tmp_path)
    assert dump(postgres, tmp_path) == grown
    rebuild(demo, url=as_text(postgres))
    assert dump(postgres, tmp_path) == grown


def test_a_repeated_publish_reads_no_folder_again(store: URL, demo: Results, tmp_path: Path) -> None:
    assert publish(demo, "demo").written == 4
    before = dump(store, tmp_path)
    assert publish(demo, "demo").written == 0
    assert dump(store, tmp_path) == before


def test_files_that_contradict_each_other_leave_the_store_as_it_was(store: URL, demo: Results, tmp_path: Path) -> None:
    publish(demo, "demo")
    before = dump(store, tmp_path)
    write_campaign(demo, "demo", revision="r2")
    # The same cells under two names of folders: a model that was renamed by hand.
    there = demo.decided("demo", "tiny", "world-facts")
    shutil.copyfile(there / "metrics.parquet", demo.decided("demo", "tiny-biased", "world-facts") / "metrics.parquet")
    with pytest.raises(ArtifactError, match="The store is as it was"):
        publish(demo, "demo")
    assert dump(store, tmp_path) == before


def test_a_store_that_appears_between_two_questions_is_no_foreign_one(
    postgres: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = MigrationContext.get_current_revision
    others = iter([postgres])

    def ask_and_lose_the_race(context: MigrationContext) -> str | None:
        found = asked(context)
        for url in others:  # once: somebody else's publish is through before our next question
            upgrade(url)
        return found

    monkeypatch.setattr(MigrationContext, "get_current_revision", ask_and_lose_the_race)
    assert ensure(postgres) == head()


PUBLISHER = """
import sys
from pathlib import Path
from mmplat.artifacts import Results
from mmplat.store import publish
for campaign in sys.argv[2:]:
    publish(Results(Path(sys.argv[1])), campaign)
"""


@pytest.mark.slow
def test_eight_publishers_at_once_lose_and_double_nothing(store: URL, results: Results, tmp_path: Path) -> None:
    names = [f"campaign{number}" for number in range(4)]
    for name in names:
        write_campaign(results, name, samples=2)
    # Each campaign by several publishers, in other orders, all of them before there is a store.
    orders = [names[shift % 4 :] + names[: shift % 4] for shift in range(8)]
    environment = {**os.environ, "MMPLAT_STORE_URL": as_text(store), "OMP_NUM_THREADS": "1"}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(results.root), *order],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for order in orders
    ]
    said = [racer.communicate(timeout=240)[1] for racer in racers]
    assert [words for words, racer in zip(said, racers, strict=True) if racer.returncode] == []
    assert (count(store, "runs"), count(store, "metrics")) == (4 * 24, 4 * 24 * 5)
    raced = dump(store, tmp_path)
    rebuild(results)
    assert dump(store, tmp_path) == raced


@pytest.mark.slow
def test_ten_thousand_runs_are_published_in_twenty_seconds(store: URL, results: Results) -> None:
    tens = {name: tuple(f"{name}{number}" for number in range(10)) for name in "msdx"}
    write_campaign(
        results, models=tens["m"], suites=tens["s"], decodings=tens["d"], methods=tens["x"], samples=2, extra_metrics=15
    )
    began = time.perf_counter()
    done = publish(results, "demo")
    seconds = time.perf_counter() - began
    assert (done.runs, count(store, "metrics")) == (10_000, 200_000)
    assert seconds < 20, f"{seconds:.1f} s on {store.get_backend_name()}"
    began = time.perf_counter()
    assert publish(results, "demo").written == 0
    assert time.perf_counter() - began < 2


# Reading


def test_the_views_and_the_pages_read_the_same_on_both(demo: Results, postgres: URL) -> None:
    publish(demo, "demo")
    publish(demo, "demo", url=as_text(postgres))
    here, there = connect(demo), connect(demo, as_text(postgres))
    for view in ("campaigns", "models", "suites", "runs", "metrics", "leaderboard", "published_figures"):
        sql = f"FROM {view} ORDER BY ALL"
        assert query(there, sql).equals(query(here, sql)), view
    joined = "SELECT method, max(p_correct) AS p FROM predictions JOIN runs USING (run_id) GROUP BY ALL ORDER BY ALL"
    assert query(there, joined).equals(query(here, joined))
    for read in (
        lambda c: leaderboard.overall(c, "demo"),
        lambda c: pages.axes(c, "demo"),
        lambda c: pages.board(c, "demo", "world-facts"),
        lambda c: pages.against_baseline(c, "demo", "tiny", "world-facts", metric="accuracy"),
    ):
        assert read(there).equals(read(here))
    here.close()
    there.close()


@pytest.mark.parametrize(
    "sql",
    [
        "FROM postgres_scan('host=127.0.0.1', 'public', 'runs')",
        "ATTACH 'host=127.0.0.1' AS p (TYPE postgres)",
        "LOAD postgres",
        "FROM read_text('/etc/passwd')",
    ],
)
def test_a_reader_of_postgresql_is_locked_down_like_any_other(demo: Results, postgres: URL, sql: str) -> None:
    publish(demo, "demo", url=as_text(postgres))
    connection = connect(demo, as_text(postgres))
    with pytest.raises(leaderboard.querying.QueryError):
        query(connection, sql)
    connection.close()


def test_all_that_a_reader_asks_is_of_one_moment(store: URL, demo: Results) -> None:
    """A run, and then its metrics: whoever publishes between the two questions is seen by neither."""
    publish(demo, "demo")
    engine = engine_of(store, reads_only=True)
    with engine.connect() as connection:
        runs = connection.execute(text("SELECT count(*) FROM runs")).scalar_one()
        write_campaign(demo, "other")
        publish(demo, "other")
        assert connection.execute(text("SELECT count(*) FROM runs")).scalar_one() == runs
    engine.dispose()
    assert count(store, "runs") == 2 * runs


def test_a_reader_cannot_write_even_by_accident(store: URL, demo: Results) -> None:
    publish(demo, "demo")
    engine = engine_of(store, reads_only=True)
    with engine.connect() as connection, pytest.raises(Exception, match=r"read-?only"):
        connection.execute(text("DELETE FROM runs"))
    engine.dispose()
    assert count(store, "runs") == 24


# Copies


def test_a_backup_of_one_back_end_restores_into_the_other(demo: Results, postgres: URL, tmp_path: Path) -> None:
    publish(demo, "demo")
    sqlite, copy = store_url(demo), make_url(f"sqlite:///{tmp_path / 'copy.db'}")
    made = backup(sqlite, tmp_path / "store.jsonl.gz")
    assert made.revision == head()
    restore(postgres, tmp_path / "store.jsonl.gz")
    backup(postgres, tmp_path / "again.jsonl.gz")
    restore(copy, tmp_path / "again.jsonl.gz")
    assert dump(copy, tmp_path) == dump(sqlite, tmp_path) == dump(postgres, tmp_path)
    assert differences(postgres) == differences(copy) == []
    assert publish(demo, "demo", url=as_text(postgres)).written == 0


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_backup_of_an_older_store_is_brought_up_as_it_is_restored(store: URL, revision: str, tmp_path: Path) -> None:
    load_released(store, revision)
    runs = count(store, "runs")
    assert backup(store, tmp_path / "old.gz").revision == revision
    restore(store, tmp_path / "old.gz", force=True)
    assert (current(store), count(store, "runs"), differences(store)) == (head(), runs, [])


def test_restore_never_overwrites_unless_it_is_told_to(
    store: URL, demo: Results, mmplat: Callable[..., Any], tmp_path: Path
) -> None:
    publish(demo, "demo")
    kept, where = tmp_path / "kept.jsonl.gz", ("--results", str(demo.root))
    assert mmplat("db", "backup", str(kept), *where).code == 0
    assert (mmplat("db", "backup", str(kept), *where).code, "exists" in mmplat("db", "backup", str(kept)).err) == (
        2,
        True,
    )
    write_campaign(demo, "second")
    publish(demo, "second")
    refused = mmplat("db", "restore", str(kept), *where)
    assert (refused.code, "--force` replaces it" in refused.err) == (1, True)
    assert count(store, "runs") == 48
    assert mmplat("db", "restore", str(kept), "--force", *where).code == 0
    assert count(store, "runs") == 24


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def drop_a_row(path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-1])))


def write_something_else(path: Path) -> None:
    path.write_text("no backup")


@pytest.mark.parametrize("damage", [cut, drop_a_row, write_something_else])
def test_a_damaged_backup_leaves_the_store_as_it_was(
    store: URL, demo: Results, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    publish(demo, "demo")
    before, path = dump(store, tmp_path), tmp_path / "damaged.gz"
    backup(store, path)
    damage(path)
    with pytest.raises(ArtifactError, match=r"no whole backup|should hold|no backup"):
        restore(store, path, force=True)
    assert dump(store, tmp_path) == before


def test_a_database_with_other_tables_is_neither_restored_into_nor_emptied(
    demo: Results, postgres: URL, tmp_path: Path
) -> None:
    from postgres_server import execute

    publish(demo, "demo")
    backup(store_url(demo), tmp_path / "store.gz")
    execute(postgres, "CREATE TABLE other (a int)")
    with pytest.raises(StoreError, match="none of mmplat's"):
        restore(postgres, tmp_path / "store.gz", force=True)
    assert execute(postgres, "SELECT count(*) FROM other") == [(0,)]


# Messages


@pytest.mark.parametrize(
    "wrong",
    [
        lambda url: url.set(password="hunter2 wrong"),
        lambda url: url.set(database="nowhere"),
        lambda url: url.set(password=None).update_query_dict({"password": "hunter2 wrong"}),
        lambda url: url.set(port=1),
    ],
    ids=["password", "database", "password among the parameters", "port"],
)
def test_a_server_that_refuses_is_named_without_its_password(
    demo: Results,
    postgres: URL,
    wrong: Callable[[URL], URL],
    mmplat: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MMPLAT_STORE_URL", as_text(wrong(postgres)))
    where = ("--results", str(demo.root))
    for words in (("publish", "--no-tracking"), ("db", "current"), ("db", "check"), ("sql", "FROM runs"), ("verify",)):
        said = mmplat(*words, *where)
        assert said.code == 1
        assert "postgresql" in said.err
        assert not any(secret in said.err for secret in SECRETS), said.err
    assert "***" in hidden(wrong(postgres))


def test_another_kind_of_database_is_refused_with_what_is_allowed(demo: Results) -> None:
    with pytest.raises(StoreError, match=r"mysql database. Allowed: sqlite:.*postgresql\+psycopg"):
        publish(demo, "demo", url="mysql://lab@127.0.0.1/store")


def test_a_missing_driver_is_answered_with_what_installs_it(demo: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'mmplat\[postgres\]'"):
        publish(demo, "demo", url="postgresql+psycopg://lab@127.0.0.1/store")
