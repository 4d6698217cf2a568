"""One query that somebody typed, in a process of its own: `python -m mmplat.leaderboard.console_process`, for `console` alone.

It reads the results, gives up writing, says that it is ready, takes one query from its input, answers on its output, and ends.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from pathlib import Path
from typing import BinaryIO, Literal

import duckdb

from mmplat.artifacts import Results
from mmplat.errors import MmplatError
from mmplat.leaderboard import confining
from mmplat.leaderboard.connection import connect_tables
from mmplat.leaderboard.querying import query
from mmplat.leaderboard.snapshot import store_tables
from mmplat.leaderboard.statements import QueryError
from mmplat.records.base import Record
from mmplat.store import store_url

THREADS = 4
"""Of one query: a large machine serves several."""
HEADROOM = 1.5
"""Address space beside the limit of memory: what the answer is copied into, and what allocators reserve."""


class Limits(Record):
    """What one query may take."""

    seconds: float = 20.0
    memory_gb: float = 1.0
    rows: int = 10_000
    answer_mb: float = 64.0


class Opening(Record):
    """What the process needs before it has a query."""

    root: str
    limits: Limits


class Question(Record):
    """The query."""

    sql: str


class Reply(Record):
    """A line of the process; the bytes of a table follow that of kind `rows`. The text of `ready`: why files are less guarded."""

    kind: Literal["ready", "rows", "refused", "memory", "defect"]
    text: str = ""


def main() -> None:
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print into the answer
    try:
        _serve(sys.stdin.buffer, replies)
    except BrokenPipeError:  # whoever asked has gone
        os._exit(1)
    except MmplatError as error:
        _reply(replies, Reply(kind="refused", text=str(error)))
    except MemoryError:
        _reply(replies, Reply(kind="memory"))
    except Exception:
        _reply(replies, Reply(kind="defect", text=traceback.format_exc()))


def _serve(questions: BinaryIO, replies: BinaryIO) -> None:
    opening = Opening.model_validate_json(questions.readline())
    limits, results = opening.limits, Results(Path(opening.root))
    tables = store_tables(store_url(results))  # of SQLite, by way of a copy in a temporary folder
    # Before DuckDB starts threads: it holds for those that are started from here on.
    unguarded = confining.forbid_writing()
    connection = connect_tables(tables, results, memory=f"{limits.memory_gb:g}GB", threads=THREADS)
    del tables
    _reply(replies, Reply(kind="ready", text=unguarded or ""))
    line = questions.readline()
    if not line:  # whoever asked has gone
        return
    question = Question.model_validate_json(line)
    bytes_ = int(limits.memory_gb * HEADROOM * 1e9)
    confining.limit(seconds=limits.seconds, memory_bytes=bytes_, threads=THREADS)
    try:
        answer = query(connection, question.sql, rows=limits.rows).head(limits.rows)
    except QueryError as error:
        if not isinstance(error.__cause__, duckdb.OutOfMemoryException):
            raise
        return _reply(replies, Reply(kind="memory"))
    if answer.estimated_size() > limits.answer_mb * 1e6:
        raise QueryError(
            f"The answer is larger than {limits.answer_mb:g} MB, which is more than a page shows. Select fewer columns or rows, "
            "or take it home on the command line: mmplat sql … --output FILE."
        )
    table = io.BytesIO()
    answer.write_ipc_stream(table)
    _reply(replies, Reply(kind="rows"), table.getvalue())


def _reply(replies: BinaryIO, reply: Reply, table: bytes = b"") -> None:
    replies.write(reply.model_dump_json().encode() + b"\n" + table)
    replies.flush()


if __name__ == "__main__":
    main()
