"""What clusters do to a campaign: each fault ends in the same tables, and nothing is asked twice.

Each fault has a cluster of its own. They mostly wait (for grace times, limits, dead nodes), so several run side by side.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from slurm_campaign import Campaign, assert_same
from slurm_cluster import started, wait_for

pytestmark = pytest.mark.slow
CHUNK_S = 2.5
"""After this long a batch has asked a chunk, which is in its memory and not yet on disk."""
SIDE_BY_SIDE = 4


def time_limit(one: Campaign) -> None:
    """A batch that reaches its limit keeps what it asked, is requeued, and goes on."""
    one.pause_s = 0.0055  # longer than SLURM takes to look at limits, which it does every 30 s
    one.start()
    one.wait_until_asking()
    limit(one, minutes=1)
    wait_for(lambda: one.restarts() >= 2, 90)
    limit(one, minutes=60)
    assert one.finish() == 0, one.said
    assert one.kept() > 0


def limit(one: Campaign, *, minutes: int) -> None:
    """Another time limit for what was submitted."""
    for index in range(2):
        one.cluster.run("scontrol", "update", f"JobId={one.array}_{index}", f"TimeLimit={minutes}")


def node_killed(one: Campaign) -> None:
    """The node of a batch dies with all its processes: SLURM finds out and runs the batch elsewhere."""
    one.start()
    one.wait_until_asking()
    one.cluster.kill_node(one.node_of_task(0))
    assert one.finish() == 0, one.said
    assert one.restarts() >= 1


def controller_away(one: Campaign) -> None:
    """Submissions are refused for 30 s: the head tries again, and submits once."""
    one.cluster.stop_controller()
    one.start()
    wait_for(lambda: "Trying again" in one.said, 60)
    time.sleep(30)
    one.cluster.start_controller()
    assert one.finish() == 0, one.said
    assert len({job[5] for job in one.cluster.jobs()}) == 1


def preempted(one: Campaign) -> None:
    """A job of higher priority takes the nodes: batches keep what they asked, wait, and go on."""
    one.resources["slurm_partition"] = "low"
    one.start()
    one.wait_until_asking()
    time.sleep(CHUNK_S)
    one.cluster.run("sbatch", "-p", "high", "-N2", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")
    assert one.finish() == 0, one.said
    assert one.restarts() >= 1
    assert one.kept() > 0


def folder_full(one: Campaign) -> None:
    """The shared folder is full for a while: the campaign waits or says so, and loses nothing."""
    with file_system(one.folder, megabytes=64):
        one.start()
        one.wait_until_asking()
        filler = one.folder / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], stderr=subprocess.DEVNULL)
        wait_for(lambda: "No space left" in one.said + one.log(), 60)
        filler.unlink()
        if one.finish() != 0:
            assert "No space left" in one.said
            assert one.run() == 0, one.said
        shutil.copytree(one.folder, one.folder.with_name("kept"), symlinks=True)
    one.folder = one.folder.with_name("kept")


def task_cancelled(one: Campaign) -> None:
    """Somebody cancels one task of the array: it is submitted again, and goes on."""
    one.start()
    one.wait_until_asking()
    time.sleep(CHUNK_S)
    one.cluster.run("scancel", f"{one.array}_1")
    assert one.finish() == 0, one.said
    assert "ended as CANCELLED" in one.said
    assert one.kept() > 0


def died_without_a_word(one: Campaign) -> None:
    """All processes of a task are killed: SLURM reports a failure, and the job is submitted again."""
    one.start()
    one.wait_until_asking()
    one.cluster.kill_tasks(one.node_of_task(0))
    assert one.finish() == 0, one.said
    assert "ended as FAILED" in one.said


def head_killed(one: Campaign) -> None:
    """Snakemake is killed and started again: it takes up what runs, without an unlock, and submits nothing."""
    one.start()
    one.wait_until_asking()
    one.kill_head(signal.SIGKILL)
    assert one.run() == 0, one.said
    assert one.said.count("which an earlier run submitted") == 2
    assert one.said.count("Submitted 2 × ask") == 1


def head_killed_and_jobs_over(one: Campaign) -> None:
    """The jobs end while nobody looks: the next run finds them done."""
    one.start()
    one.wait_until_asking()
    one.kill_head(signal.SIGKILL)
    wait_for(lambda: not one.cluster.running(), 60)
    assert one.run() == 0, one.said
    assert one.said.count("Submitted ") == 1


def interrupted(one: Campaign) -> None:
    """Ctrl-C empties the queue; the next run goes on."""
    one.start()
    one.wait_until_asking()
    time.sleep(CHUNK_S)
    one.kill_head(signal.SIGINT)
    wait_for(lambda: not one.cluster.jobs(states="PENDING,RUNNING,COMPLETING"), 20)
    assert one.run() == 0, one.said
    assert one.kept() > 0


@contextlib.contextmanager
def file_system(folder: Path, *, megabytes: int) -> Iterator[None]:
    """A file system of its own, small enough to fill."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


FAULTS = [
    time_limit,
    node_killed,
    controller_away,
    preempted,
    folder_full,
    task_cancelled,
    died_without_a_word,
    head_killed,
    head_killed_and_jobs_over,
    interrupted,
]
"""Those that take longest first."""
Fault = Callable[[Campaign], None]


@pytest.fixture(scope="module")
def campaigns(slurm, request, tmp_path_factory) -> Iterator[dict[Fault, Future[Campaign]]]:
    """Every fault that was asked for, under way."""
    wanted = [item.callspec.params["fault"] for item in request.session.items if item.module is request.module]
    folder = tmp_path_factory.mktemp("faults")

    def run(fault: Fault) -> Campaign:
        place = folder / fault.__name__
        place.mkdir()
        with started(folder / f"{fault.__name__}-slurm", nodes=2) as cluster:
            one = Campaign(place / "work", cluster)
            try:
                fault(one)
            finally:
                one.end()
            return one

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {fault: pool.submit(run, fault) for fault in wanted}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_tables_are_those_of_an_undisturbed_run(fault, campaigns, undisturbed):
    assert_same(campaigns[fault].result(), undisturbed)
