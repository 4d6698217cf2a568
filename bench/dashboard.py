"""The dashboard on a large store: `bench/dashboard.py [--results FOLDER] [--only-write] [--small]`.

10,000 runs (20 models × 5 suites × 10 methods × 10 decodings; an earlier campaign of 1,000 beside them), 11 million predictions;
a folder that is there is used again. The files are those that deciding writes, the numbers are drawn. A server is started,
and a real Chromium opens every page: cold (the first page that a fresh server serves), warm, and after a choice was changed.
Prints JSON: seconds until the first chart or table is there and until all is, best and median, and the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "store"))
import generate
from store import rows

from mmplat.artifacts import Results, write_json
from mmplat.store import publish

ROOT = Path(__file__).parents[1]
MODELS = tuple(f"model-{at:02d}-{size}b" for at, size in zip(range(20), (1, 3, 7, 13) * 5, strict=True))
SUITES = tuple(f"suite-{at}" for at in range(5))
METHODS = ("naive", "apc-only", *(f"method-{at}" for at in range(8)))
DECODINGS = ("greedy", "sample", *(f"t0.{at}" for at in range(1, 9)))
REPEATS, COLD = 5, 3
CAMPAIGN, EARLIER = "large", "earlier"


@dataclass(frozen=True)
class Size:
    models: tuple[str, ...] = MODELS
    samples: int = 1000


SMALL = Size(MODELS[:4], 100)
"""2,200 runs, 220,000 predictions: written in seconds, for tests."""


def write(results: Results, size: Size) -> None:
    write_campaign(results, size, EARLIER, DECODINGS[:1], revision="r0")
    write_campaign(results, size, CAMPAIGN, DECODINGS, revision="r1")
    write_json(results.root / "written.json", {"samples": size.samples})


def write_campaign(results: Results, size: Size, campaign: str, decodings: tuple[str, ...], *, revision: str) -> None:
    generate.write_campaign(
        results, campaign, models=size.models, suites=SUITES, decodings=decodings, methods=METHODS, samples=6,
        revision=revision, extra_metrics=15,
    )  # fmt: skip
    for suite in SUITES:
        generate.write_suite(results, suite, size.samples)
        for model in size.models:
            write_pair(results.decided(campaign, model, suite), size.samples)
    publish(results, campaign)
    write_json(results.published(campaign), {})


def write_pair(folder: Path, samples: int) -> None:
    """What was decided of few samples, as if it were of many."""
    for name in ("runs", "metrics"):
        table = pl.read_parquet(folder / f"{name}.parquet", glob=False).with_columns(n=pl.lit(samples, pl.Int64))
        generate.write_parquet(folder / f"{name}.parquet", table)
    runs = pl.read_parquet(folder / "runs.parquet", glob=False)["run_id"].to_list()
    generate.write_parquet(folder / "predictions.parquet", rows(runs, samples))


OPENED = {
    "leaderboard": "/?campaign=large",
    "leaderboard of a suite": "/?campaign=large&suite=suite-1",
    "grid": "/grid?campaign=large&suite=suite-1&cells=difference+from+naive",
    "compare": "/compare?campaign=large&suite=suite-1",
    "samples": "/samples?campaign=large&suite=suite-1",
    "decoding": "/decoding?campaign=large&suite=suite-1",
    "debiasing": "/debiasing?campaign=large&suite=suite-1",
    "sql": "/sql?sql=FROM+leaderboard+LIMIT+1000",
}
CHOSEN = {
    "leaderboard of a suite": ("Suite", ("suite-2", "suite-3", "suite-4", "suite-0")),
    "grid": ("Model", tuple(MODELS[1:5])),
    "compare": ("B: method", tuple(METHODS[2:6])),
    "samples": ("Method", tuple(METHODS[1:5])),
    "decoding": ("Suite", ("suite-2", "suite-3", "suite-4", "suite-0")),
    "debiasing": ("Model", tuple(MODELS[1:5])),
}
"""On which page which box is set to what: nothing that is shown then was read before."""
SHOWN = "[data-testid=stVegaLiteChart] :is(canvas, svg), [data-testid=stDataFrame] canvas"
DONE = "[data-testid=stApp][data-test-script-state=notRunning]"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def served(results: Results) -> Iterator[tuple[str, int]]:
    """A fresh server: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "dashboard" / "serve.py"), "--server.port", str(port)]
    server = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"MMPLAT_RESULTS": str(results.root)}, stdout=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while not answers(address):
            assert server.poll() is None, "the server ended while it was starting"
            time.sleep(0.2)
        yield address, server.pid
    finally:
        server.terminate()
        server.wait(20)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
            return True
    except OSError:
        return False


def cpu_seconds(process: int) -> float:
    """What a process has computed so far: on a busy machine it says more than the clock."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def opened(tab: Any, url: str) -> tuple[float, float]:
    """Seconds until the first chart or table of a page is there, and until its script has ended. A query is run by a click."""
    began = time.perf_counter()
    tab.goto(url)
    if "/sql?" in url:
        tab.get_by_role("button", name="Run").click()
    tab.wait_for_selector(SHOWN, timeout=60_000)
    first = time.perf_counter() - began
    tab.wait_for_selector(DONE, timeout=60_000)
    return first, time.perf_counter() - began


def changed(tab: Any, label: str, option: str) -> float:
    """Seconds from choosing another value in a box until the page has been made anew."""
    box = tab.get_by_test_id("stSelectbox").filter(has=tab.get_by_text(label, exact=True))
    box.locator("input").click()
    before = tab.url
    wanted = tab.get_by_role("option", name=option, exact=True)
    wanted.wait_for()
    began = time.perf_counter()
    wanted.click()
    tab.wait_for_url(lambda url: url != before)  # the page writes its address when it has ended
    tab.wait_for_selector(DONE)
    return time.perf_counter() - began


def summary(seconds: list[float]) -> dict[str, float]:
    return {"best": round(min(seconds), 2), "median": round(statistics.median(seconds), 2), "n": len(seconds)}


def measured(tab: Any, address: str, server: int, page: str) -> dict[str, Any]:
    """A page opened some times, and one of its choices changed to what nobody has looked at yet."""
    before = cpu_seconds(server)
    times = [opened(tab, address + OPENED[page]) for _ in range(REPEATS)]
    said: dict[str, Any] = {
        f"{page}: opened, first chart or table": summary([first for first, _ in times]),
        f"{page}: opened, all of it": summary([whole for _, whole in times]),
        f"{page}: opened, the server's CPU": round((cpu_seconds(server) - before) / REPEATS, 2),
    }
    label, options = CHOSEN.get(page, ("", ()))
    if options:
        before = cpu_seconds(server)
        said[f"{page}: another {label}"] = summary([changed(tab, label, option) for option in options])
        said[f"{page}: another {label}, the server's CPU"] = round((cpu_seconds(server) - before) / len(options), 2)
    return said


def measure(results: Results) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    load = os.getloadavg()[0]
    said: dict[str, Any] = {"load of the machine when it began": round(load, 1), "cores": os.cpu_count()}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        tab = browser.new_context(viewport={"width": 1280, "height": 1200}).new_page()
        tab.set_default_timeout(60_000)
        cold = []
        for _ in range(COLD):
            with served(results) as (address, server):
                cold.append((opened(tab, address + OPENED["leaderboard"])[0], cpu_seconds(server)))
        said["first page of a fresh server"] = summary([first for first, _ in cold])
        said["first page of a fresh server, the server's CPU from its start"] = summary([cpu for _, cpu in cold])
        with served(results) as (address, server):
            for page in OPENED:
                said |= measured(tab, address, server, page)
        browser.close()
    said["load of the machine when it ended"] = round(os.getloadavg()[0], 1)
    return said


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=Path)
    parser.add_argument("--only-write", action="store_true")
    parser.add_argument("--small", action="store_true", help="2,200 runs, 220,000 predictions")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Results(given.results or Path(temporary) / "results")
        if not (place.root / "written.json").exists():
            write(place, SMALL if given.small else Size())
        if not given.only_write:
            print(json.dumps(measure(place), indent=1))
