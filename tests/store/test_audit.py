"""From a number to everything behind it, and back again: recomputed from its evidence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text

from mmplat.artifacts import Results, read_json, write_json
from mmplat.audit import verify
from mmplat.errors import UnknownName
from mmplat.ids import file_id
from mmplat.store import engine_of, publish, recorded, store_url

Command = Callable[..., Any]


@pytest.fixture
def ran(fake_run: Any, tmp_path: Path) -> Results:
    """The small fake grid, decided and published, in a folder that a test may damage."""
    copied = Results(tmp_path / "it's copied" / "results")
    shutil.copytree(fake_run.results.root, copied.root)
    publish(copied, "test")
    return copied


def run_of(results: Results, method: str, decoding: str = "greedy") -> str:
    every = recorded(store_url(results))
    return next(one.run.run_id for one in every if (one.run.method, one.run.decoding) == (method, decoding))


def statuses(results: Results) -> dict[str, str]:
    """By method, under greedy decoding."""
    verdicts = verify(results, recorded(store_url(results)))
    return {verdict.run.method: verdict.status for verdict in verdicts if verdict.run.decoding == "greedy"}


def evidence_parts(results: Results) -> Iterator[Path]:
    return results.evidence_root.rglob("part-*.parquet")


def rewrite(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_parquet(path, glob=False)).write_parquet(path)


# Verify


def test_every_run_follows_from_its_evidence_and_nothing_is_written(ran: Results, mmplat: Command) -> None:
    before = {path: path.stat().st_mtime_ns for path in ran.root.rglob("*.parquet")}
    said = mmplat("verify", "--images", "--results", str(ran.root))
    assert (said.code, said.err) == (0, "6 runs: 6 verified\n")
    assert {path: path.stat().st_mtime_ns for path in ran.root.rglob("*.parquet")} == before


def swapped(rows: pl.DataFrame) -> pl.DataFrame:
    """Without the image, the model now says the opposite."""
    blind = pl.col("view") == "none"
    columns = ("label_logits", "spelling_logits", "at_main")
    return rows.with_columns(pl.when(blind).then(pl.col(c).list.reverse()).otherwise(pl.col(c)) for c in columns)


def test_evidence_that_was_altered_in_its_file_is_told(ran: Results, mmplat: Command) -> None:
    for part in evidence_parts(ran):
        rewrite(part, swapped)
    assert set(statuses(ran).values()) == {"unreadable"}
    said = mmplat("verify", run_of(ran, "posthoc-none"), "--results", str(ran.root))
    assert said.code == 1
    assert "its content changed" in said.out.decode()


def test_evidence_that_was_put_in_the_place_of_other_evidence_is_told(ran: Results) -> None:
    """Its seal is right, and decided.json is forged too: the store remembers what each run was decided from."""
    found = {}
    for part in list(evidence_parts(ran)):
        rewrite(part, swapped)
        digest = file_id(part, length=64)
        part.rename(part.with_name(f"{part.name[:21]}-{digest[:16]}.parquet"))
        found[f"{part.name[:21]}-{digest[:16]}.parquet"] = digest
    assert set(statuses(ran).values()) == {"gone"}
    decided = ran.decided("test", "fake", "world-objects") / "decided.json"
    write_json(decided, {**read_json(decided, made_by=""), "evidence": found})
    assert set(statuses(ran).values()) == {"differs"}
    reasons = [reason for verdict in verify(ran, recorded(store_url(ran))) for reason in verdict.reasons]
    assert "it was decided from other parts of evidence than those that decided.json names" in reasons
    assert any("the evidence gives" in reason for reason in reasons)


def test_a_run_is_recomputed_from_the_very_parts_that_it_was_decided_from(ran: Results) -> None:
    """Another campaign may have asked the same samples since, and further."""
    [part] = evidence_parts(ran)
    wider = part.with_name(f"part-{'0' * 16}.parquet")
    shutil.copyfile(part, wider)
    rewrite(wider, lambda rows: swapped(rows).with_columns(lse_temperatures=pl.lit([0.1] * 50, pl.List(pl.Float32)),
                                                           lse_shifted=pl.lit([0.0] * 50, pl.List(pl.Float64))))  # fmt: skip
    assert set(statuses(ran).values()) == {"verified"}


def test_a_number_altered_in_the_store_is_told(ran: Results) -> None:
    engine = engine_of(store_url(ran))
    with engine.begin() as connection:
        better = (
            "UPDATE metrics SET value = value + 0.01 WHERE metric = 'accuracy' AND subset = 'all' AND run_id = :run"
        )
        connection.execute(text(better), {"run": run_of(ran, "naive")})
    engine.dispose()
    altered = [verdict for verdict in verify(ran, recorded(store_url(ran))) if not verdict.fine]
    assert [(verdict.run.method, verdict.status) for verdict in altered] == [("naive", "differs")]
    assert altered[0].reasons[0].startswith("accuracy (all) is recorded as")


def test_a_prediction_altered_on_disk_is_told_with_its_sample(ran: Results) -> None:
    path = ran.decided("test", "fake", "world-objects") / "predictions.parquet"
    mine = pl.col("run_id") == run_of(ran, "naive")
    first = pl.read_parquet(path, glob=False).filter(mine)["sample_id"][0]
    one = mine & (pl.col("sample_id") == first)
    rewrite(path, lambda t: t.with_columns(p_correct=pl.when(one).then(0.123).otherwise(pl.col("p_correct"))))
    [verdict] = [verdict for verdict in verify(ran, recorded(store_url(ran))) if not verdict.fine]
    [reason] = verdict.reasons
    assert reason.startswith(
        f"p_correct of 1 predictions is another one; sample {first!r}: recorded 0.123, the evidence"
    )


def test_evidence_that_is_gone_or_unreadable_says_so(ran: Results, mmplat: Command) -> None:
    parts = list(evidence_parts(ran))
    for part in parts:
        part.write_bytes(part.read_bytes()[:100])
    assert set(statuses(ran).values()) == {"unreadable"}
    for part in parts:
        part.unlink()
    assert set(statuses(ran).values()) == {"gone"}
    said = mmplat("verify", "--results", str(ran.root))
    assert (said.code, "its evidence is gone" in said.out.decode()) == (1, True)
    verdicts = json.loads(mmplat("verify", "--json", "--results", str(ran.root)).out)
    assert [one["status"] for one in verdicts] == ["gone"] * 6


def test_samples_and_images_that_changed_are_told(ran: Results) -> None:
    picture = next(ran.suites_root.rglob("images/*.png"))
    others = sorted(ran.suites_root.rglob("images/*.png"))
    shutil.copyfile(next(path for path in others if path.read_bytes() != picture.read_bytes()), picture)
    runs = recorded(store_url(ran))
    assert {verdict.status for verdict in verify(ran, runs, pictures=True)} == {"unreadable"}
    picture.unlink()
    assert {verdict.status for verdict in verify(ran, runs)} == {"unreadable"}


def test_a_gold_answer_that_was_changed_is_told(ran: Results) -> None:
    samples = next(ran.suites_root.rglob("samples.parquet"))
    flipped = pl.when(pl.col("gold") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    rewrite(samples, lambda table: table.with_columns(gold=flipped))
    [reason] = {verdict.reasons[0] for verdict in verify(ran, recorded(store_url(ran)))}
    assert "does not hold the samples that were prepared" in reason


def test_a_run_of_an_earlier_version_of_its_method_says_which(ran: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from mmplat.methods import catalog

    newer = replace(catalog.get("vdd-none"), version=99)
    monkeypatch.setitem(catalog._items, "vdd-none", newer)  # as the next release may have it
    found = {v.run.method: v for v in verify(ran, recorded(store_url(ran))) if v.run.decoding == "greedy"}
    assert {method: verdict.status for method, verdict in found.items()} == {
        "naive": "verified", "posthoc-none": "verified", "vdd-none": "superseded",
    }  # fmt: skip
    assert "version of method was 1, is 99" in found["vdd-none"].reasons


def test_imported_runs_are_told_apart_and_are_no_failure(ran: Results) -> None:
    engine = engine_of(store_url(ran))
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET origin = 'imported' WHERE method = 'naive'"))
    engine.dispose()
    assert statuses(ran)["naive"] == "imported"
    assert all(verdict.fine for verdict in verify(ran, recorded(store_url(ran))))


# Show


def test_a_run_is_shown_with_all_that_it_rests_on(ran: Results, mmplat: Command) -> None:
    run_id = run_of(ran, "vdd-none")
    said = json.loads(mmplat("show", run_id[:8], "--json", "--results", str(ran.root)).out)
    assert said["run"]["run_id"] == run_id
    assert {"git_revision", "git_dirty", "versions", "settings", "device"} <= said["run"].keys()
    assert "campaign: test" in said["grid_text"]
    assert [view["view"] for view in said["evidence"]] == ["image", "none"]
    assert all(view["rows"] > 0 for view in said["evidence"])
    assert {(Path(said["files"]["evidence"]) / name).stat().st_size for name in said["evidence_parts"]} == set(
        said["evidence_parts"].values()
    )
    assert all(Path(image).is_file() for image in said["sample"]["images"])
    assert said["sample"]["asked"].keys() == {"image", "none"}
    assert said["sample"]["answered"]["run_id"] == run_id
    assert said["missing"] == []
    assert {metric["metric"] for metric in said["metrics"]} >= {"accuracy", "expected_accuracy"}


def test_a_run_is_shown_and_verified_by_its_cell_too(ran: Results, mmplat: Command) -> None:
    cell, where = "model=fake,method=vdd-none,decoding=greedy", ("--results", str(ran.root))
    said = json.loads(mmplat("show", cell, "--json", *where).out)
    assert (said["run"]["method"], said["run"]["decoding"]) == ("vdd-none", "greedy")
    assert mmplat("verify", cell, *where).err == "1 runs: 1 verified\n"
    unclear = mmplat("show", "method=vdd-none", *where)
    assert (unclear.code, "means 2 runs" in unclear.err) == (2, True)


def test_for_people_every_file_and_the_chosen_sample_is_named(ran: Results, mmplat: Command) -> None:
    run_id = run_of(ran, "naive")
    path = ran.decided("test", "fake", "world-objects") / "predictions.parquet"
    chosen = pl.read_parquet(path, glob=False)["sample_id"][7]
    lines = mmplat("show", run_id, "--sample", chosen, "--results", str(ran.root)).out.decode()
    for named in (run_id, chosen, "part-", "images/", "asked as image: '", "accuracy: ", "limit: 60", "code "):
        assert named in lines
    unknown = mmplat("show", run_id, "--sample", "nobody", "--results", str(ran.root))
    assert (unknown.code, "Unknown sample 'nobody'" in unknown.err) == (2, True)


def test_an_imported_run_is_shown_with_its_answers_and_without_evidence(
    results: Results, tmp_path: Path, mmplat: Command
) -> None:
    asked = {"question_id": 1, "image": "a.jpg", "text": "Is there a dog in the image?", "label": "yes"}
    (tmp_path / "questions.json").write_text(json.dumps(asked))
    (tmp_path / "answers.jsonl").write_text(json.dumps({"question_id": 1, "text": "Yes."}))
    given = ("--annotations", str(tmp_path / "questions.json"), "--answers", str(tmp_path / "answers.jsonl"))
    where = ("--results", str(results.root))
    assert mmplat("import", "predictions", "--suite", "pope", "--model", "theirs", *given, *where).code == 0
    publish(results, "imported")
    [one] = recorded(store_url(results))
    said = json.loads(mmplat("show", one.run.run_id, "--json", *where).out)
    assert (said["run"]["origin"], said["missing"], said["evidence"]) == ("imported", [], [])
    assert said["sample"]["answered"]["answer"] == "yes"
    assert "none: the answers were given elsewhere" in mmplat("show", one.run.run_id, *where).out.decode()
    assert mmplat("verify", *where).err == "1 runs: 1 imported\n"


def test_what_is_gone_is_said_and_the_rest_is_shown(ran: Results, mmplat: Command) -> None:
    shutil.rmtree(ran.evidence_root)
    said = mmplat("show", run_of(ran, "naive"), "--results", str(ran.root))
    assert (said.code, "missing: evidence:" in said.err) == (0, True)
    assert "accuracy" in said.out.decode()


@pytest.mark.parametrize("wrong", ["", "ab", "zzzz", "%%%%"])
def test_a_run_that_is_not_there_or_not_one_run_is_refused(ran: Results, wrong: str) -> None:
    with pytest.raises(UnknownName, match=f"Unknown run '{wrong}'"):
        recorded(store_url(ran), [wrong])


def test_without_a_store_show_says_what_makes_it(results: Results, mmplat: Command) -> None:
    said = mmplat("show", "abcdef", "--results", str(results.root))
    assert (said.code, "`mmplat publish` makes it" in said.err) == (1, True)
