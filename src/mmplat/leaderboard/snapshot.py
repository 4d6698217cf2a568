"""The store's tables as Arrow, read in one transaction: all numbers of a connection are of one moment.

A snapshot and not an attached database, because DuckDB's SQLite extension opens any SQLite file on the machine whatever
`enable_external_access` says: the connection that runs the user's SQL must not have it loaded.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from mmplat.errors import StoreError
from mmplat.store import Base, check, current, engine_of, hidden, is_out_of_reach, reason_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# In no view: how the store remembers what it has published.
INTERNAL = frozenset({"decided"})


def store_tables(url: URL) -> Mapping[str, pa.Table]:
    """All tables of the store by name; empty where there is no store yet, refused where it is at another revision."""
    if current(url) is None:
        return {}
    check(url)
    names = [name for name in Base.metadata.tables if name not in INTERNAL]
    if url.get_backend_name() == "sqlite" and not is_out_of_reach(url):
        extension = sqlite_extension()
        if extension is not None:
            return _through_duckdb(extension, url, names)
    return _through_sqlalchemy(url, names)


def sqlite_extension() -> Path | None:
    """DuckDB's SQLite extension as a registry package brings it: it is never downloaded from DuckDB's own site."""
    import duckdb

    try:
        import duckdb_extension_sqlite_scanner as package
    except ImportError:
        return None
    # Loaded by its path: `import_extension` would copy it into the user's home first.
    version = f"v{duckdb.__version__}"
    found = Path(package.__path__[0]) / "extensions" / version / "sqlite_scanner.duckdb_extension"
    return found if found.exists() else None


def _through_duckdb(extension: Path, url: URL, names: list[str]) -> Mapping[str, pa.Table]:
    """Of a copy: DuckDB's scans of an SQLite file are of several moments, whatever transaction they are in."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    try:
        with tempfile.TemporaryDirectory(prefix="mmplat-store-") as folder:
            copy = Path(folder) / "store.db"
            _copy(url, copy)
            connection.execute(f"LOAD {_quoted(str(extension))}")
            connection.execute(f"ATTACH {_quoted(str(copy))} AS source (TYPE sqlite, READ_ONLY)")
            tables = {name: _arrow(connection, f'FROM source."{name}"') for name in names}
            connection.close()
            return tables
    except (duckdb.Error, sqlite3.Error) as error:
        raise StoreError(f"The store {hidden(url)} cannot be read: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()


def _copy(url: URL, target: Path) -> None:
    """The whole file in one step, which is one transaction."""
    source = f"{Path(str(url.database)).resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(source, uri=True)) as store, closing(sqlite3.connect(target)) as copy:
        store.backup(copy)


def _through_sqlalchemy(url: URL, names: list[str]) -> Mapping[str, pa.Table]:
    engine = engine_of(url, reads_only=True)
    try:
        with engine.connect() as connection:
            return {name: _fetched(connection, name) for name in names}
    except SQLAlchemyError as error:
        raise StoreError(f"The store {hidden(url)} cannot be read: {reason_of(error, url)}") from error
    finally:
        engine.dispose()


def _fetched(connection: Connection, name: str) -> pa.Table:
    import json

    import pyarrow as pa

    table = Base.metadata.tables[name]
    rows = connection.execute(select(table)).all()
    columns: dict[str, list[Any]] = {}
    for index, column in enumerate(table.columns):
        values = [row[index] for row in rows]
        is_json = column.type.__class__.__name__ == "JSON"
        columns[column.name] = [json.dumps(value) for value in values] if is_json else values
    return pa.table(columns)


def _arrow(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return connection.execute(sql).to_arrow_table()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
