"""SQL that people type: reading only, and DuckDB's own message when it is wrong."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl

from mmplat.errors import ConfigError
from mmplat.leaderboard.statements import QueryError, Statement, only_reading, parse


def query(
    connection: duckdb.DuckDBPyConnection, sql: str, *, trusted: bool = False, rows: int | None = None
) -> pl.DataFrame:
    """The answer to `sql`: one statement that only reads, unless whoever typed it is `trusted`. `rows`: the first ones alone."""
    try:
        if trusted:
            if not parse(connection, sql):
                raise ConfigError("There is no SQL statement to run. Try: FROM leaderboard LIMIT 5")
            return frame(connection.execute(sql))
        statement = only_reading(connection, sql)
        if rows is None or statement.explains:
            return frame(connection.execute(statement.text))
        return frame(_first(connection, statement, rows))
    except duckdb.PermissionException as error:
        raise QueryError(
            f"{str(error).strip()}\nThis connection reads the results and nothing else; on the command line, use --output to "
            "write a file, or --trusted to let SQL at all files of this machine."
        ) from error
    except duckdb.Error as error:
        raise QueryError(str(error).strip()) from error


def _first(connection: duckdb.DuckDBPyConnection, statement: Statement, rows: int) -> duckdb.DuckDBPyRelation:
    """The first rows as DuckDB plans them: an ORDER BY keeps no more than these."""
    try:
        return connection.sql(statement.text).limit(rows)
    except duckdb.Error:
        connection.execute(statement.text)  # fails in the same way, and says where in the text
        raise


MAP: Any = getattr(pl, "Map", None)
"""Older versions of polars make a list of structs of a map."""
_CAST = "CAST it to DOUBLE (rounded to 15 digits) or to VARCHAR (exact)."


def frame(answer: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """The pending result as polars, with plain numbers: DuckDB's sums of integers are 128 bits wide.

    A sum that 64 bits do not hold is refused: formats and readers of tables round it, or take it for a negative number.
    """
    for name, kind, *_ in answer.description or ():
        # Arrow makes −1 of the largest UHUGEINT, and bytes of a BIGNUM.
        if "UHUGEINT" in str(kind) or "BIGNUM" in str(kind):
            raise QueryError(f"Column {name!r} is of type {kind}, which no table holds. {_CAST}")
    try:
        table = pl.DataFrame(answer.to_arrow_table())
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
