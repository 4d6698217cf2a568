"""SQL that readers of the dashboard type: every query in a process of its own, which cannot write and is ended at its limits.

What a query does to its process, nobody else sees. A process is prepared while people type, since reading a large store takes
seconds.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import polars as pl

from mmplat.artifacts import Results
from mmplat.leaderboard.console_process import Limits, Opening, Question, Reply
from mmplat.leaderboard.statements import QueryError
from mmplat.records.base import Record

AT_ONCE = 4
"""Queries that run beside each other; others wait."""
READY_WITHIN_S = 600.0
"""As long as reading the largest store takes."""
LINE_BYTES = 1_000_000
NARROWER = (
    "Ask for less (a filter on campaign, model and suite opens only the files that it needs), or ask without a limit on the "
    "command line: mmplat sql."
)
# Few arenas and threads: what they reserve counts as memory of the query.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


class Console:
    """Answers typed SQL over one results folder; `version` says which state of it a page shows."""

    def __init__(self, results: Results, limits: Limits | None = None) -> None:
        self.results, self.limits = results, limits or Limits()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._prepared: tuple[object, _Process] | None = None

    def prepare(self, version: object = None) -> None:
        """Starts to read the results for the next query; returns at once."""
        with self._lock:
            if self._prepared is not None and self._prepared[0] == version and self._prepared[1].is_running():
                return
            outdated, self._prepared = self._prepared, (version, _Process(self.results, self.limits))
        if outdated is not None:
            outdated[1].end()

    def ask(self, sql: str, version: object = None) -> pl.DataFrame:
        """The first rows of the answer, of results that are as new as `version` at least; a QueryError where there is none."""
        if not self._places.acquire(timeout=self.limits.seconds):
            raise QueryError(f"{AT_ONCE} queries of other readers are running. Run yours again in a moment.")
        try:
            self.prepare(version)
            with self._lock:
                process = self._prepared[1] if self._prepared else None
                self._prepared = None
            process = process or _Process(self.results, self.limits)  # another reader was faster
            try:
                return process.answer(sql)
            finally:
                process.end()
        finally:
            self._places.release()
            self.prepare(version)

    def close(self) -> None:
        """Ends what was prepared."""
        with self._lock:
            prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared[1].end()


class _Process:
    """A process that answers one query."""

    def __init__(self, results: Results, limits: Limits) -> None:
        self.limits = limits
        self.process = subprocess.Popen(
            # -P: a module that lies in the folder of whoever serves must not be taken for one of ours.
            [sys.executable, "-P", "-m", "mmplat.leaderboard.console_process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ENVIRONMENT}, start_new_session=True,
        )  # fmt: skip
        self.end = weakref.finalize(self, _end, self.process)
        self._tell(Opening(root=str(results.root.resolve()), limits=limits))

    def is_running(self) -> bool:
        return self.process.poll() is None

    def answer(self, sql: str) -> pl.DataFrame:
        with self._ended_after(READY_WITHIN_S):
            ready = self._hear()
        if ready.kind != "ready":
            raise _failure(ready, self.limits)
        if ready.text:
            _tell_unguarded(ready.text)
        self._tell(Question(sql=sql))
        with self._ended_after(self.limits.seconds) as is_late:
            reply = self._hear(is_late)
            table = self._read(is_late) if reply.kind == "rows" else b""
        if reply.kind != "rows":
            raise _failure(reply, self.limits)
        return pl.read_ipc_stream(table)

    def _tell(self, record: Record) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended, and says why on its output
            self.process.stdin.write(record.model_dump_json().encode() + b"\n")
            self.process.stdin.flush()

    def _hear(self, is_late: threading.Event | None = None) -> Reply:
        assert self.process.stdout is not None
        line = self.process.stdout.readline(LINE_BYTES)
        if not line.endswith(b"\n"):
            raise self._death(is_late)
        return Reply.model_validate_json(line)

    def _read(self, is_late: threading.Event) -> bytes:
        assert self.process.stdout is not None
        most = int(self.limits.answer_mb * 2e6)  # Arrow pads what it writes
        table = self.process.stdout.read(most)
        if is_late.is_set() or len(table) == most:
            raise self._death(is_late)
        return table

    def _death(self, is_late: threading.Event | None) -> QueryError:
        self.process.kill()
        code = self.process.wait()
        if is_late is None:
            return QueryError(
                f"The process for queries ended with code {code} before it had read the results. The terminal that serves the "
                "dashboard says why; meanwhile the command line answers: mmplat sql."
            )
        if is_late.is_set() or code in (-signal.SIGALRM, -signal.SIGXCPU):
            return QueryError(f"The query was stopped after {self.limits.seconds:g} s. {NARROWER}")
        return QueryError(
            f"The query's process ended with code {code}: most likely the query needs more than "
            f"{self.limits.memory_gb:g} GB of memory. {NARROWER}"
        )

    @contextmanager
    def _ended_after(self, seconds: float) -> Iterator[threading.Event]:
        """Kills the process at its time: DuckDB looks for an interrupt between rows alone, and one row may take minutes."""
        is_late = threading.Event()

        def kill() -> None:
            is_late.set()
            self.process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield is_late
        finally:
            timer.cancel()


def _failure(reply: Reply, limits: Limits) -> Exception:
    if reply.kind == "memory":
        return QueryError(f"The query needs more than {limits.memory_gb:g} GB of memory. {NARROWER}")
    if reply.kind == "refused":
        return QueryError(reply.text)
    return RuntimeError(f"The process of a query failed:\n{reply.text}")


@cache
def _tell_unguarded(reason: str) -> None:
    """Once per server."""
    logging.getLogger("mmplat.dashboard").warning(
        "Queries of the page SQL run without a lock on files (%s): they can lengthen none, and what they may say is checked.",
        reason,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    process.wait()
