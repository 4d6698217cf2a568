"""mmplat sql: files, pipes, the schema, the prompt in a real terminal, and what --trusted opens."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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


PROMPT = "mmplat> "


class Terminal:
    """`mmplat sql` in a terminal of its own."""

    def __init__(self, results: Results, history: Path) -> None:
        self.master, slave = pty.openpty()
        settings = {**os.environ, "MMPLAT_SQL_HISTORY": str(history), "TERM": "dumb", "COLUMNS": "200"}
        command = [MMPLAT, "sql", "--results", str(results.root)]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=settings, close_fds=True)
        os.close(slave)
        self.shown = ""
        self.until(PROMPT)

    def ask(self, text: str, answer: str) -> None:
        """Types, waits for the answer, and then for the prompt: what is typed before it is there is lost."""
        self.type(text, answer)
        self.until(PROMPT)

    def type(self, text: str, until: str) -> None:
        os.write(self.master, text.encode())
        self.until(until)

    def until(self, text: str) -> None:
        """Reads as far as `text`; fails after a minute: the machine may be busy."""
        deadline = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.shown!r}"
            if select.select([self.master], [], [], 0.5)[0]:
                self.shown += os.read(self.master, 65_536).decode()
        self.shown = self.shown.split(text, 1)[1]

    def leave(self) -> int:
        os.write(self.master, b"\x04")
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(60)
        os.close(self.master)


@pytest.fixture
def opened_terminal(published: Results, tmp_path: Path) -> Iterator[Callable[[], Terminal]]:
    terminals: list[Terminal] = []

    def one() -> Terminal:
        terminals.append(Terminal(published, tmp_path / "state" / "history"))
        return terminals[-1]

    yield one
    for terminal in terminals:
        terminal.close()


def test_the_prompt_answers_completes_and_remembers(opened_terminal: Callable[[], Terminal], tmp_path: Path) -> None:
    pytest.importorskip("readline", reason="this Python was built without readline")
    terminal = opened_terminal()
    terminal.type("SELECT count(*) AS rows_there\n", "...> ")
    terminal.ask("FROM runs;\n", "24\r\n")
    terminal.type("SELECT max(forward_p\t", "forward_passes")
    terminal.ask(") FROM runs;\n", "12\r\n")
    terminal.ask("SELEC 1;\n", "error: Parser Error")
    terminal.ask(".schema leaderboard\n", "share of answers that are no label")
    terminal.ask("DROP TABLE store.runs;\n", "results are read-only here")
    assert terminal.leave() == 0
    assert "SELECT max(forward_passes) FROM runs;" in (tmp_path / "state" / "history").read_text()
    again = opened_terminal()
    again.ask("\x1b[A\x1b[A\x1b[A\x1b[A\n", "12\r\n")  # the arrows go back to what was asked before
    assert again.leave() == 0
