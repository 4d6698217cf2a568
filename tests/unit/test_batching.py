"""Batches that take about as long as a lab wants its jobs to be, and a cut that stays as it was made."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest
from builders import run_grid
from hypothesis import given, settings
from hypothesis import strategies as st

from mmplat.artifacts import Results, write_json
from mmplat.asking import ask
from mmplat.batching import Cut, Piece, Work, cut, jobs_of, rate_from, resource
from mmplat.costs import measured_rates
from mmplat.deciding import decide
from mmplat.errors import ArtifactError, Busy, ConfigError
from mmplat.evidence.files import ROWS
from mmplat.evidence.opening import parts
from mmplat.grid import parse_grid
from mmplat.heartbeats import Cost, Heartbeat
from mmplat.locks import only_writer
from mmplat.plan import describe, make_plan, plan_for, read_plan, write_plan
from mmplat.preparing import load_samples, prepare
from mmplat.records import PLACES, Demand, ModelSpec, Needs, Sample, Shard, SuiteSpec
from mmplat.views import bind as bind_view

GRID = """
campaign: cut
models: [{name: fake, needs: {samples_per_s: 1}}]
suites: [world-objects, world-spurious]
methods: [naive, vdd-none]
limit: 120
"""  # 240 rows of each suite: 4 minutes


def planned(results, minutes=None, text=GRID):
    plan = plan_for(parse_grid(text), results, minutes)
    write_plan(plan, results)
    return plan


def ask_everything(plan, results):
    for suite in plan.grid.suites:
        prepare(suite, results)
    return [ask(batch, results) for batch in plan.batches]


def shards(plan):
    return [[part.name for part in batch.suites] for batch in plan.batches]


def rows(results):
    return pl.concat(pl.read_parquet(p, glob=False) for p in results.evidence_root.rglob("part-*.parquet"))


def work(name, n, views=2, model="m"):
    """A suite of n samples, and how many it has."""
    spec = SuiteSpec(name=name, kind="world-objects", version=1, params={"n": n})
    kinds = ("image", "none", "zero", "one")[:views]
    return Work(ModelSpec(name=model, family="fake"), spec, tuple(bind_view(kind) for kind in kinds))


def count(one):
    return one.suite.params["n"]


# Sizes


def test_a_large_suite_is_split_and_small_ones_share_a_job(results):
    assert shards(planned(results, 1)) == [
        [f"{suite} {i}/4"] for suite in ("world-objects", "world-spurious") for i in range(1, 5)
    ]
    assert shards(planned(results, 10)) == [["world-objects", "world-spurious"]]
    assert shards(planned(results, 3)) == [
        ["world-objects 1/2"],
        ["world-objects 2/2"],
        ["world-spurious 1/2"],
        ["world-spurious 2/2"],
    ]


def test_a_small_suite_fills_the_room_that_a_shard_leaves():
    made = cut([work("large", 1500), work("small", 300)], Cut(), 30, count, lambda model: 1.0)
    assert [sum(piece.minutes for piece in job) for job in made.jobs] == [25.0, 25.0, 10.0]
    made = cut([work("large", 1500), work("small", 120)], Cut(), 30, count, lambda model: 1.0)
    assert [sum(piece.minutes for piece in job) for job in made.jobs] == [29.0, 25.0]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5000), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=12),
    st.integers(1, 60),
    st.sampled_from([0.5, 3.0, 40.0]),
)
def test_every_sample_is_in_exactly_one_job_and_no_job_is_too_long(sizes, minutes, rate):
    todo = [work(f"s{i}", n, model=model) for i, (n, model) in enumerate(sizes)]
    made = cut(todo, Cut(), minutes, count, lambda model: rate)
    places = Counter()
    for job in jobs_of(todo, made, Demand()):
        assert job.minutes <= minutes + 0.01
        for part in job.batch.suites:
            places[part.suite.name] += len(part.shard.places)
    assert places == {one.suite.name: PLACES for one in todo}
    assert made == cut(todo, Cut(), minutes, count, lambda model: rate)


def test_shards_divide_the_samples_and_keep_questions_about_one_image_together(results):
    plan = planned(results, 1)
    suite = plan.grid.suites[0]
    prepare(suite, results)
    samples = load_samples(results.suite(suite.name, suite.key))
    for of in (1, 2, 3, 7):
        held = [[s for s in samples if Shard(index=i, of=of).holds(s)] for i in range(of)]
        assert sorted(s.sample_id for part in held for s in part) == sorted(s.sample_id for s in samples)
        images = [{s.images for s in part} for part in held]
        assert sum(map(len, images)) == len(set.union(*images))


def test_samples_without_images_are_spread_too():
    def sample(i):
        return Sample(str(i), f"key{i}", "c", "q", (), ("yes", "no"), "yes", ())

    held = [sum(Shard(index=i, of=4).holds(sample(n)) for n in range(400)) for i in range(4)]
    assert sum(held) == 400
    assert min(held) > 60


def test_without_a_length_or_a_cost_nothing_is_split(results):
    assert shards(planned(results)) == [["world-objects", "world-spurious"]]
    unknown = GRID.replace(", needs: {samples_per_s: 1}", "")
    assert shards(planned(results, 1, unknown)) == [["world-objects", "world-spurious"]]
    assert planned(results, 1, unknown).jobs[0].minutes is None


@pytest.mark.parametrize("minutes", [-1, float("inf"), float("nan"), "20 min"])
def test_a_length_that_is_none_is_refused(results, minutes):
    with pytest.raises(ConfigError, match="no length of a job. Give minutes"):
        plan_for(parse_grid(GRID), results, minutes)


# Costs


def beat(results, model, hardware="cpu", *, rows=1000, seconds=10.0, key="k", costs=None):
    now = datetime.now(UTC)
    said = Heartbeat(
        batch=key, model=model.name, model_key=model.key, state="finished", host="h", pid=1, rows_total=rows,
        started=now, updated=now, costs=costs or (Cost(hardware=hardware, steps=rows, seconds=seconds),),
    )  # fmt: skip
    write_json(results.heartbeat(key), said.model_dump(mode="json"))


def test_what_was_measured_goes_before_what_the_grid_estimates(results):
    model = parse_grid(GRID).models[0]
    assert rate_from(measured_rates(results))(model) == 1
    beat(results, model, rows=1000, seconds=10)
    beat(results, model, rows=3000, seconds=10, key="other")
    assert rate_from(measured_rates(results))(model) == 200
    assert len(planned(results, 1).batches) == 1


def test_too_few_rows_measure_nothing(results):
    model = parse_grid(GRID).models[0]
    beat(results, model, rows=20, seconds=10)
    assert measured_rates(results) == {}


def test_of_several_devices_the_slowest_that_fits_counts(results):
    costs = tuple(
        Cost(hardware=h, steps=1000, seconds=s)
        for h, s in (("cpu", 1000), ("NVIDIA A100-SXM4", 10), ("NVIDIA V100", 20))
    )
    plain = ModelSpec(name="m", family="fake")
    for needs, expected in ((Needs(), 1.0), (Needs(gpus=1), 50.0), (Needs(gpus=1, gpu_type="a100"), 100.0)):
        model = plain.model_copy(update={"needs": needs})
        beat(results, model, costs=costs)
        assert rate_from(measured_rates(results))(model) == expected
    assert rate_from(measured_rates(results))(plain.model_copy(update={"name": "another"})) is None


def test_a_heartbeat_that_cannot_be_read_stops_no_plan(results):
    path = results.heartbeat("k")
    path.parent.mkdir(parents=True)
    path.write_text('{"batch": "half')
    assert measured_rates(results) == {}
    path.write_text('{"batch": "of another version"}')
    assert measured_rates(results) == {}


def test_asking_measures_itself(results):
    (first, *_) = ask_everything(planned(results), results)
    ((rates),) = measured_rates(results).values()
    assert rates == {"none": pytest.approx(first.asked / first.seconds, rel=0.01)}


# The cut stays


def test_a_cut_does_not_change_while_costs_are_measured(results):
    before = planned(results, 1)
    times = {p: p.stat().st_mtime_ns for p in results.root.rglob("*.json")}
    beat(results, before.grid.models[0], rows=10_000, seconds=1)
    for minutes in (1, None):
        again = planned(results, minutes)
        assert [job.key for job in again.jobs] == [job.key for job in before.jobs]
        assert describe(again) == describe(before)
    assert {p: p.stat().st_mtime_ns for p in times} == times
    assert describe(read_plan(results.plan("cut"))) == describe(before)


def test_only_what_is_new_in_a_grid_is_cut_anew(results):
    before = planned(results, 1)
    beat(results, before.grid.models[0], rows=1000, seconds=1000 / 2)  # twice as fast as estimated
    more = planned(results, 1, GRID.replace("world-spurious]", "world-spurious, world-facts]"))
    assert [job.key for job in more.jobs[:8]] == [job.key for job in before.jobs]
    assert shards(more)[8:] == [["world-facts 1/2"], ["world-facts 2/2"]]
    less = planned(results, None, GRID.replace("world-objects, ", ""))
    assert shards(less) == [[f"world-spurious {i}/4"] for i in range(1, 5)]


def test_another_length_cuts_anew_and_zero_undoes_it(results):
    planned(results, 1)
    assert len(planned(results, 2).batches) == 4
    assert len(planned(results, 0).batches) == 1
    assert len(planned(results).batches) == 1
    assert read_plan(results.plan("cut")).cut.minutes_per_job is None


def test_a_plan_of_another_version_is_planned_uncut(results):
    path = results.plan("cut")
    said = describe(planned(results, 1))
    write_json(path, {k: v for k, v in said.items() if k != "minutes_per_job"})
    assert len(planned(results).batches) == 1
    write_json(path, {**said, "batches": [{"key": "x"}]})
    with pytest.raises(ArtifactError, match="does not say how its work is cut.*nothing is asked twice"):
        planned(results)


def test_an_estimate_in_the_grid_is_in_no_key(results):
    first = planned(results, 1)
    faster = planned(results, 1, GRID.replace("samples_per_s: 1", "samples_per_s: 7"))
    assert [job.key for job in faster.jobs] == [job.key for job in first.jobs]


def test_a_plan_of_two_thousand_batches_is_read_back_in_a_moment(results):
    models = str([{"name": f"f{i}", "family": "fake", "needs": {"samples_per_s": 1}} for i in range(100)])
    grid = parse_grid(GRID.replace("[{name: fake, needs: {samples_per_s: 1}}]", models).replace("120", "300"))
    plan = plan_for(grid, results, 1)
    write_plan(plan, results)
    assert len(plan.batches) == 100 * 2 * 10
    began = time.process_time()
    again = plan_for(grid, results)
    write_plan(again, results)
    assert time.process_time() - began < 2  # a third of a second when it was written
    assert again.jobs == plan.jobs


# Asking and deciding shards


def test_shards_give_the_tables_that_a_whole_suite_gives(results, tmp_path):
    plan = planned(results, 1)
    outcomes = ask_everything(plan, results)
    assert all(outcome.asked for outcome in outcomes)
    for pair in plan.pairs:
        decide(plan, pair, results)
    whole = run_grid(GRID, Results(tmp_path / "whole"))
    for name, keys in (("predictions", ["run_id", "sample_id"]), ("metrics", ["run_id", "metric", "subset"])):
        folder = results.campaign("cut") / "decided"
        cut_up = pl.concat(pl.read_parquet(p, glob=False) for p in folder.rglob(f"{name}.parquet"))
        assert cut_up.sort(keys).equals(whole.table(name).sort(keys))
    assert rows(results).select("sample_key", "view_key", "labels").is_unique().all()


@pytest.mark.parametrize(("first", "then"), [(None, 1), (1, 0), (1, 2.1), (3, 1)])
def test_what_is_known_is_never_asked_again_whatever_the_cut(results, first, then):
    ask_everything(planned(results, first), results)
    before = rows(results).height
    outcomes = ask_everything(planned(results, then), results)
    assert sum(outcome.asked for outcome in outcomes) == 0
    assert rows(results).height == before


def test_shards_of_one_suite_are_asked_side_by_side(results):
    plan = planned(results, 1)
    for suite in plan.grid.suites:
        prepare(suite, results)
    code = (
        "import sys, time; from pathlib import Path; from mmplat.artifacts import Results, read_json\n"
        "from mmplat.asking import ask; from mmplat.models.fake import Fake; from mmplat.records import Batch\n"
        "forward = Fake.forward\n"
        "def slow(self, batch): time.sleep(1.0); return forward(self, batch)\n"
        "Fake.forward = slow\n"
        "batch = Batch.model_validate(read_json(Path(sys.argv[2]), made_by=''))\n"
        "began = time.time(); ask(batch, Results(Path(sys.argv[1]))); print(began, time.time())"
    )
    jobs = [
        subprocess.Popen([sys.executable, "-c", code, str(results.root), str(results.batch(job.key))], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for job in plan.jobs[:4]
    ]  # fmt: skip
    ended = [job.communicate(timeout=120) for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4, ended
    spans = [tuple(map(float, out.split())) for out, _ in ended]
    assert max(began for began, _ in spans) < min(end for _, end in spans), "they did not run side by side"
    distinct = len({s.sample_key for s in load_samples(results.suite("world-objects", plan.grid.suites[0].key))})
    assert rows(results).height == 2 * distinct
    assert rows(results).select("sample_key", "view_key").is_unique().all()


def test_two_processes_that_would_ask_the_same_rows_are_kept_apart(results):
    plan = planned(results, 1)
    for suite in plan.grid.suites:
        prepare(suite, results)
    whole = make_plan(parse_grid(GRID)).batches[0]
    ask(plan.batches[0], results)
    (folder,) = (results.evidence_root / "model=fake" / "suite=world-objects").iterdir()
    second = Shard(index=1, of=4)
    code = (
        "import sys; from pathlib import Path; from mmplat.locks import only_writer\n"
        f"with only_writer(Path(sys.argv[1]), what='x', places=range({second.places.start}, {second.places.stop})):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            Busy, match=rf"Evidence of fake on world-objects 2/4 is being written by process {other.pid} on"
        ):
            ask(plan.batches[1], results)
        with pytest.raises(Busy, match="Evidence of fake on world-objects is being written"):
            ask(whole, results)
        assert ask(plan.batches[2], results).asked > 0
    finally:
        other.communicate("", timeout=30)
    assert ask(plan.batches[1], results).asked > 0
    assert ask(whole, results).asked > 0


def test_the_lock_of_a_killed_process_is_free(results):
    folder = results.root / "evidence"
    code = (
        "import os, sys; from pathlib import Path; from mmplat.locks import only_writer\n"
        "with only_writer(Path(sys.argv[1]), what='x', places=range(0, 10)): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert list(folder.glob(".writer-*"))
    with only_writer(folder, what="x", places=range(5, 20)):
        assert len(list(folder.glob(".writer-*"))) == 1, "the killed one is no longer named"
    assert not list(folder.glob(".writer-*"))


def test_a_thread_of_this_process_is_a_second_writer_too(results):
    folder, said = results.root / "evidence", []

    def second():
        try:
            with only_writer(folder, what="x", places=range(10)):
                said.append("held")
        except Busy as error:
            said.append(error)

    with only_writer(folder, what="x"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert isinstance(said[0], Busy)


def test_deciding_waits_for_every_shard(results):
    plan = planned(results, 1)
    for suite in plan.grid.suites:
        prepare(suite, results)
    for batch in plan.batches[:3]:
        ask(batch, results)
    with pytest.raises(ArtifactError, match=f"{plan.jobs[3].key}.done.json does not exist. `mmplat ask"):
        decide(plan, plan.pairs[0], results)


def test_failures_of_all_shards_are_told(results):
    plan = planned(results, 1)
    suite = plan.grid.suites[0]
    prepare(suite, results)
    folder = results.suite(suite.name, suite.key)
    samples = load_samples(folder)
    lost = []
    for part in (plan.batches[0].suites[0], plan.batches[2].suites[0]):
        image = next(s.images[0] for s in samples if part.shard.holds(s))
        (folder / "images" / image).unlink()
        lost.append(image)
    for batch in plan.batches[:4]:
        ask(batch, results)
    decide(plan, plan.pairs[0], results)
    frame = pl.read_parquet(results.decided("cut", "fake", suite.name) / "predictions.parquet", glob=False)
    failed = frame.filter(pl.col("error").str.contains("is missing"))
    assert set(failed["sample_id"]) == {s.sample_id for s in samples if s.images[0] in lost}


def test_shards_that_were_asked_from_different_models_are_not_mixed(results, monkeypatch):
    from mmplat.models.fake import Fake

    plan = planned(results, 1)
    for suite in plan.grid.suites:
        prepare(suite, results)
    for batch in plan.batches[:3]:
        ask(batch, results)
    before = Fake.__init__

    def elsewhere(self, spec):
        before(self, spec)
        self.identity = {**self.identity, "dtype": "bfloat16"}

    monkeypatch.setattr(Fake, "__init__", elsewhere)
    ask(plan.batches[3], results)
    with pytest.raises(ArtifactError, match="not the same: .*dtype=bfloat16.*not mixed. Fix what differs"):
        decide(plan, plan.pairs[0], results)


# What a job asks a cluster for


class Default:
    """As Snakemake holds a resource of its profile."""

    def __init__(self, value):
        self.value = value

    def evaluate(self, *args, **kwargs):
        return self


@pytest.mark.parametrize(
    ("needs", "defaults", "expected"),
    [
        (Needs(), {}, (0, "", 0, 0)),
        (Needs(gpus=1, gpu_type="a100", mem_gb=31.5), {}, (1, "a100", 32256, 0)),
        (Needs(samples_per_s=10), {"runtime": 240, "mem_mb": 8000}, (0, "", 8000, 14)),
        (Needs(gpus=0), {"gpu": 1, "gpu_model": "v100", "runtime": 240}, (0, "v100", 0, 240)),
    ],
)
def test_a_job_asks_for_what_its_model_declares_else_for_what_the_profile_says(needs, defaults, expected):
    one = work("s", 600)
    one = Work(one.model.model_copy(update={"needs": needs}), one.suite, one.views)
    (job,) = jobs_of([one], cut([one], Cut(), None, count, lambda model: model.needs.samples_per_s), Demand())
    given_ = {name: Default(value) for name, value in defaults.items()}
    found = tuple(resource(job.resources(), name, given_, None) for name in ("gpu", "gpu_model", "mem_mb", "runtime"))
    assert found == expected


def test_pieces_of_one_model_under_two_names_are_two():
    one, other = work("s", 600, model="a"), work("s", 600, model="b")
    made = cut([one, other], Cut(), 60, count, lambda model: 1.0)
    assert len(made.jobs) == 2
    assert made.jobs[0] == (Piece(one.key, minutes=20.0),)


def test_parts_are_named_by_their_rows_and_never_collide(results):
    plan = planned(results, 1)
    ask_everything(plan, results)
    (folder,) = (results.evidence_root / "model=fake" / "suite=world-objects").iterdir()
    assert len(parts(folder, ROWS)) >= 4
    assert json.loads((folder / "evidence.json").read_text())["key"] == folder.name
