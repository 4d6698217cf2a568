"""A task as SLURM treats it: signals to every process of it. Real processes, no SLURM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TASK = """
import sys
from snakemake_executor_plugin_submitit.task import Task
Task(sys.argv[1], grace_s=10)()
"""
CHECKPOINT = """
import signal, sys
from snakemake_executor_plugin_submitit.task import Task
task = Task(sys.argv[1], grace_s=10)
def requeue(number, frame):
    again = task.checkpoint()
    sys.exit(44 if again.function is task else 1)
signal.signal(signal.SIGUSR2, requeue)
task()
"""
WORK = """
import os, signal, sys, time
def stop(*_):
    time.sleep(0.3)
    open("kept", "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
open("beginning", "w").write(str(os.getpid()))
os.rename("beginning", "begun")
time.sleep(60)
"""


def start(folder: Path, program: str, command: str) -> subprocess.Popen[bytes]:
    (folder / "work.py").write_text(WORK)
    return subprocess.Popen(
        [sys.executable, "-c", program, command],
        cwd=folder,
        env={**os.environ, "SLURM_JOB_ID": "1"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("exit 7", 7)])
def test_a_task_ends_as_its_command_does(tmp_path, command, code):
    assert start(tmp_path, TASK, command).wait(timeout=20) == code


def test_a_warned_task_lets_its_command_put_down_its_work_before_it_is_requeued(tmp_path):
    task = start(tmp_path, CHECKPOINT, f"{sys.executable} work.py; true")
    wait_for(tmp_path / "begun")
    os.kill(task.pid, signal.SIGUSR2)
    assert task.wait(timeout=20) == 44
    assert (tmp_path / "kept").exists()


def test_a_task_that_is_about_to_be_killed_does_not_end_as_failed(tmp_path):
    """To end would be a failure in SLURM's books, and it would not requeue."""
    task = start(tmp_path, TASK, f"{sys.executable} work.py")
    wait_for(tmp_path / "begun")
    os.kill(task.pid, signal.SIGTERM)
    wait_for(tmp_path / "kept")
    time.sleep(0.5)
    assert task.poll() is None
    task.kill()
    task.wait()


def test_the_warning_itself_kills_no_command_that_does_not_expect_it(tmp_path):
    task = start(tmp_path, CHECKPOINT, "touch begun; kill -USR2 $$; sleep 0.2; touch survived")
    assert task.wait(timeout=20) == 0
    assert (tmp_path / "survived").exists()
