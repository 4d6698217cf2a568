"""Files → store."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from generate import write_campaign, write_decided, write_parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmplat.artifacts import Results
from mmplat.errors import ArtifactError, StoreError, UnknownName
from mmplat.store import publish, rebuild
from mmplat.store.papers import published_figures

Dump = dict[str, list[tuple[Any, ...]]]


def dump(results: Results) -> Dump:
    """All rows of all tables, sorted; and SQLite agrees that nothing dangles."""
    with closing(sqlite3.connect(results.store)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in sorted(tables)}


def test_a_campaign_is_published_with_all_its_runs_and_metrics(demo: Results) -> None:
    done = publish(demo, "demo")
    rows = dump(demo)
    assert (done.runs, done.failed, done.folders, done.written, done.removed) == (24, 0, 4, 4, 0)
    assert {name: len(found) for name, found in rows.items()} == {
        "alembic_version": 1, "campaigns": 1, "decided": 4, "metrics": 24 * 5, "models": 2,
        "published_figures": len(published_figures()), "runs": 24, "suites": 2,
    }  # fmt: skip


def test_publishing_twice_changes_nothing_and_reads_no_folder_again(published: Results) -> None:
    before = dump(published)
    again = publish(published, "demo")
    assert again.written == 0
    assert dump(published) == before


def test_a_rebuilt_store_equals_the_one_that_grew_by_publishing(demo: Results) -> None:
    publish(demo, "demo")
    write_campaign(demo, "second", models=("tiny",))
    publish(demo, "second")
    write_campaign(demo, "demo", revision="r2")
    publish(demo, "demo")
    grown = dump(demo)
    rebuild(demo)
    assert dump(demo) == grown
    for file in demo.root.glob("mmplat.db*"):
        file.unlink()
    rebuild(demo)
    assert dump(demo) == grown


def test_runs_of_new_evidence_replace_those_of_the_same_cells(published: Results) -> None:
    old = {row[0] for row in dump(published)["runs"]}
    write_decided(published, "demo", "tiny", "world-facts", cells=[("greedy", "naive")], revision="r2")
    done = publish(published, "demo")
    rows = dump(published)
    assert (done.written, done.runs) == (1, 19)
    assert len({row[0] for row in rows["runs"]} - old) == 1
    assert {row[0] for row in rows["metrics"]} == {row[0] for row in rows["runs"]}


def test_runs_that_are_no_longer_in_the_files_leave_the_store(published: Results) -> None:
    shutil.rmtree(published.decided("demo", "tiny", "world-facts"))
    assert publish(published, "demo").removed == 1
    assert all(row[:3] != ("demo", "tiny", "world-facts") for row in dump(published)["decided"])
    assert len(dump(published)["runs"]) == 18


def test_a_folder_that_is_still_being_decided_is_not_published(demo: Results) -> None:
    (demo.decided("demo", "tiny", "world-facts") / "decided.json").unlink()
    assert publish(demo, "demo").folders == 3


def test_other_campaigns_stay_when_one_is_published(published: Results) -> None:
    before = dump(published)
    write_campaign(published, "second")
    publish(published, "second")
    after = dump(published)
    assert set(before["runs"]) < set(after["runs"])
    assert len(after["runs"]) == 48


def test_a_rebuild_forgets_a_campaign_whose_folder_is_gone(published: Results) -> None:
    write_campaign(published, "second")
    publish(published, "second")
    shutil.rmtree(published.campaign("second"))
    rebuild(published)
    assert [row[0] for row in dump(published)["campaigns"]] == ["demo"]


def test_failed_runs_are_kept_with_their_error_and_without_metrics(results: Results) -> None:
    write_campaign(results, methods=("naive", "broken"))
    assert publish(results, "demo").failed == 8
    with closing(sqlite3.connect(results.store)) as connection:
        query = "SELECT DISTINCT error FROM runs WHERE status = 'failed' AND run_id NOT IN (SELECT run_id FROM metrics)"
        assert connection.execute(query).fetchall() == [("the reference view has no evidence",)]


def test_an_undefined_metric_is_null_and_not_zero(published: Results) -> None:
    values = {row[3] for row in dump(published)["metrics"] if row[1] == "precision"}
    assert values == {None}


def test_an_unknown_campaign_is_answered_with_the_nearest_ones(demo: Results) -> None:
    with pytest.raises(UnknownName, match=r"Unknown campaign 'dmeo'.*Did you mean 'demo'"):
        publish(demo, "dmeo")
    assert not demo.store.exists()


def break_half_of(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def drop_a_column(path: Path) -> None:
    write_parquet(path, pl.read_parquet(path.read_bytes()).drop("n"))


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [break_half_of, drop_a_column, remove])
@pytest.mark.parametrize("name", ["runs.parquet", "metrics.parquet"])
def test_a_damaged_file_is_named_and_the_store_stays_as_it_was(
    published: Results, name: str, damage: Callable[[Path], None]
) -> None:
    before = dump(published)
    write_campaign(published, "demo", revision="r2")
    damage(published.decided("demo", "tiny-biased", "world-facts") / name)
    with pytest.raises(ArtifactError, match=rf"tiny-biased.*{name}.*`mmplat decide` again"):
        publish(published, "demo")
    assert dump(published) == before


def test_a_copied_campaign_folder_is_refused(published: Results) -> None:
    shutil.copytree(published.campaign("demo"), published.campaign("copy"))
    with pytest.raises(ArtifactError, match="belongs to campaign 'demo', but lies in 'copy'"):
        publish(published, "copy")


def test_a_url_that_is_none_is_refused_without_repeating_it(demo: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPLAT_STORE_URL", "hunter2")
    with pytest.raises(StoreError, match="is no database URL") as caught:
        publish(demo, "demo")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://lab:hun@ter2@127.0.0.1:1/db",
        "postgresql+psycopg://lab:hun@ter2/x@127.0.0.1:1/db",
        "postgresql+psycopg://lab:hun?ter2@127.0.0.1:1/db",
        "postgresql+psycopg://lab:ok@127.0.0.1:1/db?sslpassword=hun@ter2",
        "postgresql+psycopg://127.0.0.1:1/db?password=hun@ter2",
        "postgresql+psycopg://lab:hun#ter2@127.0.0.1:1/db",
        "postgresql+psycopg://lab:hun/ter2@127.0.0.1:1/db",
        "postgresql+psycopg://lab:hun%ter2@127.0.0.1:1/db",
        "postgresql+psycopg://lab:hun%40ter2@127.0.0.1:1/db",
        "postgresql+psycopg://lab@127.0.0.1:1/db?sslpassword=hun%40ter2",
        "postgresql+psycopg://lab@127.0.0.1:1/db?pasword=hunter2",
        "postgresql+psycopg://lab:hunter2@127.0.0.1:notaport/db",
        "postgres://lab:hunter2@127.0.0.1:1/db",
        "mysql://lab:hunter2@127.0.0.1:1/db",
    ],
)
def test_no_message_shows_a_part_of_a_password(
    demo: Results, mmplat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("MMPLAT_STORE_URL", url)
    for words in (("publish", "--no-tracking"), ("db", "current"), ("sql", "FROM runs"), ("verify",)):
        said = mmplat(*words, "--results", str(demo.root))
        assert said.code == 1
        assert "hun" not in said.err
        assert "ter2" not in said.err


def test_an_at_sign_in_a_password_is_refused_with_how_it_is_written(
    demo: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read as it stands, the end of the password would be a part of the host, and be printed by everybody."""
    monkeypatch.setenv("MMPLAT_STORE_URL", "postgresql+psycopg://lab:hun@ter2@127.0.0.1/db")
    with pytest.raises(StoreError, match=r"Write @ as %40"):
        publish(demo, "demo")


def test_a_store_that_cannot_be_reached_is_named_without_its_password(demo: Results) -> None:
    with pytest.raises(StoreError, match="postgresql") as caught:
        publish(demo, "demo", url="postgresql+psycopg://lab:hunter2@127.0.0.1:1/none?connect_timeout=2")
    assert "hunter2" not in str(caught.value)


@given(
    steps=st.lists(st.tuples(st.sampled_from(["r1", "r2"]), st.integers(1, 3), st.booleans()), min_size=1, max_size=4)
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_of_publishing_ends_in_the_store_that_the_files_alone_give(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    results = Results(tmp_path_factory.mktemp("history"))
    write_campaign(results, models=("tiny",), suites=("world-objects",), decodings=("greedy",), samples=2)
    for revision, methods, publishes in steps:
        cells = [("greedy", name) for name in ("naive", "posthoc-none", "broken")[:methods]]
        write_decided(results, "demo", "tiny", "world-objects", cells=cells, samples=2, revision=revision)
        if publishes:
            publish(results, "demo")
    publish(results, "demo")
    grown = dump(results)
    rebuild(results)
    assert dump(results) == grown
