"""Which SQL people may type: one statement that only reads, judged by DuckDB's own parser and not by its text.

This is the first of two walls. The dashboard also runs what passes in a process that cannot write (`console`).
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

import duckdb

from mmplat.errors import ConfigError, MmplatError

READING = {
    "generate_series", "glob", "histogram", "histogram_values", "icu_calendar_names", "json_each", "json_tree",
    "parquet_bloom_probe", "parquet_file_metadata", "parquet_full_metadata", "parquet_kv_metadata", "parquet_metadata",
    "parquet_scan", "parquet_schema", "pg_timezone_names", "range", "read_blob", "read_csv", "read_csv_auto", "read_json",
    "read_json_auto", "read_json_objects", "read_json_objects_auto", "read_ndjson", "read_ndjson_auto", "read_ndjson_objects",
    "read_parquet", "read_text", "repeat", "repeat_row", "sniff_csv", "summary", "test_all_types", "unnest",
}  # fmt: skip
"""Table functions of DuckDB that only read, with those of READING_PREFIXES. It has others that a SELECT can call and that
write files, change settings or run a text (`enable_logging`, `query`), and may get more: what is not here is refused."""
READING_PREFIXES = ("duckdb_", "pragma_")
ALLOWED = "SELECT, FROM, WITH, PIVOT, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN"
EXPLAIN_OPTIONS = {"analyze", "analyse", "format"}


class QueryError(MmplatError):
    """A query is refused or failed; where DuckDB says it, its message says where."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What was judged, and therefore what is to run."""

    text: str
    explains: bool = False


def only_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> Statement:
    """The one statement of `sql`, which only reads; a QueryError where it does not, or where that is not known."""
    if "\0" in sql:  # DuckDB reads no further, and what runs would be another text than what is shown
        raise QueryError("The SQL holds a null character, which is not allowed: results are read-only here. Remove it.")
    parsed = parse(connection, sql)
    if not parsed:
        raise ConfigError("There is no SQL statement to run. Try: FROM leaderboard LIMIT 5")
    if _is_pivot(parsed, sql):
        _refuse_acting(connection, set(re.findall(r"\w+", sql.lower())))
        return Statement(sql)
    kinds = duckdb.StatementType
    statement = [one for one in parsed if one.type != kinds.TRANSACTION or one.query][-1]
    if statement.type != kinds.SELECT and not statement.query:  # something made of a PIVOT
        raise _not_reading(statement)
    if len(parsed) > 1:
        raise QueryError(
            "These are several statements, and one is allowed at a time: results are read-only here. Run them one by one."
        )
    if statement.type == kinds.SELECT:
        _refuse_acting(connection, _table_functions(connection, statement.query))
        return Statement(statement.query)
    if statement.type != kinds.EXPLAIN:
        raise _not_reading(statement)
    inner = _explained(statement.query)  # EXPLAIN ANALYZE runs what it explains
    explained = parse(connection, inner)
    if [one.type for one in explained] != [kinds.SELECT]:
        raise _not_reading(explained[0] if explained else statement)
    _refuse_acting(connection, _table_functions(connection, inner))
    return Statement(statement.query, explains=True)


def parse(connection: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    """What DuckDB's parser finds in a text."""
    try:
        return connection.extract_statements(sql)
    except duckdb.Error:
        # DuckDB looks up a PRAGMA while it parses, in a transaction that a mistake leaves open.
        with contextlib.suppress(duckdb.TransactionException):
            connection.rollback()
        raise


def _is_pivot(parsed: list[duckdb.Statement], sql: str) -> bool:
    """A PIVOT that finds its own columns: types that DuckDB creates for itself, and a SELECT. It tells no text of them."""
    *created, last = parsed
    kinds = duckdb.StatementType
    return (
        last.type == kinds.SELECT
        and bool(created)
        and all(one.type == kinds.CREATE for one in created)
        and not any(one.query for one in parsed)
        and "pivot" in sql.lower()
    )


def _table_functions(connection: duckdb.DuckDBPyConnection, select: str) -> set[str]:
    """The table functions that a SELECT calls, at any depth, as its syntax tree names them."""
    found = connection.execute(
        "SELECT json_array_length(tree, '$.statements'), tree ->> '$..function.function_name', "
        "len(list_filter(tree ->> '$..type', lambda kind: kind = 'TABLE_FUNCTION')) "
        "FROM (SELECT json_serialize_sql(?::VARCHAR) AS tree)",
        [select],
    ).fetchone()
    statements, names, calls = found or (0, [], 0)
    if statements != 1 or len(names) < calls:
        raise QueryError(
            "This statement is not allowed: results are read-only here, and DuckDB does not tell what it is made of. "
            "Write it as a SELECT."
        )
    return {str(name).lower() for name in names}


def _refuse_acting(connection: duckdb.DuckDBPyConnection, names: set[str]) -> None:
    """Refuses names of DuckDB's table functions that are not known to read; names that it does not have are its to answer."""
    known = connection.execute(
        "SELECT lower(function_name) FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro') AND internal"
    ).fetchall()
    acting = {name for (name,) in known if name not in READING and not name.startswith(READING_PREFIXES)}
    if refused := names & acting:
        raise QueryError(
            f"{', '.join(sorted(refused))} is not allowed: results are read-only here, and this is a function that does "
            "something, or runs what a text says."
        )


def _explained(text: str) -> str:
    """What follows the word EXPLAIN and its options. DuckDB's tokens are without comments, and counted in bytes."""
    raw = text.encode()
    starts = [start for start, _ in duckdb.tokenize(text)]
    words = [re.match(rb"\w+|.", raw[start:], re.DOTALL) for start in starts]
    named = [word.group().decode(errors="replace").lower() if word else "" for word in words]
    if named[:1] != ["explain"]:
        return ""
    at = 1
    if named[at : at + 1] in (["analyze"], ["analyse"]):
        at += 1
    elif named[at : at + 1] == ["("] and named[at + 1] in EXPLAIN_OPTIONS:
        at = named.index(")", at) + 1
    return raw[starts[at] :].decode() if at < len(starts) else ""


def _not_reading(statement: duckdb.Statement) -> QueryError:
    if statement.type == duckdb.StatementType.EXPLAIN:
        return QueryError(
            "This EXPLAIN is not allowed: results are read-only here, and an EXPLAIN explains one SELECT. "
            "A PIVOT is explained where it names its columns: PIVOT … ON column IN (…)."
        )
    return QueryError(
        f"{statement.type.name} is not allowed: results are read-only here. Allowed: {ALLOWED}. "
        "What a query finds is taken home with --format and --output, or with Download."
    )
