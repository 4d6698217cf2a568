"""The executor's other place: processes of this machine. No SLURM."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from slurm_campaign import BIN

pytestmark = pytest.mark.slow
RULES = """
localrules: all

rule all:
    input: expand("done/{n}", n=range(3))

rule one:
    output: "done/{n}"
    shell: "echo once >> tries-{wildcards.n}; sleep 3; echo done > {output}"

rule fails:
    output: "never"
    shell: "echo the last thing it said >&2; exit 7"
"""


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    (folder / "Snakefile").write_text(RULES)
    command = [
        str(BIN / "snakemake"),
        "--executor",
        "submitit",
        "--submitit-backend",
        "local",
        "--jobs",
        "3",
        "--nolock",
    ]
    command += ["--seconds-between-status-checks", "1", "--rerun-incomplete", *more]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True)


def tries(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("tries-*"))]


def test_jobs_run_as_processes(tmp_path):
    _, said = (head := start(tmp_path)).communicate(timeout=90)
    assert head.returncode == 0, said
    assert tries(tmp_path) == ["once\n"] * 3


def test_a_failed_process_is_reported_with_its_last_words(tmp_path):
    _, said = (head := start(tmp_path, "never")).communicate(timeout=90)
    assert head.returncode == 1
    assert "ended as FAILED" in said
    assert "the last thing it said" in said.partition("Its last words:")[2]


def test_a_killed_head_takes_its_processes_up_again(tmp_path):
    head = start(tmp_path)
    deadline = time.monotonic() + 60
    while len(tries(tmp_path)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(head.pid, signal.SIGKILL)
    head.communicate()
    _, said = (again := start(tmp_path)).communicate(timeout=90)
    assert again.returncode == 0, said
    assert said.count("which an earlier run submitted") == 3
    assert tries(tmp_path) == ["once\n"] * 3


def test_ctrl_c_ends_the_processes(tmp_path):
    head = start(tmp_path)
    deadline = time.monotonic() + 60
    while len(tries(tmp_path)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(head.pid, signal.SIGINT)
    head.communicate(timeout=60)
    time.sleep(4)
    assert not list(tmp_path.glob("done/*"))
