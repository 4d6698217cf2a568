"""MMHal-Bench from its file to the table: scores and hallucinations by type, and a reply without a score is neither."""

import re

import pytest
from benchmark_files import Shelf
from builders import Ran, ask_all
from endpoint.chat_server import text_of

from mmplat.deciding import decide
from mmplat.grid import parse_grid
from mmplat.judging import judge
from mmplat.plan import make_plan

GRID = """
campaign: hallucinations
models: [tiny]
suites:
  - name: mmhal-bench
    longest: 3
    params: {{path: "{path}"}}
    judge: {{params: {{url: "{url}", model: judge}}}}
methods: [naive]
"""
SILENT = 5


def by_number(body):
    """The answer to question n has n modulo 7 points; the judge says nothing of one of them."""
    number = int(re.search(r"\[Question\]\nWhat is (\d+)\?", text_of(body))[1])
    return [("I see both sides." if number == SILENT else f"{number % 7}\nBecause.", 0.0)]


@pytest.fixture
def ran(endpoint, results, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    endpoint.told = lambda body: by_number(body) if "[Question]" in text_of(body) else [("yes", 0.0)]
    plan = make_plan(parse_grid(GRID.format(url=endpoint.url, **Shelf(tmp_path / "data").mmhal())))
    ask_all(plan, results)
    judge(plan, plan.pairs[0], results)
    decide(plan, plan.pairs[0], results)
    return Ran(plan, results)


def test_hallucinations_are_counted_by_type_and_silence_is_none(ran):
    points = {n: n % 7 for n in range(16) if n != SILENT}
    metrics = {(m["metric"], m["subset"]): m for m in ran.table("metrics").to_dicts()}
    whole = metrics["judge_score", "all"]
    assert (whole["value"], whole["n"]) == (pytest.approx(sum(points.values()) / 15), 15)
    assert metrics["hallucination_rate", "all"]["value"] == pytest.approx(sum(p < 3 for p in points.values()) / 15)
    assert metrics["judge_failed", "all"]["value"] == pytest.approx(1 / 16)
    of_type = metrics["hallucination_rate", "type=holistic"]  # questions 6 and 14: 6 points and none
    assert (of_type["value"], of_type["n"]) == (0.5, 2)
    assert 0 < of_type["low"] < 0.5 < of_type["high"] < 1
    assert metrics["judge_failed", "type=environment"]["value"] == 0.5  # questions 5 and 13
    assert metrics["hallucination_rate", "type=environment"]["n"] == 1


def test_the_judge_is_shown_what_the_image_holds_and_the_human_answer(ran, endpoint):
    shown = next(text for body in endpoint.bodies if "What is 3?" in (text := text_of(body)))
    assert "Cat, Thing 3" in shown
    assert "It is 3." in shown
