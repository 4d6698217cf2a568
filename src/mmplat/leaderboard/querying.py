"""SQL that people type: reading only, and DuckDB's own message when it is wrong."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl

from mmplat.errors import ConfigError, MmplatError

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
            _refuse_writing(connection, statement)
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


def frame(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The pending result as polars, with plain numbers: DuckDB's sums of integers are 128 bits wide."""
    try:
        table = pl.DataFrame(connection.to_arrow_table())
    except pl.exceptions.PolarsError as error:
        raise QueryError(
            f"A column of the result has a type that no table holds: {error}. CAST it to VARCHAR."
        ) from None
    plain = {
        name: pl.Int64 if kind.scale == 0 else pl.Float64
        for name, kind in table.schema.items()
        if isinstance(kind, pl.Decimal)
    }
    return table.cast(plain, strict=False) if plain else table  # type: ignore[arg-type]


def _refuse_writing(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    kinds = duckdb.StatementType
    if statement.type == kinds.SELECT:
        return
    text = statement.query
    if statement.type == kinds.EXPLAIN:
        # EXPLAIN ANALYZE runs what it explains.
        inner = connection.extract_statements(_EXPLAIN.sub("", text, count=1))
        if all(each.type == kinds.SELECT for each in inner):
            return
    if statement.type == kinds.CREATE and re.match(r"\s*create\b", text, re.IGNORECASE) is None:
        return  # a PIVOT makes a type for itself first
    raise QueryError(
        f"{statement.type.name} is not allowed: results are read-only here. Allowed: SELECT, FROM, WITH, PIVOT, "
        "DESCRIBE, SHOW, SUMMARIZE, EXPLAIN. What a query finds is taken home with --format and --output, or with Download."
    )
