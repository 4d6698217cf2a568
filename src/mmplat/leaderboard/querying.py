"""SQL that people type: reading only, and DuckDB's own message when it is wrong."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import polars as pl

from mmplat.errors import ConfigError, MmplatError

HIDING = {"json_execute_serialized_sql"}
"""Functions that run what no plan shows."""
ACTING = {"enable_logging", "disable_logging", "truncate_duckdb_logs", "checkpoint", "force_checkpoint", *HIDING}
"""Functions of DuckDB that a SELECT can call, and that write files or change settings, or could."""
INDIRECT = {"query", "query_table"}
"""Functions that run what a text says: a plan shows what, but where only the text can be looked at, they are refused."""
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)


class QueryError(MmplatError):
    """DuckDB refused a query; its message says where."""


def query(connection: duckdb.DuckDBPyConnection, sql: str, *, trusted: bool = False) -> pl.DataFrame:
    """The rows of the last statement of `sql`; every statement must only read, unless whoever typed it is `trusted`."""
    try:
        statements = connection.extract_statements(sql)
        if not statements:
            raise ConfigError('There is no SQL statement to run. Try: mmplat sql "FROM leaderboard LIMIT 5"')
        for statement in [] if trusted else statements:
            _refuse_writing(connection, statement, sql)
        return frame(connection.execute(sql))
    except duckdb.PermissionException as error:
        raise QueryError(
            f"{str(error).strip()}\nThis connection reads the results and nothing else; use --output to write a file, or "
            "--trusted to let SQL at all files of this machine."
        ) from None
    except duckdb.Error as error:
        raise QueryError(str(error).strip()) from None


def query_within(connection: duckdb.DuckDBPyConnection, sql: str, *, seconds: float, rows: int) -> pl.DataFrame:
    """`query` for a page that many open: interrupted after `seconds`, and of what it finds the first `rows` alone.

    Memory is limited where the connection is made (`connect(…, memory=…)`): no statement can lift that afterwards.
    """
    statements = connection.extract_statements(sql)
    with _interrupted_after(connection, seconds):
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return query(connection, sql).head(rows)
        return query(connection, f"FROM ({statements[0].query.rstrip().rstrip(';')}\n) LIMIT {rows:d}")


@contextmanager
def _interrupted_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except QueryError as error:
        if "INTERRUPT" in str(error):
            raise QueryError(
                f"The query was stopped after {seconds:g} s. Ask for less (a filter on campaign, model and suite opens only "
                "the files that it needs), or run it without a limit on the command line: mmplat sql."
            ) from None
        raise
    finally:
        timer.cancel()


MAP: Any = getattr(pl, "Map", None)
"""Older versions of polars make a list of structs of a map."""
_CAST = "CAST it to DOUBLE (rounded to 15 digits) or to VARCHAR (exact)."


def frame(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The pending result as polars, with plain numbers: DuckDB's sums of integers are 128 bits wide.

    A sum that 64 bits do not hold is refused: formats and readers of tables round it, or take it for a negative number.
    """
    for name, kind, *_ in connection.description or ():
        if any(
            wide in str(kind) for wide in ("UHUGEINT", "BIGNUM")
        ):  # Arrow makes −1 of the largest, and bytes of the other
            raise QueryError(f"Column {name!r} is of type {kind}, which no table holds. {_CAST}")
    try:
        table = pl.DataFrame(connection.to_arrow_table())
    except pl.exceptions.PolarsError as error:
        raise QueryError(
            f"A column of the result has a type that no table holds: {error}. CAST it to VARCHAR."
        ) from None
    return table.with_columns([_plain(column) for column in table if _plain_type(column.dtype) != column.dtype])


def _plain(column: pl.Series) -> pl.Series:
    try:
        return column.cast(_plain_type(column.dtype))
    except pl.exceptions.PolarsError:
        raise QueryError(f"Column {column.name!r} holds a number beyond 64 bits (9.2e18). {_CAST}") from None


def _plain_type(kind: Any) -> Any:
    """A type of polars with 64-bit numbers in place of decimals, also inside of what is nested."""
    if isinstance(kind, pl.Decimal):
        return pl.Int64() if kind.scale == 0 else pl.Float64()
    if isinstance(kind, pl.List):
        return pl.List(_plain_type(kind.inner))
    if isinstance(kind, pl.Array):
        return pl.Array(_plain_type(kind.inner), kind.size)
    if isinstance(kind, pl.Struct):
        return pl.Struct([pl.Field(field.name, _plain_type(field.dtype)) for field in kind.fields])
    if MAP is not None and isinstance(kind, MAP):
        return MAP(_plain_type(kind.key), _plain_type(kind.value))
    return kind


def _refuse_writing(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, sql: str) -> None:
    kinds = duckdb.StatementType
    text = statement.query
    # DuckDB tells no text of what a PIVOT is made of: a type that it creates for itself, and a SELECT.
    if not text and statement.type in (kinds.CREATE, kinds.SELECT):
        _refuse_acting(set(re.findall(r"\w+", sql.lower())) & (ACTING | INDIRECT))
    elif statement.type == kinds.SELECT:
        _refuse_acting(_functions(connection, text) & ACTING)
    elif statement.type == kinds.EXPLAIN:  # EXPLAIN ANALYZE runs what it explains
        for each in connection.extract_statements(_EXPLAIN.sub("", text, count=1)):
            if each.type != kinds.SELECT:
                raise _not_reading(each)
            _refuse_writing(connection, each, sql)
    else:
        raise _not_reading(statement)


def _not_reading(statement: duckdb.Statement) -> QueryError:
    return QueryError(
        f"{statement.type.name} is not allowed: results are read-only here. Allowed: SELECT, FROM, WITH, PIVOT, "
        "DESCRIBE, SHOW, SUMMARIZE, EXPLAIN. What a query finds is taken home with --format and --output, or with Download."
    )


def _refuse_acting(found: set[str]) -> None:
    if found:
        raise QueryError(
            f"{', '.join(sorted(found))} is not allowed: results are read-only here, and this is a function that does something."
        )


def _functions(connection: duckdb.DuckDBPyConnection, select: str) -> set[str]:
    """The operators of its plan, in which a function stands under its own name however it was called."""
    (_, plan), *_ = connection.execute(f"EXPLAIN (FORMAT json) {select}").fetchall()
    waiting, found = list(json.loads(plan)), set()
    while waiting:
        node = waiting.pop()
        found.add(node["name"].strip().lower())
        waiting += node["children"]
    return found
