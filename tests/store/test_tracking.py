"""The MLflow mirror, on a real MLflow store."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from generate import metric_rows, run_record, write_campaign

from mmplat.artifacts import Results, read_json, write_json
from mmplat.errors import Busy
from mmplat.ids import content_id
from mmplat.locks import only_writer
from mmplat.owners import owner_of
from mmplat.records import MetricRecord, RunRecord
from mmplat.tracking import enqueue, mirror, mirror_trainings, prepare, queued, settle, takes_over, tracking_uri
from mmplat.tracking.mirror import _content, clean, metric_name
from mmplat.tracking.ready import client

pytestmark = pytest.mark.slow  # MLflow's import and the first use of its store


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        results = Results(tmp_path_factory.mktemp("tracked") / "it's [a] *b, 100% x=y" / "results")
        assert prepare(results)["ready"]
        yield results


def runs_of(campaign: str, methods: Sequence[str], revision: str = "r1") -> list[RunRecord]:
    return [run_record(campaign, "tiny", "world-facts", "greedy", method, 6, revision) for method in methods]


def metrics_of(runs: Sequence[RunRecord]) -> dict[str, list[MetricRecord]]:
    found: dict[str, list[MetricRecord]] = {}
    for row in metric_rows(list(runs), 0).fill_nan(None).to_dicts():
        found.setdefault(row["run_id"], []).append(MetricRecord.model_validate(row))
    return found


def mirrored(results: Results, campaign: str) -> dict[str, Any]:
    mlflow = client(tracking_uri(results))
    experiment = mlflow.get_experiment_by_name(campaign)
    assert experiment is not None
    return {run.data.tags["mmplat.run_id"]: run for run in mlflow.search_runs([experiment.experiment_id])}


def test_a_run_is_mirrored_with_its_cell_its_metrics_and_its_origin(tracked: Results) -> None:
    runs = runs_of("one", ["naive"])
    done = mirror(tracked, "one", runs, metrics_of)
    assert (done.written, done.present, done.removed, done.warning) == (1, 0, 0, None)
    run = mirrored(tracked, "one")[runs[0].run_id]
    assert run.info.run_name == "tiny/world-facts/greedy/naive"
    assert run.info.status == "FINISHED"
    assert run.data.params["decoding.temperature"] == "1"
    assert run.data.params["method"] == "naive"
    assert set(run.data.metrics) == {"expected_accuracy", "expected_accuracy/split_hard", "unparsed", "accuracy"}
    assert run.data.tags["version.torch"] == "2.13.0"
    assert run.data.tags["mmplat.git_revision"] == "f00d"


def test_mirroring_twice_writes_nothing_and_reads_no_metrics(tracked: Results) -> None:
    runs = runs_of("twice", ["naive", "vdd-unk"])
    mirror(tracked, "twice", runs, metrics_of)
    again = mirror(tracked, "twice", runs, lambda missing: pytest.fail("nothing is missing"))
    assert (again.written, again.present, again.removed, again.warning) == (0, 2, 0, None)


def test_a_run_whose_samples_were_asked_again_is_replaced_and_a_slower_one_is_not(tracked: Results) -> None:
    run = runs_of("completed", ["naive"])[0]
    mirror(tracked, "completed", [run.model_copy(update={"status": "incomplete", "n": 5, "n_failed": 1})], metrics_of)
    done = mirror(tracked, "completed", [run], metrics_of)
    assert (done.written, done.removed) == (1, 1)
    assert mirrored(tracked, "completed")[run.run_id].data.tags["mmplat.status"] == "done"
    assert mirror(tracked, "completed", [run.model_copy(update={"seconds": 9.0})], metrics_of).present == 1


def test_superseded_runs_leave_the_mirror(tracked: Results) -> None:
    mirror(tracked, "superseded", runs_of("superseded", ["naive", "vdd-unk"]), metrics_of)
    new = runs_of("superseded", ["naive"], "r2")
    done = mirror(tracked, "superseded", new, metrics_of)
    assert (done.written, done.removed) == (1, 2)
    assert set(mirrored(tracked, "superseded")) == {new[0].run_id}


def test_a_run_that_a_killed_publish_left_unfinished_is_written_again(tracked: Results) -> None:
    runs = runs_of("killed", ["naive"])
    mlflow = client(tracking_uri(tracked))
    experiment = mlflow.create_experiment("killed")
    mlflow.create_run(experiment, tags={"mmplat.run_id": runs[0].run_id})
    done = mirror(tracked, "killed", runs, metrics_of)
    assert (done.written, done.removed) == (1, 1)
    assert mirrored(tracked, "killed")[runs[0].run_id].data.metrics["accuracy"] >= 0


def test_runs_that_people_log_beside_ours_stay(tracked: Results) -> None:
    mirror(tracked, "shared", runs_of("shared", ["naive"]), metrics_of)
    mlflow = client(tracking_uri(tracked))
    experiment = mlflow.get_experiment_by_name("shared")
    assert experiment is not None
    theirs = mlflow.create_run(experiment.experiment_id)
    mirror(tracked, "shared", runs_of("shared", ["vdd-unk"]), metrics_of)
    assert mlflow.get_run(theirs.info.run_id).info.lifecycle_stage == "active"


def test_a_failed_run_is_failed_in_mlflow_with_its_error(tracked: Results) -> None:
    runs = runs_of("failed", ["broken"])
    mirror(tracked, "failed", runs, metrics_of)
    run = mirrored(tracked, "failed")[runs[0].run_id]
    assert (run.info.status, run.data.tags["mmplat.error"]) == ("FAILED", "the reference view has no evidence")
    assert mirror(tracked, "failed", runs, metrics_of).present == 1


def test_long_settings_are_cut_and_many_of_them_are_kept(tracked: Results) -> None:
    many = {f"p{index}": "x" * 9000 for index in range(150)}
    runs = [runs_of("long", ["naive"])[0].model_copy(update={"settings": many})]
    done = mirror(tracked, "long", runs, lambda missing: {})
    assert done.warning is None
    params = mirrored(tracked, "long")[runs[0].run_id].data.params
    assert len(params) == 155
    assert len(params["p0"]) == 500


def test_a_deleted_experiment_is_restored(tracked: Results) -> None:
    runs = runs_of("deleted", ["naive"])
    mirror(tracked, "deleted", runs, metrics_of)
    mlflow = client(tracking_uri(tracked))
    found = mlflow.get_experiment_by_name("deleted")
    assert found is not None
    mlflow.delete_experiment(found.experiment_id)
    assert mirror(tracked, "deleted", runs, metrics_of).warning is None


def test_preparing_a_ready_store_again_does_nothing(tracked: Results) -> None:
    before = tracked.tracking_ready.stat().st_mtime_ns
    assert prepare(tracked)["ready"]
    assert tracked.tracking_ready.stat().st_mtime_ns == before


def test_a_second_process_is_told_that_the_store_is_being_made(results: Results) -> None:
    code = "import sys; from pathlib import Path; from mmplat.artifacts import Results; from mmplat.tracking import prepare; prepare(Results(Path(sys.argv[1])))"  # noqa: E501
    with only_writer(results.root / ".mlflow", what="The MLflow store"):
        second = subprocess.run(
            [sys.executable, "-c", code, str(results.root)], capture_output=True, text=True, check=False
        )
    assert Busy.__name__ in second.stderr
    assert not results.tracking.exists()


def test_a_second_publisher_of_a_campaign_leaves_the_mirror_to_the_first(tracked: Results) -> None:
    with only_writer(tracked.campaign("two") / ".mlflow", what="The MLflow mirror of two"):
        done = mirror(tracked, "two", runs_of("two", ["naive"]), metrics_of)
    assert done.warning is not None
    assert "is being written by" in done.warning
    assert mirror(tracked, "two", runs_of("two", ["naive"]), metrics_of).written == 1


def test_a_dead_server_is_one_warning_without_the_password(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = mirror(results, "dead", runs_of("dead", ["naive"]), metrics_of)
    assert done.warning is not None
    assert prepare(results)["ready"] is False
    assert "hunter2" not in done.warning + done.uri + str(read_json(results.tracking_ready, made_by=""))
    assert "\n" not in done.warning


def test_a_store_that_mlflow_cannot_read_is_one_warning(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    results.root.mkdir(parents=True)
    broken = results.root / "broken.db"
    broken.write_bytes(b"no database" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{broken}")
    done = mirror(results, "broken", runs_of("broken", ["naive"]), metrics_of)
    assert done.warning is not None
    assert done.written == 0


@pytest.mark.parametrize(
    ("metric", "subset", "name"),
    [
        ("accuracy", "all", "accuracy"),
        ("accuracy", "split=hard", "accuracy/split_hard"),
        ("accuracy", "worst:type", "accuracy/worst:type"),
        ("f1", "type=a/b", "f1/type_a_b"),
        ("f1", "..", "f1/_.."),
    ],
)
def test_metric_names_are_such_as_mlflow_allows(metric: str, subset: str, name: str) -> None:
    assert metric_name(metric, subset) == name
    assert clean("x" * 999) == "x" * 250


def test_the_mirror_lies_beside_the_store_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracking_uri(Results(tmp_path)) == f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking_uri(Results(tmp_path)) == "http://127.0.0.1:5000"


# Several results folders, one MLflow


@pytest.fixture
def shared(tracked: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Results, Results]:
    """Two folders that mirror to an MLflow which is neither's own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(tracked))
    return Results(tmp_path / "anna"), Results(tmp_path / "ben")


def unmark(results: Results, campaign: str) -> None:
    """As an earlier version left it. MLflow deletes no tag of an experiment, so its database is asked."""
    mlflow = client(tracking_uri(results))
    experiment = mlflow.get_experiment_by_name(campaign)
    assert experiment is not None
    for run in mlflow.search_runs([experiment.experiment_id]):
        mlflow.delete_tag(run.info.run_id, "mmplat.origin")
    with closing(sqlite3.connect(tracking_uri(results).removeprefix("sqlite:///"))) as connection:
        connection.execute(
            "DELETE FROM experiment_tags WHERE experiment_id = ? AND key LIKE 'mmplat.origin%'",
            [experiment.experiment_id],
        )
        connection.commit()


def test_an_experiment_of_another_results_folder_is_left_alone(shared: tuple[Results, Results]) -> None:
    anna, ben = shared
    mirror(anna, "theirs", runs_of("theirs", ["naive", "vdd-unk"]), metrics_of)
    refused = mirror(ben, "theirs", runs_of("theirs", ["naive"], "r2"), metrics_of)
    assert (refused.refused, refused.written, refused.removed) == (True, 0, 0)
    assert refused.warning is not None
    assert owner_of(anna).id in refused.warning
    assert "`mmplat publish theirs --take-over`" in refused.warning
    assert len(mirrored(anna, "theirs")) == 2
    taken = mirror(ben, "theirs", runs_of("theirs", ["naive"], "r2"), metrics_of, take_over=True)
    assert (taken.written, taken.removed, taken.warning) == (1, 2, None)
    assert mirror(anna, "theirs", runs_of("theirs", ["naive"]), metrics_of).refused


def test_an_experiment_of_an_earlier_version_is_of_who_has_its_runs(shared: tuple[Results, Results]) -> None:
    anna, ben = shared
    mirror(anna, "old", runs_of("old", ["naive", "vdd-unk"]), metrics_of)
    unmark(anna, "old")
    refused = mirror(ben, "old", runs_of("old", ["naive"]), metrics_of)
    assert refused.refused
    assert "with 1 runs that are not in this results folder" in str(refused.warning)
    adopted = mirror(anna, "old", runs_of("old", ["naive", "vdd-unk", "broken"]), metrics_of)
    assert (adopted.written, adopted.present, adopted.removed, adopted.warning) == (1, 2, 0, None)
    assert mirror(ben, "old", runs_of("old", ["naive", "vdd-unk"]), metrics_of).refused
    assert mirror(anna, "old", runs_of("old", ["naive"]), metrics_of).removed == 2


def test_in_the_folders_own_mlflow_what_has_no_mark_is_its_own(tracked: Results) -> None:
    mirror(tracked, "mine", runs_of("mine", ["naive", "vdd-unk"]), metrics_of)
    unmark(tracked, "mine")
    assert mirror(tracked, "mine", runs_of("mine", ["broken"]), metrics_of).removed == 2


def test_a_digest_that_a_record_lacks_changes_nothing_in_mlflow(tracked: Results) -> None:
    run = runs_of("digest", ["naive"])[0]
    old = {
        name: value for name, value in run.model_dump(mode="json").items() if name not in ("seconds", "evidence_digest")
    }
    assert _content(run) == content_id(old)
    assert _content(run.model_copy(update={"evidence_digest": "d"})) != _content(run)


def test_a_training_of_another_folder_is_left_alone(shared: tuple[Results, Results]) -> None:
    """The same training ends in other weights on another device: each folder keeps its run."""
    for results, weights in zip(shared, ("w1", "w2"), strict=True):
        card = {"key": "k", "weights": weights, "parent": {"name": "tiny"}, "model": "m", "recipe": {}}
        write_json(results.trained("k") / "card.json", card)
        (results.trained("k") / "losses.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
    for results in (*shared, *shared):
        assert mirror_trainings(results, ["k"]) is None
    mlflow = client(tracking_uri(shared[0]))
    experiment = mlflow.get_experiment_by_name("mmplat trainings")
    assert experiment is not None
    found = mlflow.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["mmplat.weights"] for run in found) == ["w1", "w2"]


def test_a_refused_campaign_stays_queued_and_keeps_no_other_from_mlflow(
    shared: tuple[Results, Results], mmplat: Any
) -> None:
    anna, ben = shared
    mirror(anna, "clash", runs_of("clash", ["naive"]), metrics_of)
    for name in ("clash", "free"):
        write_campaign(
            ben, name, models=("tiny",), suites=("world-facts",), decodings=("greedy",), methods=("vdd-unk",)
        )
    said = mmplat("publish", "--results", str(ben.root))
    assert (said.code, said.err.count("warning:")) == (0, 1)
    assert "free: MLflow: 1 written" in said.err
    assert list(queued(ben)) == ["clash"]
    assert len(mirrored(anna, "clash")) == 1
    taken = mmplat("publish", "clash", "--take-over", "--results", str(ben.root))
    assert "clash: MLflow: 1 written, 0 there before, 1 others removed" in taken.err
    assert queued(ben) == {}


def test_a_take_over_that_mlflow_could_not_take_yet_is_remembered(results: Results) -> None:
    enqueue(results, "demo", "c1", take_over=True)
    enqueue(results, "demo", "c2")
    assert takes_over(results, "demo")
    settle(results, "demo", "c2")
    assert not takes_over(results, "demo")
