"""Imported results are runs: files, store, comparison; and what cannot be one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from elsewhere import pope, said_to

from mmplat.artifacts import Results

Command = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def bring(write: Write, mmplat: Command) -> Command:
    """Imports answers to twelve questions of POPE."""

    def run(*words: str, texts: tuple[str, ...] = ("Yes", "No"), model: str = "llava", n: int = 12) -> Any:
        rows = pope(12)
        answers = write(f"{model}.jsonl", said_to(rows[:n], *texts))
        files = ["--annotations", write("coco_pope_random.json", rows), "--answers", answers]
        return mmplat("import", "predictions", "--suite", "pope", *files, "--model", model, *words)

    return run


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def test_a_dry_run_prints_every_number_and_writes_nothing(bring: Command, results: Results) -> None:
    said = bring("--dry-run", "--format", "json", texts=("Yes", "No", "no", "Perhaps"), n=11).json
    assert {"accuracy", "f1", "precision", "recall", "yes_ratio", "n", "unjoined", "unparsed"} <= set(said)
    assert (said["n"], said["unjoined"], said["unparsed"]) == (11, 1, 2)
    assert said["unanswered"][0]["key"] == "12"
    assert [left["reason"] for left in said["unparsed_answers"]] == ["says no label: 'Perhaps'"] * 2
    low, high = said["intervals"]["accuracy"]
    assert low < said["accuracy"] < high
    assert not results.root.exists()
    text = bring("--dry-run", n=11).out
    assert "llava on pope: n 11, unjoined 1, unparsed 0" in text
    assert "unanswered:" in text


def test_an_import_is_published_as_a_run_that_is_marked_so(bring: Command, mmplat: Command, results: Results) -> None:
    assert bring().code == 0
    assert mmplat("publish", "imported", "--no-tracking").code == 0
    run = mmplat("sql", "SELECT * FROM runs", "--format", "json").json[0]
    assert (run["origin"], run["model"], run["suite"], run["status"]) == ("imported", "llava", "pope", "done")
    assert (run["forward_passes"], run["device"], run["n"]) == (0, "unknown", 12)
    assert json.loads(run["settings"])["format"] == "llava"
    assert "llava" in mmplat("leaderboard").out
    rows = mmplat("sql", "SELECT count(*) AS n, sum(correct::INT) AS right FROM predictions", "--format", "json").json
    assert rows == [{"n": 12, "right": 12}]
    question = mmplat("sql", "SELECT question FROM samples ORDER BY sample_id LIMIT 1", "--format", "json").json
    assert question == [{"question": "Is there a thing 1 in the image?"}]


def test_questions_without_an_answer_make_a_run_incomplete_and_are_in_no_number(
    bring: Command, mmplat: Command, results: Results
) -> None:
    bring(n=10)
    folder = results.decided("imported", "llava", "pope")
    table = pl.read_parquet(folder / "predictions.parquet")
    assert table.filter(pl.col("correct").is_null())["error"].to_list() == ["no answer has this id"] * 2
    run = pl.read_parquet(folder / "runs.parquet").to_dicts()[0]
    assert (run["status"], run["n"], run["n_failed"]) == ("incomplete", 10, 2)
    metrics = pl.read_parquet(folder / "metrics.parquet").filter(subset="all", metric="accuracy")
    assert metrics["n"].to_list() == [10]


def test_the_same_files_leave_the_same_run_and_other_answers_take_its_place_where_asked_for(
    bring: Command, mmplat: Command, results: Results
) -> None:
    def runs() -> list[dict[str, Any]]:
        return pl.read_parquet(results.decided("imported", "llava", "pope") / "runs.parquet").to_dicts()

    bring()
    first = runs()
    assert "Nothing new" in bring().err
    assert runs() == first
    assert bring(texts=("No",)).code == 2
    assert runs() == first
    assert bring("--replace", texts=("No",)).code == 0
    assert len(runs()) == 1
    assert runs()[0]["run_id"] != first[0]["run_id"]
    bring("--method", "vcd")
    assert sorted(run["method"] for run in runs()) == ["naive", "vcd"]
    assert json.loads(results.plan("imported").read_text())["cells"] == 2
    assert mmplat("publish", "imported", "--no-tracking").code == 0


def test_an_import_that_was_killed_is_made_up_for_by_the_next_one(
    bring: Command, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmplat.importing import _recording

    folder, whole = results.decided("imported", "llava", "pope"), _recording._write
    bring("--method", "vcd")

    def write_or_die(path: Path, table: pl.DataFrame) -> None:
        if path.name != "predictions.parquet":
            raise KeyboardInterrupt
        whole(path, table)

    monkeypatch.setattr(_recording, "_write", write_or_die)
    assert bring().code != 0
    assert not (folder / "decided.json").exists()
    monkeypatch.setattr(_recording, "_write", whole)
    bring()
    predictions, runs = (pl.read_parquet(folder / f"{name}.parquet") for name in ("predictions", "runs"))
    assert sorted(runs["method"]) == ["naive", "vcd"]
    assert predictions.group_by("run_id").len()["len"].to_list() == [12, 12]


def test_two_imports_are_compared_question_by_question(bring: Command, mmplat: Command) -> None:
    bring(texts=("Yes",), model="yes-man")
    bring(texts=("Yes", "No"), model="expert")
    mmplat("publish", "imported", "--no-tracking")
    said = mmplat("compare", "model=yes-man", "model=expert", "--json").json
    assert (said["fixed"], said["broken"], said["samples"]) == (6, 0, 12)
    assert said["mcnemar_p"] == pytest.approx(2 / 64)
    assert said["overall"][0]["difference"] == pytest.approx(0.5)


def test_a_campaign_of_a_grid_takes_no_imports(bring: Command, results: Results) -> None:
    plan = results.plan("measured")
    plan.parent.mkdir(parents=True)
    plan.write_text(json.dumps({"campaign": "measured", "pairs": []}))
    done = bring("--campaign", "measured")
    assert (done.code, "campaigns of their own" in done.err) == (2, True)
    assert not (results.campaign("measured") / "decided").exists()


def test_an_imported_run_is_shown_and_verified_as_what_it_is_and_never_decided_again(
    bring: Command, mmplat: Command, results: Results
) -> None:
    bring()
    mmplat("publish", "imported", "--no-tracking")
    run_id = pl.read_parquet(results.decided("imported", "llava", "pope") / "runs.parquet")["run_id"][0]
    shown = mmplat("show", run_id)
    assert shown.code == 0, shown.err
    assert "is gone" not in shown.out
    assert mmplat("verify", "--campaign", "imported").code == 0
    refused = mmplat("decide", results.plan("imported"))
    assert (refused.code, "results that were imported" in refused.err) == (2, True)


def test_sample_ids_are_those_of_the_measured_suite(bring: Command, results: Results, tmp_path: Path) -> None:
    """So that an imported run can be paired with a measured one."""
    import numpy as np
    from PIL import Image

    from mmplat.preparing import load_samples, prepare
    from mmplat.suites import bind

    bring()
    (tmp_path / "images").mkdir()
    for row in pope(12):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "images" / row["image"])
    params = {"split": "random", "path": str(tmp_path / "coco_pope_random.json"), "images": str(tmp_path / "images")}
    measured = load_samples(prepare(bind("pope", params), results).parent)
    (folder,) = (results.suites_root / "pope").glob("*")
    imported = load_samples(folder)
    assert {(s.sample_id, s.gold, s.cluster) for s in imported} == {(s.sample_id, s.gold, s.cluster) for s in measured}


RESULTS: dict[str, Any] = {
    "results": {
        "arc_easy": {
            **{"alias": "arc_easy", "acc,none": 0.76, "acc_stderr,none": 0.01},
            **{"acc_norm,none": 0.7, "acc_norm_stderr,none": 0.01},
        },
        "pope": {
            **{"pope_accuracy,none": 0.86, "pope_accuracy_stderr,none": "N/A", "pope_yes_ratio,none": 0.5},
            **{"pope_f1_score,none": 0.85, "pope_f1_score_stderr,none": 0.004},
        },
    },
    "n-samples": {"arc_easy": {"original": 2376, "effective": 2376}, "pope": {"original": 9000, "effective": 9000}},
    "versions": {"arc_easy": 1.0, "pope": 0.0},
}


def test_a_results_file_of_lm_eval_becomes_a_run_per_task(write: Write, mmplat: Command) -> None:
    assert mmplat("import", "results", write("results_2026.json", RESULTS), "--model", "llava").code == 0
    mmplat("publish", "imported", "--no-tracking")
    rows = mmplat("sql", "SELECT suite, metric, value, low, high, m.n FROM metrics m JOIN runs USING (run_id) ORDER BY ALL",
                  "--format", "json").json  # fmt: skip
    found = {(row["suite"], row["metric"]): row for row in rows}
    assert set(found) == {("arc_easy", "accuracy"), ("arc_easy", "acc_norm"), ("pope", "accuracy"), ("pope", "f1")}
    accuracy = found["arc_easy", "accuracy"]
    assert (accuracy["low"], accuracy["high"]) == pytest.approx((0.76 - 0.0196, 0.76 + 0.0196), abs=1e-4)
    assert accuracy["n"] == 2376
    assert found["pope", "f1"]["low"] is None  # its printed error is that of the accuracy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"results": {}}, "has no `results`"),
        ({"results": {"arc": {"acc,none": 0.5}}}, "does not say on how many samples"),
        ("{", "this is not valid JSON"),
    ],
)
def test_a_results_file_that_says_too_little_is_refused(
    write: Write, mmplat: Command, results: Results, content: Any, said: str
) -> None:
    done = mmplat("import", "results", write("results.json", content), "--model", "m")
    assert (done.code, said in done.err) == (2, True)
    assert not results.root.exists()
