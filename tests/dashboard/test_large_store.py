"""Every page on a store of 2,200 runs; `make large` looks at the same pages of 11,000 runs and 11 million predictions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mmplat.artifacts import Results

pytestmark = pytest.mark.browser

BENCH = Path(__file__).parents[2] / "bench" / "dashboard.py"
CELL = "campaign=large&suite=suite-1&model=model-01-3b"
PAGES = {
    "leaderboard": "/?campaign=large&before=earlier",
    "suite": "/?campaign=large&suite=suite-1&ranges=yes",
    "grid": f"/grid?{CELL}&cells=difference+from+naive",
    "compare": f"/compare?{CELL}&method_b=method-1&decoding_b=sample&every_suite=yes",
    "samples": f"/samples?{CELL}&method=method-1&answer=wrong",
    "profile": "/profile?campaign=large&suite=suite-1",
    "debiasing": f"/debiasing?{CELL}&decoding=sample",
    "decoding": "/decoding?campaign=large&suite=suite-1",
    "prior": "/prior?campaign=large",
    "interference": "/interference?campaign=large",
    "misleading": "/misleading?campaign=large",
    "campaigns": "/campaigns",
    "sql": "/sql?sql=FROM+predictions+LIMIT+1000",
    "one-run": "/run?run=campaign%3Dlarge,model%3Dmodel-01-3b,suite%3Dsuite-1,method%3Dnaive,decoding%3Dgreedy",
    "review": "/review",
}
DRAWN = {"leaderboard", "suite", "grid", "compare", "samples", "debiasing", "decoding", "sql", "one-run"}
"""Pages that need no diagnostic: they show a table or a chart."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """MMPLAT_LARGE names a folder that `bench/dashboard.py --only-write` made; else a smaller one is made."""
    given = os.environ.get("MMPLAT_LARGE")
    folder = Path(given) if given else tmp_path_factory.mktemp("large") / "results"
    if not given:
        command = [sys.executable, str(BENCH), "--results", str(folder), "--only-write", "--small"]
        subprocess.run(command, check=True, env={k: v for k, v in os.environ.items() if k != "MMPLAT_STORE_URL"})
    return Results(folder)


@pytest.fixture(scope="module")
def large_address(large: Results, serve: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    with serve(large) as address:
        yield address


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_a_large_store_is_complete_and_stays_on_this_machine(
    tab: Any, large_address: str, pictures: Path, name: str
) -> None:
    tab.set_viewport_size({"width": 1280, "height": 1600})
    tab.goto(large_address + PAGES[name])
    tab.wait_for_selector("[data-testid=stMain] h1", timeout=60_000)
    tab.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    if name == "sql":
        tab.get_by_role("button", name="Run").click()
    if name in DRAWN:
        tab.wait_for_selector("[data-testid=stVegaLiteChart] :is(canvas, svg), [data-testid=stDataFrame] canvas")
    assert tab.locator("[data-testid=stException], [data-testid=stAlertContentError]").all_inner_texts() == []
    assert "Traceback" not in tab.inner_text("body")
    tab.screenshot(path=str(pictures / f"large-{name}.png"))
