"""The same snakemake command finishes what was stopped, whatever was typed by hand in between."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmplat.artifacts import Results, read_json

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GRID = """
campaign: part
models: [fake, {name: other, family: fake, params: {vocab_size: 48}}]
suites: [world-objects]
limit: 20
"""
# Stands before mmplat: the jobs of one model end as those that a cluster cancels do, while the file is there.
SHIM = """#!/bin/sh
if [ "$1" = ask ] && [ -e {flag} ] && grep -q '"other"' "$2"; then exit 143; fi
exec {mmplat} "$@"
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder where a grid runs, and the file that cancels the jobs of one of its models."""

    folder: Path

    @property
    def results(self) -> Results:
        return Results(self.folder / "results")

    @property
    def cancels(self) -> Path:
        return self.folder / "cancel"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'shim'}:{BIN}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
        }
        for name in ("MMPLAT_STORE_URL", "MLFLOW_TRACKING_URI"):
            environment.pop(name, None)
        return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)

    def snakemake(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.run(
            *("snakemake", "--snakefile", str(ROOT / "Snakefile"), "--profile", str(ROOT / "profiles/default")),
            *("--directory", str(self.folder)),
            *("--config", f"grid={self.folder / 'grid.yaml'}", f"results={self.results.root}", *more),
        )

    def mmplat(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("mmplat", *words, "--results", str(self.results.root))


def place(folder: Path) -> Place:
    made = Place(folder)
    (folder / "shim").mkdir()
    shim = folder / "shim/mmplat"
    shim.write_text(SHIM.format(flag=made.cancels, mmplat=BIN / "mmplat"))
    shim.chmod(0o755)
    (folder / "grid.yaml").write_text(GRID)
    return made


def jobs(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Rules that ran."""
    return set(re.findall(r"^(?:local)?rule (\w+):", done.stdout + done.stderr, re.MULTILINE)) - {"all"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Each test leaves it finished, as it was."""
    made = place(tmp_path_factory.mktemp("finished"))
    done = made.snakemake()
    assert done.returncode == 0, done.stderr
    return made


def nothing_to_do(made: Place) -> bool:
    done = made.snakemake()
    return done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr


def test_what_was_published_and_ranked_by_hand_in_part_is_asked_to_the_end(tmp_path: Path) -> None:
    made = place(tmp_path)
    made.cancels.touch()
    assert made.snakemake().returncode != 0
    made.cancels.unlink()
    published = made.mmplat("publish", "part")
    assert "part: 1 of 2 pairs are not decided yet: other × world-objects" in published.stderr
    ranked = made.mmplat("rank", "part")
    assert "1 of 2 pairs are not decided yet" in ranked.stderr
    assert "other × world-objects" in made.results.leaderboard("part", "md").read_text()
    strict = made.mmplat("status", str(made.results.plan("part")), "--strict")
    assert (published.returncode, ranked.returncode, strict.returncode) == (0, 0, 1)
    assert read_json(made.results.published("part"), made_by="")["missing"] == ["other × world-objects"]
    again = made.snakemake()
    assert again.returncode == 0, again.stderr
    assert jobs(again) == {"ask", "decide", "publish", "rank", "verdict"}
    said = read_json(made.results.published("part"), made_by="")
    assert (said["missing"], set(said["covers"])) == ([], {"fake × world-objects", "other × world-objects"})
    assert {row["model"] for row in read_json(made.results.leaderboard("part"), made_by="")} == {"fake", "other"}
    assert nothing_to_do(made)


def test_a_batch_whose_second_asking_failed_is_asked_again(finished: Place) -> None:
    """Snakemake removes the marker of a batch that it asks again: what was decided before is there, and is old."""
    finished.cancels.touch()
    assert finished.snakemake("--forcerun", "ask").returncode != 0
    finished.cancels.unlink()
    again = finished.snakemake()
    assert again.returncode == 0, again.stderr
    assert {"ask", "decide", "publish"} <= jobs(again)
    assert nothing_to_do(finished)


def test_decisions_that_were_deleted_are_made_again(finished: Place) -> None:
    """As messages advise where they cannot be read."""
    (finished.results.decided("part", "fake", "world-objects") / "decided.json").unlink()
    again = finished.snakemake()
    assert again.returncode == 0, again.stderr
    assert jobs(again) == {"decide", "publish", "rank", "verdict"}
    assert nothing_to_do(finished)


def test_a_publish_by_hand_of_a_finished_campaign_needs_no_other(finished: Place) -> None:
    """A marker of MLflow that is newer, as where it was not to be had, is no reason to publish again."""
    assert finished.mmplat("publish", "part").returncode == 0
    assert finished.mmplat("rank", "part").returncode == 0
    os.utime(finished.results.tracking_ready)
    again = finished.snakemake()
    assert again.returncode == 0, again.stderr
    assert jobs(again) <= {"verdict"}
    assert nothing_to_do(finished)
