"""Where the store is, and how a connection to it behaves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from mmplat.artifacts import Results
from mmplat.errors import StoreError
from mmplat.urls import masked, scrubbed, unclear

BUSY_TIMEOUT_S = 60  # how long a publisher waits for another one; a publish of 10,000 runs takes some seconds
CONNECT_TIMEOUT_S = 10  # libpq would wait for a silent server for minutes
WRITER_LOCK = 0x6D6D706C6174  # "mmplat", as PostgreSQL's advisory locks are numbered


def store_url(results: Results, url: str | None = None) -> URL:
    """The store's URL: as given, else MMPLAT_STORE_URL, else SQLite in the results folder."""
    text = url or os.environ.get("MMPLAT_STORE_URL")
    if not text:
        return URL.create("sqlite", database=str(results.store.resolve()))
    if reason := unclear(text, signs="?"):  # SQLAlchemy reads the others as they stand
        raise StoreError(f"MMPLAT_STORE_URL cannot be read: {reason}.")
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        # The text is not repeated: whatever stands in it may hold a password.
        raise StoreError(
            "MMPLAT_STORE_URL is no database URL. Allowed: sqlite:////absolute/path.db or "
            "postgresql+psycopg://user:password@host/database. Unset it to use SQLite in the results folder."
        ) from None


def hidden(url: URL) -> str:
    """The URL as a message may show it: a password may stand before the host, or among the parameters."""
    return masked(url.render_as_string(hide_password=False))


def reason_of(error: SQLAlchemyError, url: URL) -> str:
    """Why the database refused, in one line without a password."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return scrubbed(lines[0] if lines else type(error).__name__, url.render_as_string(hide_password=False))


def engine_of(url: URL, *, reads_only: bool = False, foreign_keys: bool = True) -> Engine:
    """An engine on the store. Dispose of it: pooled connections keep the SQLite files of a laptop open."""
    _refuse_other_backends(url)
    # Readers ask several questions, and all answers are of one moment. SQLite gives that to every transaction.
    snapshot: Any = {"isolation_level": "REPEATABLE READ"} if reads_only and url.get_backend_name() != "sqlite" else {}
    try:
        engine = create_engine(as_immutable(url) if reads_only and is_out_of_reach(url) else _patient(url), **snapshot)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"The driver for {hidden(url)} is not installed ({error}). "
            "`pip install 'mmplat[postgres]'` brings the one for PostgreSQL; its URLs begin with postgresql+psycopg://."
        ) from None
    if url.get_backend_name() == "sqlite":
        _tune_sqlite(engine, reads_only=reads_only, foreign_keys=foreign_keys)
    else:
        _tune_postgresql(engine, reads_only=reads_only)
    return engine


def _refuse_other_backends(url: URL) -> None:
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            f"MMPLAT_STORE_URL names a {url.get_backend_name()} database. Allowed: sqlite:////absolute/path.db or "
            "postgresql+psycopg://user:password@host/database."
        )


def _patient(url: URL) -> URL:
    """Ten seconds for a server to answer, unless the URL says otherwise."""
    if url.get_backend_name() == "sqlite" or "connect_timeout" in url.query:
        return url
    return url.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT_S)})


def is_out_of_reach(url: URL) -> bool:
    """A SQLite store in a folder that we may read and not write: a colleague's. SQLite would want to make its -shm there."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return False
    path = Path(url.database)
    return path.exists() and not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()


def as_immutable(url: URL) -> URL:
    """The file as it lies on the disk. Without a write-ahead log, that is the whole store."""
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    return URL.create("sqlite", database=f"file:{quote(str(url.database))}", query=query)


def _tune_sqlite(engine: Engine, *, reads_only: bool, foreign_keys: bool) -> None:
    begin = "BEGIN" if reads_only else "BEGIN IMMEDIATE"

    def on_connect(connection: Any, _: object) -> None:
        # Python's driver would begin transactions by itself, and late: not before the first write, where SQLite refuses
        # to wait for another writer, and not at all for CREATE TABLE.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.execute("PRAGMA query_only = ON" if reads_only else "PRAGMA journal_mode = WAL")
        if not reads_only:
            cursor.execute("PRAGMA synchronous = NORMAL")  # safe with WAL; the files are the truth anyway
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)


def _tune_postgresql(engine: Engine, *, reads_only: bool) -> None:
    """One writer at a time, as on SQLite: two that publish a campaign for the first time would both insert it."""

    def on_connect(connection: Any, _: object) -> None:
        connection.read_only = reads_only

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_TIMEOUT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    event.listen(engine, "connect", on_connect)
    if not reads_only:
        event.listen(engine, "begin", on_begin)
