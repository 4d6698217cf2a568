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
    shell: "echo once >> tries-{wildcards.n}; sleep 5; echo done > {output}"

rule fails:
    output: "never"
    shell: "echo the last thing it said >&2; exit 7"
"""


def start(folder: Path, *more: str) -> subprocess.Popen[bytes]:
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
    # Into a file: jobs outlive a killed head, and would hold a pipe of it open.
    with (folder / "said").open("w") as said:
        return subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, start_new_session=True)


def finish(head: subprocess.Popen[bytes], folder: Path) -> tuple[int, str]:
    return head.wait(timeout=90), (folder / "said").read_text()


def wait_until_running(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while len(tries(folder)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def tries(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("tries-*"))]


def test_jobs_run_as_processes(tmp_path):
    code, said = finish(start(tmp_path), tmp_path)
    assert code == 0, said
    assert tries(tmp_path) == ["once\n"] * 3


def test_a_failed_process_is_reported_with_its_last_words(tmp_path):
    code, said = finish(start(tmp_path, "never"), tmp_path)
    assert code == 1
    assert "ended as FAILED" in said
    assert "the last thing it said" in said.partition("Its last words:")[2]


def test_a_killed_head_takes_its_processes_up_again(tmp_path):
    head = start(tmp_path)
    wait_until_running(tmp_path)
    head.kill()
    head.wait()
    code, said = finish(start(tmp_path), tmp_path)
    assert code == 0, said
    assert said.count("which an earlier run submitted") == 3
    assert tries(tmp_path) == ["once\n"] * 3


def test_ctrl_c_ends_the_processes(tmp_path):
    head = start(tmp_path)
    wait_until_running(tmp_path)
    os.kill(head.pid, signal.SIGINT)
    assert finish(head, tmp_path)[0] == 1
    time.sleep(6)
    assert not list(tmp_path.glob("done/*"))
