"""docs/query.md: every question is asked, and every column is named."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from mmplat.leaderboard import query

DOC = (Path(__file__).parents[2] / "docs" / "query.md").read_text(encoding="utf-8")
VIEWS, QUESTIONS = DOC.split("## Ten questions")
ASKED = re.findall(r"^### (.+?)\n\n```sql\n(.+?)```", QUESTIONS, re.MULTILINE | re.DOTALL)


def test_there_are_ten_questions() -> None:
    assert len(ASKED) == 10


@pytest.mark.parametrize(("question", "sql"), ASKED, ids=[question for question, _ in ASKED])
def test_each_question_has_an_answer(connection: duckdb.DuckDBPyConnection, question: str, sql: str) -> None:
    assert query(connection, sql).height > 0, question


def test_every_column_of_every_view_is_named_in_its_section(connection: duckdb.DuckDBPyConnection) -> None:
    for view in query(connection, "SHOW TABLES")["name"]:
        section = next(part for part in VIEWS.split("### ") if view in part.splitlines()[0])
        named = set(re.findall(r"`(\w+)`", section))
        columns = set(query(connection, f"DESCRIBE {view}")["column_name"])
        assert columns <= named, f"{view}: {columns - named} are not in docs/query.md"
