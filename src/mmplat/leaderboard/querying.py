"""SQL that people type: reading only, and DuckDB's own message when it is wrong."""

from __future__ import annotations

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


def frame(answer: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """The pending result as polars, with plain numbers: DuckDB's sums of integers are 128 bits wide."""
    try:
        table = pl.DataFrame(answer.to_arrow_table())
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
