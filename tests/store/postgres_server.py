"""A real PostgreSQL server of this test run: Debian's packages, a private folder, loopback alone, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import URL

PASSWORD = "hunter2 p@ss/w%rd"
"""With every sign that a URL must escape; no message may show it."""


def binaries() -> Path | None:
    """The newest of Debian's versions, else what the path offers."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb")
    return installed[-1].parent if installed else Path(found).parent if found else None


@contextlib.contextmanager
def server() -> Iterator[URL]:
    """Starts one, or skips with the reason; the URL is of its administrator."""
    where = binaries()
    if where is None:
        pytest.skip("PostgreSQL is not installed: `scripts/install-debian` brings it")
    if os.getuid() == 0 and not _has_user("postgres"):
        pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="mmplat-postgres-"))
    port = _free_port()
    try:
        _start(where, folder, port)
        yield URL.create("postgresql+psycopg", "lab", PASSWORD, "127.0.0.1", port, "postgres")
    finally:
        _run(where / "pg_ctl", "stop", "-D", folder / "data", "-m", "immediate", check=False)
        shutil.rmtree(folder)


def make_database(administrator: URL, name: str) -> URL:
    with _connect(administrator) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return administrator.set(database=name)


def drop_database(administrator: URL, name: str) -> None:
    with _connect(administrator) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def execute(url: URL, script: str) -> list[Any]:
    """Runs SQL as it stands; the rows of the last statement."""
    with _connect(url) as connection:
        cursor = connection.execute(script)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def _connect(url: URL) -> psycopg.Connection[Any]:
    words = url.translate_connect_args(username="user", database="dbname")
    return psycopg.connect(**words, autocommit=True)


def _start(where: Path, folder: Path, port: int) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if os.getuid() == 0:
        for path in (folder, secret):
            shutil.chown(path, "postgres")
    data = folder / "data"
    _run(where / "initdb", "-D", data, "-U", "lab", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=60"
    _run(where / "pg_ctl", "start", "-D", data, "-w", "-t", "60", "-l", folder / "log", "-o", options)


def _run(*words: Path | str, check: bool = True) -> None:
    """As the user postgres where we are root, in a folder that this user may enter."""
    user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run(
        [str(word) for word in words], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **user
    )
    assert not check or done.returncode == 0, done.stderr


def _has_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
