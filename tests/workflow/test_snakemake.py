"""The real Snakemake on the real Snakefile, with the model that needs no weights."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CHROMIUM = Path("/usr/bin/chromium")
DEFAULT = ROOT / "profiles/default"


def snakemake(folder: Path, grid: Path, *more: str, profile: Path = DEFAULT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    command = [
        str(BIN / "snakemake"),
        *("--snakefile", str(ROOT / "Snakefile"), "--profile", str(profile)),
        *("--directory", str(folder), "--config", f"grid={grid}", f"results={folder / 'results'}", *more),
    ]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke")
    done = snakemake(folder, ROOT / "config/grids/smoke.yaml")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_one_command_takes_a_grid_to_a_leaderboard(smoke):
    campaign = smoke / "results/campaigns/smoke"
    ranked = json.loads((campaign / "leaderboard.json").read_text())
    plan = json.loads((campaign / "plan.json").read_text())
    assert len(ranked) == plan["planned"] == plan["cells"] - sum(s["cells"] for s in plan["skipped"])
    assert (campaign / "leaderboard.md").read_text().startswith("# smoke")
    assert (smoke / "results/mmplat.db").exists()
    assert (smoke / "results/mlflow.db").exists()


@pytest.mark.slow
def test_the_same_command_again_has_nothing_to_do(smoke):
    done = snakemake(smoke, ROOT / "config/grids/smoke.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stderr + done.stdout


@pytest.fixture(scope="module")
def reported(smoke):
    done = snakemake(smoke, ROOT / "config/grids/smoke.yaml", "--report", str(smoke / "report.html"))
    assert done.returncode == 0, done.stderr
    return smoke / "report.html"


@pytest.mark.slow
@pytest.mark.browser
def test_snakemakes_report_is_read_in_a_browser_without_a_request(reported):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: run scripts/install-debian as root on Debian")
    asked = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(reported.as_uri())
        page.locator("li a", has_text="Results").click()
        page.locator("tr", has_text="tables and intervals").locator("a, button").first.click()
        page.frame_locator("iframe").get_by_role("heading", name="Over all suites").wait_for()
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.slow
def test_snakemakes_report_carries_the_leaderboard(smoke, reported):
    report = reported.read_text()
    held = re.findall(r'"data_uri": "data:text/(?:html|csv)[^,]*,([^"]+)', report)
    pages = [base64.b64decode(text).decode() for text in held]
    assert (smoke / "results/campaigns/smoke/leaderboard.csv").read_text() in pages
    (page,) = (text for text in pages if text.startswith("<!doctype html>"))
    ranked = json.loads((smoke / "results/campaigns/smoke/leaderboard.json").read_text())
    assert page.count("<svg") == len(ranked), "an interval is drawn for every row"
    assert "Every cell of campaign smoke" in report


@pytest.mark.slow
def test_minutes_per_job_cuts_the_work_and_gives_the_same_numbers(smoke, tmp_path):
    grid = tmp_path / "cut.yaml"
    text = (ROOT / "config/grids/smoke.yaml").read_text()
    grid.write_text(text.replace("[fake]", "[{name: fake, needs: {samples_per_s: 2, mem_gb: 1}}]"))
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "config.yaml").write_text((DEFAULT / "config.yaml").read_text() + "\nconfigfile: machine.yaml\n")
    (profile / "machine.yaml").write_text("minutes_per_job: 1\n")
    done = snakemake(tmp_path, grid, "--until", "decide", profile=profile)
    assert done.returncode == 0, done.stderr
    plan = json.loads((tmp_path / "results/campaigns/smoke/plan.json").read_text())
    assert [part["shard"]["of"] for batch in plan["batches"] for part in batch["suites"]] == [2, 2, 2, 2]
    whole, cut = (numbers(folder / "results/campaigns/smoke/decided") for folder in (smoke, tmp_path))
    assert whole.equals(cut)
    again = snakemake(tmp_path, grid, "--until", "decide", "--dry-run")
    assert re.search(r"^total +0$", again.stdout, re.MULTILINE), "the cut is kept without being said again"


def numbers(decided):
    found = pl.concat(pl.read_parquet(path, glob=False) for path in sorted(decided.rglob("metrics.parquet")))
    return found.sort("run_id", "metric", "subset")


@pytest.mark.slow
def test_one_more_decoding_and_method_asks_nothing(smoke, tmp_path):
    text = (ROOT / "config/grids/smoke.yaml").read_text()
    grid = tmp_path / "more.yaml"
    grid.write_text(text.replace("[greedy, sample]", "[greedy, sample, t0.2]").replace("vcd]", "vcd, posthoc-noise]"))
    before = {p: p.stat().st_mtime_ns for p in (smoke / "results/evidence").rglob("part-*")}
    grid.write_text(grid.read_text().replace(", posthoc-noise", ", apc-only"))
    done = snakemake(smoke, grid)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in (smoke / "results/evidence").rglob("part-*")} == before
    runs = pl.read_parquet(smoke / "results/campaigns/smoke/decided/**/runs.parquet")
    assert runs.filter(method="apc-only", decoding="t0.2").height == 2


@pytest.mark.slow
def test_jobs_may_run_the_code_that_their_grid_allows_and_nothing_that_the_results_say(tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text("campaign: c\nmodels: [fake]\nsuites: [world-objects]\nlimit: 4\n")
    assert snakemake(tmp_path, grid, "--until", "prepare").returncode == 0
    (batch,) = (tmp_path / "results/batches").glob("*.json")
    planned = batch.read_text()
    batch.write_text(planned.replace('"trust_remote_code": false', '"trust_remote_code": true'))
    assert snakemake(tmp_path, grid, "--until", "ask").returncode == 0
    assert batch.read_text() == planned, "what somebody wrote under its name is gone"
    grid.write_text(grid.read_text().replace("[fake]", "[{name: fake, trust_remote_code: true}]"))
    done = snakemake(tmp_path, grid, "--until", "ask")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "results/batches").glob("*.done.json"))) == 2


@pytest.mark.slow
def test_a_failed_sample_fails_the_command_and_keeps_the_rest(tmp_path):
    grid = ROOT / "config/grids/smoke.yaml"
    assert snakemake(tmp_path, grid, "--until", "prepare").returncode == 0
    image = next((tmp_path / "results/suites/world-objects").glob("*/images/*.png"))
    picture = image.read_bytes()
    image.unlink()
    done = snakemake(tmp_path, grid)
    assert done.returncode != 0
    said = done.stderr + done.stdout
    assert "samples could not be asked" in said
    assert "--forcerun ask" in said
    campaign = tmp_path / "results/campaigns/smoke"
    assert (campaign / "leaderboard.json").exists()
    image.write_bytes(picture)
    mended = snakemake(tmp_path, grid, "--forcerun", "ask")
    assert mended.returncode == 0, mended.stderr
    runs = pl.read_parquet(campaign / "decided/**/runs.parquet")
    assert set(runs["status"]) == {"done"}


@pytest.mark.slow
def test_a_broken_grid_is_one_clear_error_before_anything_runs(tmp_path):
    grid = tmp_path / "bad.yaml"
    grid.write_text((ROOT / "config/grids/smoke.yaml").read_text().replace("naive,", "naiv,"))
    done = snakemake(tmp_path, grid)
    assert done.returncode != 0
    assert "Unknown method 'naiv'" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    slip = snakemake(tmp_path, grid, "gird=other.yaml")
    assert "Unknown setting 'gird' behind --config. Did you mean 'grid'?" in slip.stderr + slip.stdout
    assert slip.returncode != 0
    assert not (tmp_path / "results").exists()


def test_the_linter_finds_nothing_but_the_missing_conda_environments(tmp_path):
    """One environment serves all rules: the one that mmplat is installed in."""
    command = [str(BIN / "snakemake"), "--lint", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)]
    grid = f"grid={ROOT / 'config/grids/demo.yaml'}"
    done = subprocess.run([*command, "--config", grid, f"results={tmp_path}"], capture_output=True, text=True, cwd=ROOT)
    found = {line.strip() for line in (done.stdout + done.stderr).splitlines() if line.startswith("    * ")}
    assert found <= {"* Specify a conda environment or container for each rule.:"}


def test_rules_are_in_their_format():
    done = subprocess.run([str(BIN / "snakefmt"), "--check", "Snakefile", "workflow"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
