"""A results folder made by the fake model, a served dashboard, and a browser that notices what it should not do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import HOSTILE
from starting import free_port, wait_for

from mmplat.artifacts import Results, read_json, write_json
from mmplat.ids import file_id

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
GRID = """
campaign: demo
models: [fake, {name: "lab/fake_64*b*", family: fake, path: nowhere, params: {vocab_size: 48}}]
suites:
  - {name: world-objects, conditions: [unrelated-facts, cue-gold, cue-wrong]}
  - world-spurious
decodings: [greedy, sample, t0.7-k50-p0.9]
methods: [naive, posthoc-none, posthoc-noise, vdd-unk, apc-only]
views: [black]
seeds: [0, 1]
limit: 45
"""
DIAGNOSED = (
    "diagnose prior", "diagnose lean", "diagnose confidence", "diagnose calibration", "diagnose interference",
    "diagnose misleading", "decodings best",
)  # fmt: skip


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """One published campaign on the fake model. The first sample's question is hostile, the last one's image is gone."""
    results = Results(tmp_path_factory.mktemp("dashboard") / "results")
    publish_campaign(results, GRID)
    folder = next(results.suites_root.glob("world-spurious/*"))
    samples = pl.read_parquet(folder / "samples.parquet")
    first = pl.int_range(pl.len()) == 0
    changed = samples.with_columns(
        question=pl.when(first).then(pl.lit(HOSTILE)).otherwise("question"),
        options=pl.when(first).then(pl.lit([HOSTILE, "$a$", "_b_", "`c`"])).otherwise("options"),
    )
    changed.write_parquet(folder / "samples.parquet")
    prepared = read_json(folder / "suite.json", made_by="")
    write_json(folder / "suite.json", {**prepared, "samples": file_id(folder / "samples.parquet", length=64)})
    (folder / "images" / samples["images"][-1][0]).unlink()
    for diagnostic in DIAGNOSED:
        diagnose(results, *diagnostic.split())
    return results


def diagnose(results: Results, *command: str) -> None:
    """As the command line does."""
    from typer.testing import CliRunner

    from mmplat.cli.app import app

    done = CliRunner().invoke(app, [*command, "demo", "--results", str(results.root)])
    assert done.exit_code == 0, f"{command}: {done.output}{done.exception}"


def publish_campaign(results: Results, grid: str) -> None:
    """plan → prepare → ask → decide → publish, in this process."""
    from mmplat.asking import ask
    from mmplat.deciding import decide
    from mmplat.grid import parse_grid
    from mmplat.plan import make_plan, write_plan
    from mmplat.preparing import prepare
    from mmplat.store import publish

    plan = make_plan(parse_grid(grid))
    write_plan(plan, results)
    for suite in plan.grid.suites:
        prepare(suite, results)
    for batch in plan.batches:
        ask(batch, results)
    for pair in plan.pairs:
        decide(plan, pair, results)
    publish(results, plan.grid.campaign)
    write_json(results.published(plan.grid.campaign), {})


@pytest.fixture
def run_campaign() -> Callable[[Results, str], None]:
    return publish_campaign


@pytest.fixture
def mine(made: Results, tmp_path: Path) -> Results:
    """A copy that a test may change."""
    copied = Results(tmp_path / "results")
    shutil.copytree(made.root, copied.root)
    return copied


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the dashboard without a browser: `app(results, campaign="demo")`; `secrets` are those of its secrets.toml."""
    testing = pytest.importorskip("streamlit.testing.v1", reason="streamlit is not installed: pip install mmplat[ui]")
    monkeypatch.syspath_prepend(str(ROOT / "dashboard"))
    monkeypatch.delenv("MMPLAT_STORE_URL", raising=False)

    def run(results: Results, *, secrets: dict[str, Any] | None = None, **address: str) -> Any:
        monkeypatch.setenv("MMPLAT_RESULTS", str(results.root))
        test = testing.AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=30)
        for name, value in (secrets or {}).items():
            test.secrets[name] = value
        for name, value in address.items():
            test.query_params[name] = value
        return test.run()

    return run


@pytest.fixture(scope="session")
def address(made: Results) -> Iterator[str]:
    """The served dashboard."""
    with serving(made) as served:
        yield served


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[str]]:
    """`with serve(results, port=…, NAME="of an environment variable") as address` serves another one."""
    return serving


@contextmanager
def serving(results: Results, *, port: int | None = None, **environment: str) -> Iterator[str]:
    pytest.importorskip("streamlit", reason="streamlit is not installed: pip install mmplat[ui]")
    port = port or free_port()
    inherited = {name: value for name, value in os.environ.items() if name != "MMPLAT_STORE_URL"}
    server = subprocess.Popen(
        [sys.executable, "dashboard/serve.py", "--server.port", str(port)],
        cwd=ROOT, env=inherited | {"MMPLAT_RESULTS": str(results.root)} | environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    served = f"http://127.0.0.1:{port}"
    try:
        wait_for(served, server)
        yield served
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: run scripts/install-debian as root on Debian")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Screenshots, for people to look at: MMPLAT_SCREENSHOTS names a folder that outlives the tests."""
    folder = Path(os.environ.get("MMPLAT_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def window(chromium: Any) -> Iterator[Any]:
    """One for all tests: a fresh one would load Streamlit's scripts anew for each of them."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def tab(window: Any, address: str) -> Iterator[Any]:
    """A fresh browser page that must stay on this machine and keep its console clean."""
    page = window.new_page()
    page.set_default_timeout(40_000)
    troubles: list[str] = []
    page.on("request", lambda request: troubles.extend(abroad(request.url)))
    page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
    page.on("console", lambda message: troubles.extend(complaint(message)))
    yield page
    page.close()
    assert not troubles


def abroad(url: str) -> list[str]:
    here = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    return [] if url.startswith(here) else [f"request to {url}"]


def complaint(message: Any) -> list[str]:
    # Opened at /grid, Streamlit's client asks for /grid/_stcore/… before it finds its server at /.
    if message.type != "error" or "/_stcore/" in message.location["url"]:
        return []
    return [f"console: {message.text} ({message.location['url']})"]
