"""Pages that are read while somebody publishes, and pages that are read again: never a traceback, and nothing read twice."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from publishing import GENERATOR, publisher

from mmplat.artifacts import Results
from mmplat.store import publish

App = Callable[..., Any]
PAGES = ("leaderboard", "grid", "compare", "samples", "decoding", "debiasing")
VISITS, WITHIN_S = 12, 120
HONEST = (
    "The results changed or vanished while they were read. Reload this page.",
    "A file of the results is missing or broken.",
)
"""What a page may say whose files were replaced after it had read the store."""


@pytest.fixture
def generated(results: Results, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.syspath_prepend(str(GENERATOR))
    from generate import write_campaign

    write_campaign(results, revision="r0")
    publish(results, "demo")
    return results


@pytest.mark.slow
def test_no_page_fails_while_somebody_publishes(app: App, generated: Results) -> None:
    began, visits, fine = time.monotonic(), 0, 0
    test = app(generated, suite="world-facts")
    with publisher(generated, {}) as turns:
        while visits < VISITS or turns() < 3 or not fine:
            assert time.monotonic() - began < WITHIN_S, f"{turns()} turns, {visits} visits, {fine} without a word"
            page = PAGES[visits % len(PAGES)]
            test.switch_page(f"screens/{page}.py").run()
            assert not test.exception
            said = [one.value for one in test.error]
            assert set(said) <= set(HONEST), (page, said, [one.value for one in test.text])
            fine += not said
            visits += 1
    test.run()  # and when nobody publishes any more, all is as it should be
    assert not test.error


def test_a_page_is_of_one_moment_whatever_is_published_while_it_is_made(app: App, generated: Results) -> None:
    from generate import write_campaign

    test = app(generated, suite="world-facts")
    shared = sys.modules["shared"]
    read = shared.read
    others = iter(["other"])

    def read_and_lose_the_race(function: Any, *arguments: Any, **options: Any) -> Any:
        found = read(function, *arguments, **options)
        for campaign in others:  # once, after the first thing that the page reads
            write_campaign(generated, campaign)
            publish(generated, campaign)
        return found

    with replaced(shared, "read", read_and_lose_the_race):
        test.run()
    assert list(others) == []
    assert next(one for one in test.selectbox if one.label == "Campaign").options == ["demo"]
    test.run()
    assert set(next(one for one in test.selectbox if one.label == "Campaign").options) == {"demo", "other"}


def test_pages_that_are_looked_at_again_read_nothing_again(app: App, generated: Results) -> None:
    test = app(generated, suite="world-facts")
    for page in PAGES * 2:  # what one page chooses goes along to the next: after two rounds all is chosen
        test.switch_page(f"screens/{page}.py").run()
    shared = sys.modules["shared"]
    connections: list[object] = []
    original = shared._connection

    def counted(version: object) -> Any:
        connections.append(version)
        return original(version)

    with replaced(shared, "_connection", counted):
        for page in PAGES:
            test.switch_page(f"screens/{page}.py").run()
            assert not test.error
        assert connections == []
        box = test.selectbox(key="choose suite")
        box.set_value(next(name for name in box.options if name != box.value)).run()
        assert connections  # what was not read yet is read


@contextmanager
def replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)
