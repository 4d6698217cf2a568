"""Answers that a tiny model wrote to open questions, once; and a judge on the loopback whose taste is known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from benchmark_files import write_lines, write_picture
from builders import Ran, ask_all
from endpoint.chat_server import Endpoint, serving
from taste import CATEGORIES, IMAGES, QUESTIONS, biased

from mmplat.artifacts import Results
from mmplat.grid import parse_grid
from mmplat.models.endpoint import patience
from mmplat.plan import Plan, make_plan


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits before another try last milliseconds, and no key of whoever runs the tests is used."""
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.01)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    usage = {"prompt_tokens": 200, "completion_tokens": 20}
    with serving(Endpoint(told=biased, usage=usage)) as found:
        yield found


GRID = """
campaign: bench
models: [tiny]
suites:
  - name: llava-bench-wild
    answers: text
    longest: 4
    params: {{path: "{data}"}}
    judge: {judge}
decodings: [greedy, t2]
methods: [naive, vdd-none]
"""


@dataclass
class Bench:
    """A results folder in which every answer is written, and none is judged."""

    data: Path
    results: Results
    endpoint: Endpoint

    def text(self, *, rubric: str = "pair-1-10", **params: Any) -> str:
        judge = {"rubric": rubric, "params": {"url": self.endpoint.url, "model": "judge", **params}}
        return GRID.format(data=self.data, judge=judge)

    def plan(self, **said: Any) -> Plan:
        return make_plan(parse_grid(self.text(**said)))

    def judge(self, **said: Any) -> Any:
        from mmplat.judging import judge

        plan = self.plan(**said)
        return judge(plan, plan.pairs[0], self.results)

    def decide(self, **said: Any) -> Ran:
        from mmplat.deciding import decide

        plan = self.plan(**said)
        decide(plan, plan.pairs[0], self.results)
        return Ran(plan, self.results)

    def judgments(self) -> Any:
        import polars as pl

        return pl.concat(pl.read_parquet(path, glob=False) for path in self.results.root.rglob("judged-*.parquet"))


def write_questions(folder: Path) -> Path:
    numbers = range(QUESTIONS)
    rows = [{"question_id": n, "image": f"{n % IMAGES:03}.jpg", "text": f"Is there a {n}?", "category": CATEGORIES[n % 3]}
            for n in numbers]  # fmt: skip
    write_lines(folder / "questions.jsonl", rows)
    write_lines(folder / "answers_gpt4.jsonl", [{"question_id": n, "text": f"It is {n}."} for n in numbers])
    contexts = [{"image": f"{n:03}.jpg", "caption": f"A picture of {{{n}}}."} for n in range(IMAGES)]
    write_lines(folder / "context.jsonl", contexts)
    for n in range(IMAGES):
        write_picture(folder / "images" / f"{n:03}.jpg", n)
    return folder


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Asked once, for all tests: another judge asks no model again."""
    root = tmp_path_factory.mktemp("written")
    os.environ["XDG_CACHE_HOME"] = str(root / "cache")  # hashes of files are remembered in the tests' own folder
    bench = Bench(write_questions(root / "data"), Results(root / "results"), Endpoint(url="http://127.0.0.1:9/v1"))
    ask_all(bench.plan(), bench.results)
    return bench


@pytest.fixture
def bench(written: Bench, endpoint: Endpoint, results: Results) -> Bench:
    shutil.copytree(written.results.root, results.root)
    return Bench(written.data, results, endpoint)
