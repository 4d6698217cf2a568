"""The store's revisions."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from mmplat.artifacts import Results, make_database_file
from mmplat.errors import StoreError
from mmplat.leaderboard import connect
from mmplat.store import (
    current,
    differences,
    downgrade,
    ensure,
    head,
    migrate,
    migrations_folder,
    publish,
    store_url,
    upgrade,
)
from mmplat.tracking import prepare


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def set_revision(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
        connection.commit()


def test_the_migrations_make_exactly_the_tables_of_the_models(results: Results) -> None:
    url = store_url(results)
    upgrade(url)
    assert differences(url) == []


def test_up_down_up_leaves_the_same_tables(results: Results) -> None:
    url = store_url(results)
    upgrade(url)
    before = tables(results.store)
    downgrade(url, "base")
    assert tables(results.store) == {"alembic_version"}
    upgrade(url)
    assert tables(results.store) == before
    assert differences(url) == []


def test_the_alembic_command_of_a_clone_finds_nothing_to_add(
    store: URL, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(store)
    monkeypatch.setenv("MMPLAT_RESULTS", str(results.root))
    ini = migrations_folder() / "alembic.ini"
    checked = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(ini), "check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "No new upgrade operations" in checked.stdout + checked.stderr


def test_the_first_publish_makes_the_store(demo: Results) -> None:
    assert current(store_url(demo)) is None
    assert not demo.store.exists()
    publish(demo, "demo")
    assert current(store_url(demo)) == head()


def test_asking_for_the_revision_of_a_missing_store_leaves_no_file(results: Results) -> None:
    assert current(store_url(results)) is None
    assert not results.root.exists()


HEAD = head()
NEXT = "9000"
SCRIPT = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{HEAD}"


def upgrade() -> None:
    with op.batch_alter_table("campaigns", recreate="always") as table:
        table.add_column(sa.Column("note", sa.String()))


def downgrade() -> None:
    with op.batch_alter_table("campaigns") as table:
        table.drop_column("note")
"""


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The migrations as a later release may have them: one more, which recreates a table that others refer to."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations_folder(), folder)
    (folder / "versions" / f"{NEXT}_note.py").write_text(SCRIPT)
    monkeypatch.setattr(migrate, "migrations_folder", lambda: folder)


def test_an_older_store_is_refused_until_it_is_upgraded_and_keeps_its_rows(
    published: Results, next_release: None, mmplat: Callable[..., Any]
) -> None:
    released = HEAD
    for use in (lambda: publish(published, "demo"), lambda: connect(published)):
        with pytest.raises(StoreError, match=rf"at revision {released}; .*needs {NEXT}. `mmplat db upgrade`"):
            use()
    said = mmplat("db", "upgrade", "--results", str(published.root))
    assert said.err.endswith(f"{released} → {NEXT}\n")
    assert mmplat("db", "current", "--results", str(published.root)).out == f"{NEXT}\n".encode()
    with closing(sqlite3.connect(published.store)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (24,)
        assert connection.execute("SELECT count(*) FROM metrics").fetchone() == (120,)


def test_a_store_altered_by_hand_fails_the_check(published: Results, mmplat: Callable[..., Any]) -> None:
    assert mmplat("db", "check", "--results", str(published.root)).code == 0
    with closing(sqlite3.connect(published.store)) as connection:
        connection.execute("ALTER TABLE runs DROP COLUMN dtype")
        connection.commit()
    said = mmplat("db", "check", "--results", str(published.root))
    assert said.code == 1
    assert "dtype" in said.err


def test_a_store_of_a_newer_version_is_refused_by_writer_and_reader(published: Results) -> None:
    set_revision(published.store, "9999")
    for use in (lambda: publish(published, "demo"), lambda: connect(published), lambda: upgrade(store_url(published))):
        with pytest.raises(StoreError, match=r"revision 9999.*newer.*mmplat db upgrade"):
            use()


def test_a_database_with_other_tables_is_left_alone(results: Results) -> None:
    results.root.mkdir(parents=True)
    with closing(sqlite3.connect(results.store)) as connection:
        connection.execute("CREATE TABLE other (a)")
        connection.commit()
    with pytest.raises(StoreError, match="none of mmplat's"):
        ensure(store_url(results))
    assert tables(results.store) == {"other"}


def test_processes_that_publish_first_at_once_make_one_store(demo: Results) -> None:
    code = (
        "from pathlib import Path; import sys; from mmplat.artifacts import Results; from mmplat.store import publish; "
        "publish(Results(Path(sys.argv[1])), 'demo')"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, str(demo.root)], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    errors = [racer.communicate(timeout=120)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], errors
    with closing(sqlite3.connect(demo.store)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (24,)


def test_a_store_is_its_groups_to_write_where_the_umask_says_so(results: Results) -> None:
    """SQLite's own files are 0644 whatever the umask, so that a colleague in the group could not publish."""
    before = os.umask(0o002)
    try:
        ensure(store_url(results))
        prepare(results)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (results.store, results.tracking)} == {0o664}
    times = results.store.stat().st_mtime_ns
    make_database_file(results.store)
    assert results.store.stat().st_mtime_ns == times  # one that is there is left alone


def test_the_store_is_in_write_ahead_mode_so_readers_never_wait(published: Results) -> None:
    with closing(sqlite3.connect(published.store)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
