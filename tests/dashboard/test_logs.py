"""The log of a batch is found where its job wrote it, wherever the dashboard was started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmplat.artifacts import Results, read_json, write_json
from mmplat.grid import parse_grid
from mmplat.leaderboard import progress
from mmplat.plan import make_plan, write_plan
from mmplat.preparing import prepare

GRID = """
campaign: logged
models: [fake]
suites: [world-facts]
decodings: [greedy]
methods: [naive]
limit: 6
"""


@pytest.fixture
def asked(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Results, Path]:
    """A batch that was asked as the rule does it, in another folder than that of the results and of the reader."""
    plan = make_plan(parse_grid(GRID))
    write_plan(plan, results)
    prepare(plan.grid.suites[0], results)
    log = tmp_path / "workflow" / "logs" / "ask" / f"{plan.batches[0].key}.log"
    log.parent.mkdir(parents=True)
    command = [
        sys.executable,
        "-m",
        "mmplat",
        "ask",
        str(results.batch(plan.batches[0].key)),
        "--results",
        str(results.root),
    ]
    with log.open("wb") as stream:
        subprocess.run(command, check=True, stdout=stream, stderr=subprocess.STDOUT)
    monkeypatch.chdir(tmp_path)
    return results, log


def test_a_log_is_where_its_job_wrote_it(asked: tuple[Results, Path]) -> None:
    results, log = asked
    batch = progress.batches(results, "logged").row(0, named=True)
    assert batch["log"] == str(log.resolve())
    assert progress.log_tail(results, batch["batch"], batch["log"]) == log.read_text(encoding="utf-8").rstrip("\n")
    assert progress.log_tail(results, batch["batch"], None) is None
    beside = results.root.resolve().parent / "logs" / "ask" / log.name
    beside.parent.mkdir(parents=True)
    log.rename(beside)
    assert progress.log_tail(results, batch["batch"], batch["log"]) == progress.tail(beside)


def test_a_forged_heartbeat_shows_no_other_file(asked: tuple[Results, Path], tmp_path: Path) -> None:
    results, log = asked
    log.unlink()
    secret = tmp_path / "id_rsa"
    secret.write_text("secret", encoding="utf-8")
    beat = next(iter(results.heartbeats))
    write_json(beat, read_json(beat, made_by="the test") | {"log": str(secret)})
    batch = progress.batches(results, "logged").row(0, named=True)
    assert batch["log"] == str(secret)
    assert progress.log_tail(results, batch["batch"], batch["log"]) is None
