"""Every page begins with its name and one line on what it shows, whatever else is wrong with it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmplat.artifacts import Results

SCREENS = Path(__file__).parents[2] / "dashboard" / "screens"
PAGES = sorted(path.stem for path in SCREENS.glob("*.py"))
ONE_LINE = 150


@pytest.mark.parametrize("page", PAGES)
def test_a_page_begins_with_its_name_and_what_it_shows(app: Callable[..., Any], made: Results, page: str) -> None:
    title, _, shows = str(ast.get_docstring(ast.parse((SCREENS / f"{page}.py").read_text(encoding="utf-8")))).partition(
        ": "
    )
    test = app(made).switch_page(f"screens/{page}.py").run()
    assert not test.exception
    assert [one.value for one in test.title] == [title]
    assert test.caption[0].value == shows[:1].upper() + shows[1:]
    assert "\n" not in shows
    assert len(shows) <= ONE_LINE
