"""The prompt of `mmplat sql`: statements end with a semicolon; Tab completes, the arrows go through what was asked before."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import duckdb

WORDS = (
    "ALL", "AVG", "BY", "CASE", "COUNT", "DESCRIBE", "DISTINCT", "ELSE", "END", "FROM", "GROUP", "HAVING", "JOIN", "LEFT",
    "LIMIT", "MAX", "MIN", "ORDER", "PIVOT", "QUALIFY", "SELECT", "SHOW", "SUM", "SUMMARIZE", "TABLES", "THEN", "USING",
    "WHEN", "WHERE", "WITH",
)  # fmt: skip
HELP = """A statement ends with ; and may take several lines.  Tab completes views, columns and macros.
.schema [view]   what the columns mean      .help   this      .quit or Ctrl-D   leave
"""
HISTORY_LENGTH = 2_000


def history_file() -> Path:
    """Beside what other programs remember; MMPLAT_SQL_HISTORY for another place."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get("MMPLAT_SQL_HISTORY") or Path(state) / "mmplat" / "sql_history")


def converse(connection: duckdb.DuckDBPyConnection, form: str, *, trusted: bool = False) -> None:
    """Reads statements until the end; a wrong one is told and forgotten."""
    from mmplat.errors import MmplatError
    from mmplat.leaderboard import query
    from mmplat.leaderboard.formats import render

    shown = form if form != "parquet" else "table"
    with _Remembering(_vocabulary(connection)):
        typer.echo(
            f"mmplat sql: the results, {'with all files of this machine' if trusted else 'read-only'}. .help helps."
        )
        for statement in _statements():
            try:
                if statement.startswith("."):
                    typer.echo(_command(connection, statement), nl=False)
                else:
                    typer.echo(render(query(connection, statement, trusted=trusted), shown), nl=False)
            except MmplatError as error:
                typer.echo(f"error: {error}", err=True)


def _statements() -> Iterator[str]:
    """What is typed, statement by statement; Ctrl-C drops the one that was begun."""
    begun: list[str] = []
    while True:
        try:
            line = input("   ...> " if begun else "mmplat> ")
        except KeyboardInterrupt:
            typer.echo("")
            begun = []
            continue
        except EOFError:
            typer.echo("")
            return
        if not begun and line.strip() in (".quit", ".exit"):
            return
        if line.strip():
            begun.append(line)
        if begun and (begun[0].startswith(".") or line.rstrip().endswith(";")):
            yield "\n".join(begun).strip()
            begun = []


def _command(connection: duckdb.DuckDBPyConnection, line: str) -> str:
    from mmplat.leaderboard.documented import schema
    from mmplat.leaderboard.formats import plain

    name, _, view = line.partition(" ")
    if name != ".schema":
        return HELP
    found = schema(connection)
    return plain(found.filter(found["view"] == view.strip()) if view.strip() else found)


def _vocabulary(connection: duckdb.DuckDBPyConnection) -> list[str]:
    from mmplat.leaderboard.documented import schema

    found = schema(connection)
    names = {re.split(r"\(", name)[0] for column in ("view", "column") for name in found[column]}
    return [*sorted(names), *WORDS]


class _Remembering:
    """History and completion while the prompt is open. Without readline (it is optional in Python) there is neither."""

    def __init__(self, vocabulary: list[str]) -> None:
        self.vocabulary = vocabulary

    def __enter__(self) -> None:
        try:
            import readline
        except ImportError:
            return
        readline.set_completer(self.complete)
        readline.set_completer_delims(" \t\n(),;=<>")
        readline.parse_and_bind("tab: complete")
        readline.set_history_length(HISTORY_LENGTH)
        if history_file().exists():
            readline.read_history_file(history_file())

    def __exit__(self, *_: object) -> None:
        try:
            import readline
        except ImportError:
            return
        history_file().parent.mkdir(parents=True, exist_ok=True)
        readline.write_history_file(history_file())
        readline.set_completer(None)

    def complete(self, begun: str, state: int) -> str | None:
        """The `state`-th name that goes on from what was begun; after a dot, of a column."""
        table, dot, start = begun.rpartition(".")
        fitting = [f"{table}{dot}{name}" for name in self.vocabulary if name.lower().startswith(start.lower())]
        return fitting[state] if state < len(fitting) else None
