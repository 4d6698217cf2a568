"""What the newer pages ask of the results, checked against the files and against plain arithmetic."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mmplat import leaderboard
from mmplat.artifacts import Results
from mmplat.leaderboard import pages, profiles, progress, standings, stored
from mmplat.leaderboard.contrasts import contrast, over_suites
from mmplat.leaderboard.gains import gains
from mmplat.leaderboard.under_conditions import under_conditions

METRIC = "expected_accuracy"
SECOND = """
campaign: second
models: [fake]
suites: [world-objects, {name: world-spurious, params: {n: 24}}]
decodings: [greedy, sample]
methods: [naive, vdd-unk]
limit: 45
"""


@pytest.fixture
def connection(made: Results) -> Iterator[Any]:
    opened = leaderboard.connect(made)
    yield opened
    opened.close()


def run_id(connection: Any, **cell: object) -> str:
    return str(leaderboard.runs(connection, "demo").filter(**cell).sort("seed")["run_id"][0])


def test_the_robust_score_is_the_mean_over_suites_of_the_lowest_part(connection: Any) -> None:
    found = (
        standings.robust(connection, "demo").filter(model="fake", method="naive", decoding="greedy").row(0, named=True)
    )
    numbers = (
        leaderboard.query(
            connection,
            "SELECT suite, subset, value FROM metrics JOIN runs USING (run_id) WHERE campaign = 'demo' AND model = 'fake' AND "
            f"method = 'naive' AND decoding = 'greedy' AND metric = '{METRIC}' AND value IS NOT NULL",
        )
        .filter((pl.col("subset") == "all") | pl.col("subset").str.starts_with("worst:"))
        .with_columns(base=pl.col("suite").str.split("@").list.first())
    )
    lowest = numbers.group_by("base").agg(pl.col("value").min())
    assert sorted(lowest["base"]) == ["world-objects", "world-spurious"]
    assert found["robust"] == pytest.approx(lowest["value"].mean())
    assert any(found["weakest"].startswith(suite) for suite in numbers["suite"])


@pytest.mark.parametrize(
    ("name", "size"),
    [("llava-1.5-7b-hf", 7), ("Qwen2-VL-0.5B", 0.5), ("tiny", None), ("phi3.5b1", None), ("lab/fake_64*b*", None)],
)
def test_a_size_is_what_a_name_tells(name: str, size: float | None) -> None:
    assert standings.size_of(name) == size


def test_a_change_is_counted_on_the_same_samples_alone(
    mine: Results, run_campaign: Callable[[Results, str], None]
) -> None:
    run_campaign(mine, SECOND)
    connection = leaderboard.connect(mine)
    try:
        assert standings.comparable_campaigns(connection, "demo") == ["second"]
        same = standings.standings(connection, "demo", "world-objects", metric=METRIC, before="second")
        shared = same.drop_nulls("change")
        assert set(shared["method"]) == {"naive", "vdd-unk"}
        assert shared["change"].abs().max() == 0.0
        other = standings.standings(connection, "demo", "world-spurious", metric=METRIC, before="second")
        assert other["change"].count() == 0  # another version of the suite
        across = standings.over_all_suites(connection, "demo", METRIC, before="second")
        assert across["change"].count() == 0  # one of its suites has nothing to compare with
    finally:
        connection.close()


def test_filters_know_families_and_origins(connection: Any) -> None:
    assert set(standings.models_of(connection, "demo")["family"]) == {"fake"}
    assert standings.origins_of(connection, "demo") == ["measured"]


def test_a_contrast_adds_up(connection: Any) -> None:
    one, other = (
        run_id(connection, model="fake", suite="world-objects", method=m, decoding="sample")
        for m in ("naive", "vdd-unk")
    )
    found = contrast(connection, one, other, METRIC)
    assert found.fixed + found.broken + found.both_right + found.both_wrong == found.whole.n == 45
    assert found.flips.height == found.fixed + found.broken
    assert found.answers["count"].sum() == 45
    for parts in (found.groups, found.confidence):
        weighted = (parts["difference"] * parts["n"]).sum() / parts["n"].sum()
        assert weighted == pytest.approx(found.whole.difference)
    ends = [part.split(" ")[1].split("–") for part in found.confidence["subset"]]
    assert ends == sorted(ends)


def test_two_cells_are_compared_on_every_suite_that_both_decided(connection: Any) -> None:
    table = over_suites(connection, "demo", ("fake", "naive", "greedy"), ("fake", "vdd-unk", "greedy"), METRIC)
    assert set(table["subset"]) == {
        "world-objects", "world-objects@unrelated-facts", "world-objects@cue-gold", "world-objects@cue-wrong", "world-spurious",
    }  # fmt: skip
    assert (table["p_holm"] >= table["p"]).all()


def test_gains_have_their_controls_and_their_costs(connection: Any) -> None:
    table = gains(connection, "demo", "fake", "world-objects", "sample", metric=METRIC)
    control = dict(table.select("method", "control").iter_rows())
    assert control == {
        "naive": False,
        "posthoc-none": False,
        "posthoc-noise": False,
        "vdd-unk": False,
        "apc-only": True,
    }
    assert dict(table.select("method", "passes_per_sample").iter_rows())["naive"] == 1
    front = table.filter("front")
    assert "naive" in set(front["method"]) or front["gain"].min() >= 0
    best = table.filter(~pl.col("control"))["gain"].max()
    assert best in set(front["gain"])


def test_p_values_agree_with_their_intervals(connection: Any) -> None:
    table = pages.against_baseline(connection, "demo", "fake", "world-objects", metric=METRIC).drop_nulls("p")
    excludes = (table["low"] > 0) | (table["high"] < 0)
    assert (excludes == (table["p"] < 0.05)).all()
    assert (table["p_holm"] >= table["p"]).all()


def test_a_sample_is_the_same_under_every_condition_but_for_what_the_condition_changes(connection: Any) -> None:
    ids = leaderboard.samples(connection, "world-objects")["sample_id"]
    rows = under_conditions(
        connection, "demo", "world-objects@cue-gold", ids[0], model="fake", method="naive", decoding="greedy"
    )
    assert rows["condition"].to_list() == [None, "unrelated-facts", "cue-gold", "cue-wrong"]
    assert rows["gold"].n_unique() == 1
    assert rows["question"].n_unique() == 4
    assert rows["answer"].count() == rows["run_id"].count() == 4


def test_what_stands_beside_a_run_differs_from_it_in_one_thing(connection: Any) -> None:
    mine = run_id(connection, model="fake", suite="world-objects", method="naive", decoding="greedy")
    beside = pages.runs_beside(connection, "demo", mine)
    assert {"condition: cue-gold", "method: vdd-unk", "model: lab/fake_64*b*", "decoding: sample"} <= set(
        beside["change"]
    )
    assert beside["change"].is_unique().all()
    runs = leaderboard.runs(connection, "demo")
    for change, other in beside.iter_rows():
        kind, value = change.split(": ", 1)
        row = runs.filter(run_id=other).row(0, named=True)
        assert row["suite"] == f"world-objects@{value}" if kind == "condition" else row[kind] == value


def test_a_second_run_stands_beside_each_sample(connection: Any) -> None:
    one, other = (
        run_id(connection, model="fake", suite="world-objects", method=m, decoding="sample")
        for m in ("naive", "vdd-unk")
    )
    table = pages.verdicts_beside(connection, one, other)
    theirs = pages.verdicts(connection, other)
    assert table["other_answer"].to_list() == theirs["answer"].to_list()


def test_stored_diagnostics_are_listed_with_what_made_them(made: Results) -> None:
    listed = stored.diagnostics(made, "demo")
    assert {"prior", "lean", "confidence", "decodings-best", "interference", "misleading"} <= set(listed["diagnostic"])
    assert stored.diagnostic(made, "demo", "nothing").is_empty()
    assert {"model", "suite", "lean"} <= set(stored.diagnostic(made, "demo", "lean").columns)


def test_a_diagnostic_that_is_made_again_has_another_stamp(mine: Results) -> None:
    before = stored.stamp(mine, "demo")
    os.utime(mine.diagnostic("demo", "lean", "parquet"))
    assert stored.stamp(mine, "demo") != before


def test_a_profile_says_one_where_nothing_harms(made: Results, connection: Any) -> None:
    assert profiles.groups_of(connection, "demo", "world-spurious")[0] == "type"
    groups = profiles.by_group(connection, "demo", "world-spurious", "naive", "greedy", group="type")
    assert groups.height == groups["model"].n_unique() * groups["axis"].n_unique()
    table = profiles.by_diagnostics(made, "demo", "naive")
    assert set(table["meaning"]) == {profiles.MEANINGS[kind] for kind in ("condition", "cue", "prior")}
    assert table.select(((pl.col("low") <= pl.col("value")) & (pl.col("value") <= pl.col("high"))).all()).item()
    changed = stored.diagnostic(made, "demo", "interference").filter(
        model="fake", method="naive", condition="unrelated-facts"
    )
    axis = table.filter(pl.col("model") == "fake", pl.col("axis") == "unrelated-facts")
    assert axis["value"][0] == pytest.approx(1 - changed["delta_cp"][0])


def test_progress_says_what_is_done_and_what_a_plan_cannot_tell(mine: Results) -> None:
    broken = mine.root / "campaigns" / "odd" / "plan.json"
    broken.parent.mkdir()
    broken.write_text('{"campaign": "odd", "grid_text": "campaign: odd", "grid": {"suites": ["a"]}}', encoding="utf-8")
    table = progress.overview(mine)
    states = dict(table.select("campaign", "state").iter_rows())
    assert states["demo"] == "complete"
    assert states["odd"] == "unknown"
    assert "plan" in table.filter(campaign="odd")["note"][0]
    batches = progress.batches(mine, "demo")
    assert set(batches["status"]) == {"done"}
    assert progress.failures(mine, "demo") == []
    assert progress.costs(mine, "demo")["forwards"].sum() > 0
    assert dict(progress.disk(mine).select("part", "files").iter_rows())["mmplat.db"] == 1


def test_a_lost_batch_is_named_with_its_last_word(mine: Results) -> None:
    from mmplat.artifacts import read_json, write_json

    beat = next(iter(mine.heartbeats))
    write_json(
        beat, read_json(beat, made_by="test") | {"state": "running", "host": "n3", "updated": "2026-01-01T00:00:00Z"}
    )
    mine.batch_done(beat.name.removesuffix(".heartbeat.json")).unlink()
    table = progress.overview(mine).filter(campaign="demo").row(0, named=True)
    assert (table["state"], table["lost"]) == ("lost", 1)
    assert progress.batches(mine, "demo").filter(status="lost")["host"][0].startswith("n3:")


@pytest.fixture
def own(mine: Results, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A schedule of whoever runs the dashboard."""
    from datetime import datetime

    from mmplat.schedule import Scheduled, add

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "grid.yaml").write_text("campaign: nightly\nmodels: [fake]\nsuites: [world-objects]\n")
    (tmp_path / "Snakefile").touch()
    given = {"grid": tmp_path / "grid.yaml", "snakefile": tmp_path / "Snakefile", "folder": tmp_path}
    add(mine, Scheduled(name="my nights", cron="0 2 * * *", profile=None, added=datetime(2026, 1, 1), **given))


def fired(mine: Results, name: str, day: int, outcome: str, log: str = "x.log") -> Path:
    from mmplat.artifacts import write_json

    path = mine.scheduled(name) / f"2026-03-0{day}T02-00.json"
    said = {"schedule": name, "due": f"2026-03-0{day}T02:00:00", "outcome": outcome, "log": log, "host": "n1"}
    write_json(path, said)
    return path


def test_firings_of_a_schedule_are_listed_the_latest_first(mine: Results, own: None) -> None:
    assert progress.schedules(mine)["due"].to_list() == [None]
    for day, outcome in ((1, "done"), (2, "failed")):
        fired(mine, "my nights", day, outcome)
    found = progress.schedules(mine)
    assert found["outcome"].to_list() == ["failed", "done"]
    assert found["cron"].to_list() == ["0 2 * * *"] * 2


def test_firings_of_other_people_are_listed_and_their_schedules_are_not_believed(mine: Results, own: None) -> None:
    from mmplat.artifacts import write_json

    write_json(mine.scheduled("evil") / "schedule.json", {"name": "evil", "cron": "* * * * *", "grid": "evil.yaml"})
    fired(mine, "theirs", 1, "done")
    found = progress.schedules(mine)
    assert found["schedule"].to_list() == ["my nights", "theirs"]
    assert found["cron"].to_list() == ["0 2 * * *", None]


def test_a_record_of_a_firing_shows_no_file_but_its_log(mine: Results, own: None, tmp_path: Path) -> None:
    (secret := tmp_path / "secret").write_text("hunter2")
    log = fired(mine, "theirs", 1, "done", str(secret)).with_suffix(".log")
    log.write_text("as it went")
    assert progress.schedules(mine).filter(schedule="theirs")["log"].to_list() == [str(log)]
    log.unlink()
    log.symlink_to(secret)
    assert progress.schedules(mine).filter(schedule="theirs")["log"].to_list() == [None]


def test_a_record_of_a_firing_that_is_none_says_so_in_its_row(mine: Results, own: None) -> None:
    fired(mine, "theirs", 1, "done").write_text("[]")
    (reason,) = progress.schedules(mine).filter(schedule="theirs")["reason"]
    assert "is no record of a firing" in reason
