"""Asking survives what happens to long jobs: kills, broken files, missing images, a grid that grows."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from builders import GRID, ask_all, run_grid

from mmplat.asking import ask
from mmplat.errors import ArtifactError, Busy, EvidenceTooNarrow
from mmplat.evidence.files import ROWS, read_evidence
from mmplat.evidence.opening import parts
from mmplat.preparing import load_samples, prepare


def evidence_folder(results, suite="world-objects", model="fake"):
    (folder,) = (results.evidence_root / f"model={model}" / f"suite={suite}").glob("*")
    return folder


def stored(results):
    return pl.read_parquet(parts(evidence_folder(results), ROWS), glob=False)


def assert_no_duplicates(results, expected):
    rows = stored(results)
    assert rows.height == expected
    assert rows.select("sample_key", "view_key").is_unique().all()


def distinct(plan, results):
    suite = plan.grid.suites[0]
    return len({s.sample_key for s in load_samples(results.suite(suite.name, suite.key))})


def test_the_same_evidence_is_never_asked_twice(planned, results):
    plan = planned(GRID)
    (first,) = ask_all(plan, results)
    (again,) = ask_all(plan, results)
    rows = distinct(plan, results) * 2
    assert (first.asked, again.asked, again.kept) == (rows, 0, rows)
    assert_no_duplicates(results, rows)


def test_a_second_campaign_with_more_methods_asks_only_the_new_views(planned, results):
    ask_all(planned(GRID), results)
    plan = planned(GRID.replace("campaign: test", "campaign: other").replace("vdd-none", "vdd-none, vdd-both"))
    (more,) = ask_all(plan, results)
    assert more.asked == distinct(plan, results)  # unk alone
    evidence = read_all(plan, results)
    assert not np.isnan(evidence.view(plan.pairs[0].views[2]).at_main).all(axis=1).any()


def read_all(plan, results):
    pair = plan.pairs[0]
    samples = load_samples(results.suite(pair.suite.name, pair.suite.key))
    return read_evidence(evidence_folder(results), samples, list(pair.views))


def test_a_larger_limit_keeps_what_a_smaller_one_asked(planned, results):
    (few,) = ask_all(planned(GRID), results)
    (more,) = ask_all(planned(GRID.replace("limit: 60", "limit: 120")), results)
    assert more.kept == few.asked


def test_reference_rows_asked_later_equal_those_asked_together(planned, results, tmp_path):
    from mmplat.artifacts import Results

    full = GRID.replace("vdd-none", "vdd-none, vcd, vdd-both")
    together = Results(tmp_path / "together")
    ask_all(planned(full), together)
    for step in (GRID, GRID.replace("vdd-none", "vcd"), full):
        ask_all(planned(step), results)
    a, b = read_all(planned(full), together), read_all(planned(full), results)
    for key in a.views:
        assert np.array_equal(a.views[key].top_logits, b.views[key].top_logits)
        if a.views[key].at_main is not None:
            assert np.array_equal(a.views[key].at_main, b.views[key].at_main)


WIDE = """
campaign: wide
models: [{name: fake, params: {vocab_size: 4000}}]
suites: [world-objects]
decodings: [greedy, %s]
methods: [naive, vdd-none]
limit: 12
"""


def test_a_grid_that_looks_further_asks_wider_and_stays_exact(planned, results):
    """K = 256 does not hold a nucleus of .999 of a flat row of 4,000 tokens; the row is asked again, wider."""
    narrow, wide = planned(WIDE % "k5"), planned(WIDE % "{temperature: 2.0, top_p: 0.999}")
    ask_all(narrow, results)
    from mmplat.deciding import decide

    hopeful = planned(WIDE % "{temperature: 2.0, top_p: 0.999}")
    marker = results.batch_done(hopeful.batches[0].key)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(results.batch_done(narrow.batches[0].key).read_text())
    with pytest.raises(EvidenceTooNarrow, match="12 of 12 samples.*asks those samples again"):
        decide(hopeful, hopeful.pairs[0], results)
    (outcome,) = ask_all(wide, results)
    assert outcome.asked == 24
    decide(wide, wide.pairs[0], results)
    assert (read_all(wide, results).main.kept > 256).all()
    (again,) = ask_all(narrow, results)
    assert again.asked == 0  # the wider rows serve the narrower grid


def test_a_temperature_that_was_not_kept_is_asked_for(planned, results):
    ask_all(planned(WIDE % "k5"), results)
    (outcome,) = ask_all(planned(WIDE % "t0.33"), results)
    assert outcome.asked == 24


def test_a_broken_part_is_set_aside_and_only_its_rows_are_asked_again(planned, results):
    plan = planned(GRID)
    ask_all(plan, results)
    part = parts(evidence_folder(results), ROWS)[0]
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    with pytest.raises(ArtifactError, match="is damaged.*Run `mmplat ask` with the same grid"):
        read_all(plan, results)
    (outcome,) = ask_all(plan, results)
    assert outcome.asked == distinct(plan, results) * 2
    assert part.with_suffix(".parquet.broken").exists()
    assert_no_duplicates(results, outcome.asked)


@pytest.mark.parametrize(("start", "stop"), [(0.3, 0.5), (0.5, 0.5)], ids=["a stretch", "one bit"])
def test_a_part_that_is_damaged_in_its_middle_is_set_aside_too(planned, results, start, stop):
    """Its footer is whole. A flipped bit may even be read, as another number: the pages' checksums tell."""
    plan = planned(GRID)
    ask_all(plan, results)
    before = stored(results).drop("seconds")
    part = parts(evidence_folder(results), ROWS)[0]
    data = bytearray(part.read_bytes())
    for at in range(int(start * len(data)), int(stop * len(data)) + 1):
        data[at] ^= 1
    part.write_bytes(data)
    (outcome,) = ask_all(plan, results)
    assert outcome.asked == distinct(plan, results) * 2
    assert part.with_suffix(".parquet.broken").exists()
    keys = ["sample_key", "view_key"]
    assert stored(results).drop("seconds").sort(keys).equals(before.sort(keys))


def test_a_deleted_image_fails_its_samples_alone_and_says_what_to_do(planned, results):
    plan = planned(GRID)
    write_and_prepare(plan, results)
    suite = plan.grid.suites[0]
    folder = results.suite(suite.name, suite.key)
    samples = load_samples(folder)
    (folder / "images" / samples[0].images[0]).unlink()
    from mmplat.asking import suite_job
    from mmplat.campaign import progress_of
    from mmplat.deciding import decide

    suite_job.picture_of.cache_clear()
    outcome = ask(plan.batches[0], results)
    lost = {s.sample_id for s in samples if s.images == samples[0].images}
    assert {f["sample_id"] for f in outcome.failures} <= lost
    assert "is missing. Delete" in outcome.failures[0]["error"]
    decide(plan, plan.pairs[0], results)
    frame = pl.read_parquet(results.decided("test", "fake", "world-objects") / "predictions.parquet", glob=False)
    failed = frame.filter(pl.col("error").is_not_null())
    assert set(failed["sample_id"]) == lost
    assert failed["answer"].is_null().all()
    runs = pl.read_parquet(results.decided("test", "fake", "world-objects") / "runs.parquet", glob=False)
    assert set(runs["status"]) == {"incomplete"}
    assert set(runs["n"] + runs["n_failed"]) == {60}
    state = progress_of(plan, results)
    assert not state.fine
    assert "--forcerun ask" in state.verdict


def write_and_prepare(plan, results):
    from mmplat.plan import write_plan

    write_plan(plan, results)
    for suite in plan.grid.suites:
        prepare(suite, results)


def test_an_altered_image_is_noticed(planned, results):
    plan = planned(GRID)
    write_and_prepare(plan, results)
    folder = results.suite(plan.grid.suites[0].name, plan.grid.suites[0].key)
    first, *_, last = sorted((folder / "images").iterdir())
    first.write_bytes(last.read_bytes())
    from mmplat.preparing import load_picture

    with pytest.raises(ArtifactError, match="its content changed"):
        load_picture(folder, first.name)


def test_a_second_process_on_the_same_evidence_is_told_so(planned, results):
    plan = planned(GRID)
    ask_all(plan, results)
    from mmplat.locks import only_writer

    with (
        only_writer(evidence_folder(results), what="other"),
        pytest.raises(Busy, match=r"Evidence of fake.*Wait for it"),
    ):
        ask(plan.batches[0], results)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_job_killed_at_any_moment_goes_on_where_it_stopped(planned, results, tmp_path, how):
    text = GRID.replace("limit: 60", "limit: 900").replace("vdd-none", "vdd-none, vcd, vdd-both")
    grid = tmp_path / "grid.yaml"
    grid.write_text(text)
    plan = planned(text)
    write_and_prepare(plan, results)
    code = (  # small chunks and a flush after each, so that there is something to lose and to keep
        "import mmplat.asking.suite_job as e; e.FLUSH_S = 0; e.CHUNK_LOGITS = 2000\n"
        "import sys; from mmplat.cli.app import main; main()"
    )
    command = [sys.executable, "-c", code, "ask", "--grid", str(grid), "--results", str(results.root)]
    total = distinct(plan, results) * len(plan.pairs[0].views)
    kills = 0
    for _ in range(4):
        before = sum(pl.read_parquet(p, glob=False).height for p in results.evidence_root.rglob("part-*.parquet"))
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while job.poll() is None and time.monotonic() < deadline:
            if len(list(results.evidence_root.rglob("part-*.parquet"))) > kills + 1:
                job.send_signal(how)
                break
            time.sleep(0.02)
        _, said = job.communicate(timeout=60)
        rows = pl.concat([pl.read_parquet(p, glob=False) for p in results.evidence_root.rglob("part-*.parquet")])
        assert rows.height > before
        assert rows.select("sample_key", "view_key").is_unique().all()
        if job.returncode == 0:
            break
        if how == signal.SIGINT:
            assert job.returncode == 130
            assert "run the same command again to continue" in said
        kills = len(list(results.evidence_root.rglob("part-*.parquet")))
    assert subprocess.run(command, env=os.environ, check=False, capture_output=True).returncode == 0
    assert_no_duplicates(results, total)


def test_a_disk_that_fills_up_loses_nothing_that_was_written(planned, results, monkeypatch):
    import errno

    plan = planned(GRID.replace("limit: 60", "limit: 300"))
    write_and_prepare(plan, results)
    from mmplat.asking import suite_job

    monkeypatch.setattr(suite_job, "FLUSH_S", 0)
    monkeypatch.setattr(suite_job, "CHUNK_LOGITS", 3000)
    real, written = Path.write_bytes, []

    def fills_up(path, data):
        if path.name.startswith(".part-"):
            if len(written) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            written.append(pl.read_parquet(data).height)
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.raises(ArtifactError, match="disk is full.*run the same command again"):
        ask(plan.batches[0], results)
    monkeypatch.setattr(Path, "write_bytes", real)
    outcome = ask(plan.batches[0], results)
    assert outcome.kept == sum(written)
    assert_no_duplicates(results, distinct(plan, results) * 2)


def test_deciding_before_asking_names_the_command(planned, results):
    from mmplat.deciding import decide

    plan = planned(GRID)
    write_and_prepare(plan, results)
    with pytest.raises(ArtifactError, match="does not exist. `mmplat ask"):
        decide(plan, plan.pairs[0], results)


def test_a_finished_grid_with_one_more_decoding_is_decided_without_loading_a_model(planned, results, monkeypatch):
    run_grid(GRID, results)
    from mmplat.models import Family, families

    def refuse(spec):
        raise AssertionError("the model was loaded")

    monkeypatch.setitem(families._items, "fake", Family("fake", "", refuse))
    ran = run_grid(GRID.replace("sample", "sample, t0.7, p0.9"), results)
    assert ran.table("runs").height == 12


TWO = """
campaign: two
models: [{name: fake, params: {vocab_size: 4000}}]
suites: [world-objects]
decodings: [greedy, %s]
methods: [naive]
limit: %d
"""


@pytest.mark.parametrize(
    ("first", "then"),
    [(("k5", 12), ("t0.33", 24)), (("k5", 24), ("t0.33", 12)), (("t0.41", 12), ("t0.33", 12)), (("t0.41", 30), ("t0.33", 50)),
     (("k900", 12), ("t0.33", 12)), (("t0.33", 12), ("k900", 12))],
)  # fmt: skip
def test_grids_that_look_differently_far_never_decide_from_what_is_not_there(results, planned, first, then):
    run_grid(TWO % first, results)
    ran = run_grid(TWO % then, results)
    predictions = ran.table("predictions")
    assert not predictions["p_correct"].is_nan().any()
    assert predictions["p_correct"].is_not_null().all()
    for grid in (first, then):  # and they do not take turns in asking
        (again,) = ask_all(planned(TWO % grid), results)
        assert again.asked == 0


def test_a_raised_adapter_version_asks_again_and_mixes_nothing(planned, results, monkeypatch):
    from dataclasses import replace

    from mmplat.models import fake, families

    (first,) = ask_all(planned(GRID), results)
    raised = replace(fake.FAMILY, version=2)
    monkeypatch.setattr(fake, "FAMILY", raised)
    monkeypatch.setitem(families._items, "fake", raised)
    (second,) = ask_all(planned(GRID), results)
    assert second.asked == first.asked
    assert second.model_keys != first.model_keys


def test_a_model_that_is_another_on_this_device_does_not_mix_with_what_is_stored(planned, results, monkeypatch):
    """`dtype: auto` is bfloat16 on a GPU and float32 on a CPU; a larger limit must not put one beside the other."""
    from mmplat.models.fake import Fake

    ask_all(planned(GRID), results)
    before = Fake.__init__

    def elsewhere(self, spec):
        before(self, spec)
        self.identity = {**self.identity, "dtype": "bfloat16"}

    monkeypatch.setattr(Fake, "__init__", elsewhere)
    plan = planned(GRID.replace("limit: 60", "limit: 90"))
    (more,) = ask_all(plan, results)
    assert more.kept == 0
    assert more.asked == distinct(plan, results) * 2


def test_labels_that_cannot_be_read_fail_their_samples_and_not_the_batch(planned, results, monkeypatch):
    from mmplat.errors import IncompatibleCell
    from mmplat.models.fake import Fake

    def no_letters(self, labels):
        if "A" in labels:
            raise IncompatibleCell("Labels ['A'] are no single token.")
        return spell(self, labels)

    spell = Fake.spellings
    monkeypatch.setattr(Fake, "spellings", no_letters)
    ran = run_grid(GRID.replace("[world-objects]", "[world-spurious, world-objects]"), results)
    status = dict(ran.table("runs").select("suite", "status").unique().iter_rows())
    assert status == {"world-spurious": "failed", "world-objects": "done"}
    errors = ran.table("runs").filter(suite="world-spurious")["error"].unique().to_list()
    assert errors == [
        "60 samples could not be asked; the first reason: Labels ['A'] are no single token. "
        "This family scores no labels of several tokens."
    ]


def test_a_view_that_this_checkpoint_cannot_make_fails_its_methods_alone(results, monkeypatch):
    from mmplat.models.fake import Fake

    monkeypatch.setattr(Fake, "unavailable", lambda self, kind: "it has no unk token" if kind == "unk" else None)
    ran = run_grid(GRID.replace("vdd-none", "vdd-unk"), results)
    runs = ran.table("runs")
    assert dict(runs.select("method", "status").unique().iter_rows()) == {
        "naive": "done",
        "posthoc-none": "done",
        "vdd-unk": "failed",
    }
    failed = runs.filter(method="vdd-unk").row(0, named=True)
    assert (
        "all samples could not be asked; the first reason: view 'unk' is not available: it has no unk token"
        in failed["error"]
    )
    assert not ran.table("metrics")["run_id"].is_in([failed["run_id"]]).any()


def test_logits_that_are_no_numbers_fail_their_samples_alone(results, monkeypatch):
    from mmplat.models.fake import Fake

    row = Fake._row

    def overflows(self, ask):
        logits = row(self, ask)
        return logits * np.nan if ask.view.kind == "none" and ask.sample.sample_id.endswith("-1") else logits

    monkeypatch.setattr(Fake, "_row", overflows)
    ran = run_grid(GRID, results)
    failed = ran.table("predictions").filter(pl.col("error").is_not_null())
    assert failed.height > 0
    assert failed["error"].str.contains("made the model say NaN; try dtype float32").all()
    assert not ran.table("metrics")["value"].is_nan().any()


def test_a_forward_that_does_not_fit_is_halved_until_it_does(planned, results, monkeypatch):
    import torch

    from mmplat.models.fake import Fake

    forward, sizes = Fake.forward, []

    def small_memory(self, batch):
        sizes.append(len(batch))
        if len(batch) > 10:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, batch)

    monkeypatch.setattr(Fake, "forward", small_memory)
    plan = planned(GRID)
    (outcome,) = ask_all(plan, results)
    assert outcome.asked == distinct(plan, results) * 2
    assert max(sizes[-3:]) <= 10


def test_a_prompt_that_fits_nowhere_is_named(planned, results, monkeypatch):
    import torch

    from mmplat.errors import ModelError
    from mmplat.models.fake import Fake

    def no_memory(self, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Fake, "forward", no_memory)
    with pytest.raises(ModelError, match="One prompt alone does not fit .* sample 'objects-"):
        ask_all(planned(GRID), results)
