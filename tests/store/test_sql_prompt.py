"""mmplat sql: files, pipes, the schema, the prompt in a real terminal, and what --trusted opens."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mmplat as package
from mmplat.artifacts import Results
from mmplat.leaderboard import connect
from mmplat.leaderboard.documented import schema

Command = Callable[..., Any]
MMPLAT = str(Path(sys.executable).parent / "mmplat")


def test_sql_is_read_from_a_file_and_from_a_pipe(published: Results, mmplat: Command, tmp_path: Path) -> None:
    file = tmp_path / "asked.sql"
    file.write_text("-- how many?\nSELECT count(*) AS runs\nFROM runs;\n")
    where = ["--results", str(published.root), "--format", "csv"]
    assert mmplat("sql", "--file", str(file), *where).out == b"runs\n24\n"
    piped = subprocess.run([MMPLAT, "sql", *where], input=file.read_text(), capture_output=True, text=True, check=True)
    assert piped.stdout == "runs\n24\n"
    assert mmplat("sql", "--file", "nowhere.sql", *where).code == 2
    assert mmplat("sql", "FROM runs", "--schema", *where).code == 2


def test_every_column_of_every_view_says_what_it_means(results: Results, mmplat: Command) -> None:
    connection = connect(results)
    described = schema(connection)
    views = {row[0] for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()}
    assert views <= set(described["view"])
    comments = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL"
    ).fetchall()
    connection.close()
    assert described["meaning"].null_count() == 0
    assert comments == []
    said = mmplat("sql", "--schema", "--format", "md", "--results", str(results.root)).out.decode()
    assert "| predictions | p_correct | DOUBLE | probability of the right label |" in said
    assert "wilson(k, n)" in said


def test_every_macro_that_is_documented_exists(results: Results) -> None:
    connection = connect(results)
    known = {
        row[0]
        for row in connection.execute("SELECT function_name FROM duckdb_functions() WHERE NOT internal").fetchall()
    }
    macros = schema(connection).filter(view="macro")["column"]
    connection.close()
    assert {name.split("(")[0] for name in macros} <= known


def test_python_gets_the_same_connection(published: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPLAT_RESULTS", str(published.root))
    with package.connect() as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (24,)
        assert connection.execute("SELECT wilson(81, 263).low").fetchone() == pytest.approx((0.2553,), abs=1e-4)


def test_files_of_the_machine_are_closed_unless_the_user_is_trusted(
    published: Results, mmplat: Command, tmp_path: Path
) -> None:
    outside, made = tmp_path / "outside.csv", tmp_path / "made.csv"
    outside.write_text("a\n7\n")
    where = ["--results", str(published.root)]
    refused = mmplat("sql", f"FROM '{outside}'", *where)
    assert (refused.code, refused.out) == (1, b"")
    assert "--trusted" in refused.err
    assert mmplat("sql", f"COPY (SELECT 1) TO '{published.root / 'inside.csv'}'", *where).code == 1
    assert not (published.root / "inside.csv").exists()
    assert mmplat("sql", "INSTALL httpfs", *where).code == 1
    assert b"7" in mmplat("sql", f"FROM '{outside}'", "--trusted", *where).out
    assert mmplat("sql", f"COPY (SELECT 5 AS five) TO '{made}' (HEADER)", "--trusted", *where).code == 0
    assert made.read_text() == "five\n5\n"


class Terminal:
    """`mmplat sql` in a terminal of its own."""

    def __init__(self, results: Results, history: Path) -> None:
        self.master, slave = pty.openpty()
        settings = {**os.environ, "MMPLAT_SQL_HISTORY": str(history), "TERM": "dumb", "COLUMNS": "200"}
        command = [MMPLAT, "sql", "--results", str(results.root)]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=settings, close_fds=True)
        os.close(slave)
        self.until("mmplat> ")

    def type(self, text: str, until: str = "mmplat> ") -> str:
        os.write(self.master, text.encode())
        return self.until(until)

    def until(self, text: str) -> str:
        """What the terminal shows until `text` appears; fails after a minute, on a busy machine."""
        shown, deadline = "", time.monotonic() + 60
        while text not in shown:
            assert time.monotonic() < deadline, f"{text!r} never came: {shown!r}"
            if select.select([self.master], [], [], 0.5)[0]:
                shown += os.read(self.master, 65_536).decode()
        return shown

    def leave(self) -> int:
        os.write(self.master, b"\x04")
        code = self.process.wait(60)
        os.close(self.master)
        return code


def test_the_prompt_answers_completes_and_remembers(published: Results, tmp_path: Path) -> None:
    pytest.importorskip("readline", reason="this Python was built without readline")
    history = tmp_path / "state" / "history"
    terminal = Terminal(published, history)
    assert "24" in terminal.type("SELECT count(*) AS rows_there\n", "...> ") + terminal.type("FROM runs;\n")
    assert "forward_passes" in terminal.type("SELECT max(forward_p\t", "forward_passes")
    assert "12" in terminal.type(") FROM runs;\n")
    assert "error: " in terminal.type("SELEC 1;\n")
    assert "share of answers that are no label" in terminal.type(".schema leaderboard\n")
    assert "error: " in terminal.type("DROP TABLE store.runs;\n")
    assert terminal.leave() == 0
    assert "SELECT max(forward_passes) FROM runs;" in history.read_text()
    again = Terminal(published, history)
    assert "12" in again.type("\x1b[A\x1b[A\x1b[A\x1b[A\n")  # the arrows go back to what was asked before
    assert again.leave() == 0
