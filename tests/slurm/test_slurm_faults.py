"""What clusters do to a campaign: each fault ends in the same tables, and nothing is asked twice."""

from __future__ import annotations

import signal
import time

import pytest
from slurm_cluster import wait_for

pytestmark = pytest.mark.slow
CHUNK_S = 2.5
"""After this long a batch of the fault grid has asked a chunk, which is in its memory and not yet on disk."""


def test_undisturbed_on_slurm_equals_local(campaign, same_as_undisturbed):
    one = campaign(pause_s=0)
    assert one.run() == 0, one.said
    same_as_undisturbed(one)


def test_preempted_batches_keep_what_they_asked_and_go_on(campaign, cluster, same_as_undisturbed):
    one = campaign(resources={"gpu": 1, "mem_mb": 500, "cpus_per_task": 1, "slurm_partition": "low"})
    one.start()
    one.wait_until_asking()
    time.sleep(CHUNK_S)
    cluster.run("sbatch", "-p", "high", "-N4", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 2")
    assert one.finish() == 0, one.said
    assert one.restarts() >= 1
    assert one.kept() > 0
    same_as_undisturbed(one)


def test_a_cancelled_task_is_submitted_again(campaign, cluster, same_as_undisturbed):
    one = campaign()
    one.start()
    one.wait_until_asking()
    cluster.run("scancel", f"{one.array}_1")
    assert one.finish() == 0, one.said
    assert "ended as CANCELLED" in one.said
    same_as_undisturbed(one)


def test_a_killed_head_takes_its_jobs_up_again(campaign, cluster, same_as_undisturbed):
    one = campaign()
    one.start()
    one.wait_until_asking()
    array = one.array
    one.kill_head(signal.SIGKILL)
    assert one.run() == 0, one.said
    assert one.said.count("which an earlier run submitted") == 2
    assert one.array == array, "nothing was submitted again"
    same_as_undisturbed(one)


def test_ctrl_c_empties_the_queue_and_the_next_run_goes_on(campaign, cluster, same_as_undisturbed):
    one = campaign()
    one.start()
    one.wait_until_asking()
    one.kill_head(signal.SIGINT)
    wait_for(lambda: not cluster.jobs(states="PENDING,RUNNING"), 15)
    assert one.run() == 0, one.said
    same_as_undisturbed(one)
