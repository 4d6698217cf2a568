"""The whole store as one file, and back: JSON lines, compressed, the same for every back end.

A backup of a laptop's SQLite restores into a lab's PostgreSQL. It is written at the revision that the store has, so it can
be taken before an upgrade; restoring brings it up. Files of campaigns are not in it: they are the truth, and lie elsewhere.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, insert, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from mmplat.artifacts import atomic
from mmplat.errors import ArtifactError, StoreError
from mmplat.store.engine import engine_of, hidden, reason_of
from mmplat.store.migrate import current, migrate_to, refuse_unknown

FORMAT = "mmplat store 1"
ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    revision: str
    rows: int


def backup(url: URL, path: Path) -> Backup:
    """Writes the store to `path` as it is at one moment; whoever publishes meanwhile is not disturbed."""
    revision = current(url)
    if revision is None:
        raise StoreError(f"There is no store at {hidden(url)} to back up. `mmplat publish` makes it.")
    engine = engine_of(url, reads_only=True)
    try:
        with engine.connect() as connection, atomic(path) as temporary:
            tables = _tables(connection)
            rows = {table.name: _count(connection, table) for table in tables}
            with gzip.open(temporary, "wt", encoding="utf-8", compresslevel=5) as stream:
                for line in _lines(connection, tables, {"format": FORMAT, "revision": revision, "rows": rows}):
                    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        return Backup(revision, sum(rows.values()))
    except SQLAlchemyError as error:
        raise StoreError(f"The store {hidden(url)} cannot be read: {reason_of(error, url)}") from error
    finally:
        engine.dispose()


def restore(url: URL, path: Path, *, force: bool = False) -> Backup:
    """Fills the store from a backup, in one transaction; an existing store is only replaced with `force`."""
    header = next(_read(path))
    refuse_unknown(url, header["revision"], what=f"The backup {path}")
    found = current(url)
    if found is not None and not force:
        raise StoreError(
            f"{hidden(url)} is a store already (revision {found}). `mmplat db restore {path} --force` replaces it; "
            "`mmplat db backup FILE` keeps what it holds."
        )
    engine = engine_of(url, foreign_keys=False)
    try:
        with engine.begin() as connection:
            _drop_all(connection)
            migrate_to(connection, header["revision"])
            _fill(connection, path)
            migrate_to(connection, "head")
        return Backup(header["revision"], sum(header["rows"].values()))
    except SQLAlchemyError as error:
        raise StoreError(
            f"{path} cannot be restored into {hidden(url)}: {reason_of(error, url)}. The store is as it was."
        ) from error
    finally:
        engine.dispose()


def _tables(connection: Connection) -> list[Table]:
    """As the database has them, referred-to tables first: the models may be of another revision."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _lines(connection: Connection, tables: list[Table], header: dict[str, Any]) -> Iterator[Any]:
    """The header, then per table its name and columns, and its rows in the order of its key."""
    yield header
    for table in tables:
        yield {"table": table.name, "columns": [column.name for column in table.columns]}
        for row in connection.execute(select(table).order_by(*table.primary_key.columns)):
            yield list(row)


def _read(path: Path) -> Iterator[Any]:
    """The lines of a backup, the header checked."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            header = json.loads(stream.readline() or "null")
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise ArtifactError(f"{path} is no backup of a store. `mmplat db backup FILE` makes one.")
            yield header
            yield from map(json.loads, stream)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. `mmplat db backup FILE` makes a backup.") from None
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ArtifactError(f"{path} is no whole backup of a store ({error}). Take another copy of it.") from error


def _drop_all(connection: Connection) -> None:
    everything = MetaData()
    everything.reflect(connection)
    everything.drop_all(connection)


def _fill(connection: Connection, path: Path) -> None:
    tables = {table.name: table for table in _tables(connection)}
    lines = _read(path)
    expected = dict(next(lines)["rows"])
    for name, rows in _batches(lines):
        if name not in tables:
            raise ArtifactError(f"{path} holds a table {name!r} that its revision does not have. Nothing was restored.")
        if rows:
            connection.execute(insert(tables[name]), rows)
    for name, count in expected.items():
        if (found := _count(connection, tables[name])) != count:
            raise ArtifactError(f"{path} holds {found} rows of {name}, but should hold {count}. Nothing was restored.")
    if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
        raise ArtifactError(f"{path} holds rows that refer to others which it lacks. Nothing was restored.")


def _batches(lines: Iterator[Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(table, some of its rows), without ever holding a whole table."""
    name, columns = "", [""]
    rows: list[dict[str, Any]] = []
    for line in lines:
        if isinstance(line, dict):
            yield from [(name, rows)] if rows else []
            name, columns, rows = line["table"], line["columns"], []
        else:
            rows.append(dict(zip(columns, line, strict=True)))
        if len(rows) == ROWS_AT_ONCE:
            yield name, rows
            rows = []
    yield from [(name, rows)] if rows else []
