"""mmplat status says what is so: of batches that run, were killed, failed, were stopped, or are done."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from mmplat import heartbeats
from mmplat.artifacts import write_json
from mmplat.asking import ask
from mmplat.campaign import progress_of
from mmplat.cli.app import app
from mmplat.errors import ArtifactError
from mmplat.heartbeats import STALE_AFTER, Heartbeat, read_heartbeat
from mmplat.plan import plan_for, write_plan
from mmplat.preparing import load_samples, prepare

GRID = """
campaign: state
models: [fake]
suites: [world-objects]
methods: [naive, vdd-none]
limit: 300
"""


@pytest.fixture
def plan(results):
    from mmplat.grid import parse_grid

    made = plan_for(parse_grid(GRID), results)
    write_plan(made, results)
    for suite in made.grid.suites:
        prepare(suite, results)
    return made


def rows_of(plan, results):
    suite = plan.grid.suites[0]
    return 2 * len({s.sample_key for s in load_samples(results.suite(suite.name, suite.key))})


def only(plan, results, **when):
    (batch,) = progress_of(plan, results, **when).batches
    return batch


def said(plan, results, *more):
    done = CliRunner().invoke(app, ["status", str(results.plan("state")), "--results", str(results.root), *more])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def slow_job(results, plan):
    """Starts real processes that ask in small chunks, with a pause before each forward; ends them in any case."""
    jobs = []

    def start(pause=0.4):
        jobs.append(begin(results, plan, pause))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()
        job.communicate()


def begin(results, plan, pause):
    code = (
        "import sys, time; import mmplat.heartbeats as h; h.EVERY_S = 0.05\n"
        "import mmplat.asking.suite_job as s; s.CHUNK_LOGITS = 64 * 2 * 20; s.FLUSH_S = 0\n"
        "from mmplat.models.fake import Fake; forward = Fake.forward\n"
        f"def slow(self, batch): time.sleep({pause}); return forward(self, batch)\n"
        "Fake.forward = slow\n"
        "from mmplat.cli.app import main; main()"
    )
    batch = results.batch(plan.jobs[0].key)
    words = [sys.executable, "-c", code, "ask", str(batch), "--results", str(results.root)]
    environment = {**os.environ, "SLURM_JOB_ID": "77", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "3"}
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to this"
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def test_before_anything_is_asked_all_of_it_waits(plan, results):
    batch = only(plan, results)
    assert (batch.status, batch.rows_done, batch.rows_total, batch.heartbeat) == ("waiting", 0, 600, None)
    assert "batches  0 of 1 asked, 1 waiting" in said(plan, results)


def test_a_job_that_runs_is_killed_restarted_and_done_is_called_so_each_time(plan, results, slow_job):
    job = slow_job()
    wait_for(lambda: only(plan, results).rows_done >= 40, job)
    state = progress_of(plan, results)
    (batch,) = state.batches
    total = rows_of(plan, results)
    assert (batch.status, batch.rows_total) == ("running", total)
    assert batch.heartbeat.slurm_job == "70_3"
    assert batch.heartbeat.pid == job.pid
    assert batch.heartbeat.peak_memory_mb > 50
    assert 0 < state.rows_per_s < 200
    left = (state.expected_end - state.now).total_seconds()
    assert left == pytest.approx((total - batch.rows_done) / state.rows_per_s, rel=0.01)
    text = said(plan, results)
    assert "batches  0 of 1 asked, 1 running" in text
    assert f"of {total} rows" in text
    assert "(SLURM job 70_3)" in text

    job.kill()
    job.wait()
    batch = only(plan, results)
    assert batch.status == "lost", "it is known at once where the process would be"
    text = said(plan, results)
    assert "1 lost" in text
    assert "killed? The same snakemake command goes on with it" in text
    assert "expected end" not in text
    kept = batch.rows_done

    again = slow_job(pause=0.05)
    wait_for(lambda: only(plan, results).status == "running" and only(plan, results).rows_done > 0, again)
    assert again.wait(timeout=60) == 0
    batch = only(plan, results)
    assert (batch.status, batch.rows_done, batch.rows_total) == ("done", total, total)
    assert batch.heartbeat.state == "finished"
    assert batch.heartbeat.rows_asked < total
    assert batch.heartbeat.rows_done == batch.heartbeat.rows_total == total
    (cost,) = batch.heartbeat.costs
    assert cost.steps >= total - kept, "the second job's rows, and those of the first until its last beat"
    assert json.loads(said(plan, results, "--json"))["counts"]["done"] == 1


def test_a_job_that_is_told_to_end_says_so(plan, results, slow_job):
    job = slow_job()
    wait_for(lambda: only(plan, results).rows_done >= 40, job)
    job.send_signal(signal.SIGINT)
    job.wait(timeout=60)
    batch = only(plan, results)
    assert batch.status == "stopped"
    assert 0 < batch.rows_done < batch.rows_total
    assert "stopped" in said(plan, results)


def test_a_batch_that_fails_says_why(plan, results, monkeypatch):
    from mmplat.errors import ModelError
    from mmplat.models.fake import Fake

    def broken(self, spec):
        raise ModelError("no such checkpoint")

    monkeypatch.setattr(Fake, "__init__", broken)
    with pytest.raises(ModelError):
        ask(plan.batches[0], results)
    assert only(plan, results).status == "failed"
    assert "no such checkpoint" in said(plan, results)
    assert "failed: no such checkpoint" in progress_of(plan, results).verdict


def test_rows_that_failed_are_counted_and_the_batch_is_done(plan, results):
    folder = results.suite(plan.grid.suites[0].name, plan.grid.suites[0].key)
    next((folder / "images").iterdir()).unlink()
    outcome = ask(plan.batches[0], results)
    state = progress_of(plan, results)
    beat = read_heartbeat(results.heartbeat(plan.jobs[0].key))
    assert beat.rows_done == beat.rows_total == rows_of(plan, results) > outcome.asked
    assert state.count("done") == 1
    assert len(state.failures) == len(outcome.failures)
    assert f"samples  {len(outcome.failures)} could not be asked" in said(plan, results)


def test_a_batch_whose_evidence_is_there_keeps_what_its_asking_cost(plan, results):
    ask(plan.batches[0], results)
    path = results.heartbeat(plan.jobs[0].key)
    before = path.read_text()
    results.batch_done(plan.jobs[0].key).unlink()
    assert only(plan, results).status == "waiting", "as after --forcerun, before its job starts"
    ask(plan.batches[0], results)
    assert path.read_text() == before
    assert only(plan, results).status == "done"


def beat(plan, results, **changed):
    now = datetime.now(UTC)
    job = plan.jobs[0]
    one = Heartbeat(
        batch=job.key, model="fake", model_key=job.batch.model.key, state="running", host="elsewhere", pid=1, rows_total=600,
        rows_done=200, rows_asked=200, rows_per_s=10.0, started=now, updated=now,
    ).model_copy(update=changed)  # fmt: skip
    write_json(results.heartbeat(job.key), one.model_dump(mode="json"))


def test_a_job_on_another_node_is_lost_when_it_falls_silent(plan, results):
    beat(plan, results)
    now = datetime.now(UTC)
    assert only(plan, results, now=now + STALE_AFTER - timedelta(seconds=5)).status == "running"
    assert only(plan, results, now=now + STALE_AFTER + timedelta(seconds=5)).status == "lost"
    assert only(plan, results, now=now - timedelta(seconds=30)).status == "running", "its clock may be ahead"


def test_a_batch_that_is_asked_again_is_running_though_it_has_a_marker(plan, results):
    ask(plan.batches[0], results)
    beat(plan, results)
    assert only(plan, results).status == "running"
    beat(plan, results, state="failed", error="x")
    assert only(plan, results).status == "done", "the marker says that every row is there"


def test_the_end_is_unknown_where_some_batch_may_take_any_time(results):
    from mmplat.grid import parse_grid

    two = plan_for(
        parse_grid(GRID.replace("[fake]", "[fake, {name: other, family: fake, needs: {samples_per_s: 5}}]")), results
    )
    write_plan(two, results)
    beat(two, results)
    state = progress_of(two, results)
    assert (state.expected_end - state.now).total_seconds() == pytest.approx(400 / 10 + 600 / 5)
    unknown = plan_for(parse_grid(GRID.replace("[fake]", "[fake, {name: other, family: fake}]")), results)
    assert progress_of(unknown, results).expected_end is None


def test_a_heartbeat_that_cannot_be_written_stops_nothing(plan, results, monkeypatch, caplog):
    def full(path, value):
        raise ArtifactError("The disk is full")

    monkeypatch.setattr(heartbeats, "write_json", full)
    assert ask(plan.batches[0], results).asked > 0
    assert "cannot be written: The disk is full" in caplog.text
    assert only(plan, results).status == "done"


def test_loading_a_model_for_minutes_is_a_sign_of_life(plan, results, monkeypatch):
    from mmplat.models.fake import Fake

    monkeypatch.setattr(heartbeats, "EVERY_S", 0.05)
    before, seen = Fake.__init__, []

    def slow(self, spec):
        first = read_heartbeat(results.heartbeat(plan.jobs[0].key))
        time.sleep(0.3)
        seen.extend([first, read_heartbeat(results.heartbeat(plan.jobs[0].key))])
        before(self, spec)

    monkeypatch.setattr(Fake, "__init__", slow)
    ask(plan.batches[0], results)
    assert seen[1].updated > seen[0].updated
    assert seen[1].suite is None
