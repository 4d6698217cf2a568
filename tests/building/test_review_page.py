"""The dashboard's page Review, on a build: what is decided there is kept, and what it refuses is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmplat.building.reviews import Reviews

DASHBOARD = Path(__file__).parents[2] / "dashboard"


@pytest.fixture
def page(drafted: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    testing = pytest.importorskip("streamlit.testing.v1", reason="streamlit is not installed: pip install mmplat[ui]")
    monkeypatch.syspath_prepend(str(DASHBOARD))
    monkeypatch.setenv("MMPLAT_RESULTS", str(drafted.results.root))
    test = testing.AppTest.from_file(str(DASHBOARD / "app.py"), default_timeout=60)
    test.switch_page("screens/review.py")
    return test.run()


def button(test: Any, label: str) -> Any:
    return next(one for one in test.button if one.label == label)


def field(test: Any, label: str) -> Any:
    return next(one for one in (*test.text_input, *test.text_area) if one.label == label)


def test_nobody_decides_without_a_name(page: Any) -> None:
    assert not page.exception
    assert button(page, "Accept").disabled
    assert button(page, "Reject").disabled


def test_a_decision_is_kept_and_the_next_item_takes_its_place(page: Any, drafted: Any) -> None:
    first = drafted.reviews().pending()[0]
    assert first.question in [one.value for one in page.text]
    field(page, "Your name").set_value("Ann").run()
    field(page, "Note").set_value("clear").run()
    button(page, "Accept").click().run()
    assert not page.exception
    decided = Reviews(drafted.reviews().build).standing()[first.item_id]
    assert (decided.who, decided.verdict, decided.note) == ("Ann", "accept", "clear")
    assert page.query_params["item"] == drafted.reviews().pending()[0].item_id


def test_whoever_is_logged_in_decides_under_that_name(page: Any, drafted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = drafted.reviews().pending()[0]
    monkeypatch.setattr("login.name", lambda: "ann@lab.example")
    page.run()
    assert "Your name" not in [one.label for one in page.text_input]
    button(page, "Reject").click().run()
    assert not page.exception
    assert Reviews(drafted.reviews().build).standing()[first.item_id].who == "ann@lab.example"


def test_an_edit_that_the_checks_refuse_is_refused_in_words(page: Any, drafted: Any) -> None:
    field(page, "Your name").set_value("Ann").run()
    field(page, "Question").set_value(" ")
    button(page, "Keep the edit").click().run()
    assert not page.exception
    assert page.error[0].value == "The decision was not kept."
    assert drafted.reviews().history() == []
