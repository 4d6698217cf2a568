"""Trained models in a campaign: what status says, what is kept, packed and mirrored."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from mmplat.archive import load_campaign, pack_campaign
from mmplat.archive.garbage import collect
from mmplat.archive.holdings import holdings_of
from mmplat.artifacts import Results, write_json
from mmplat.campaign import progress_of
from mmplat.errors import ModelError
from mmplat.grid import parse_grid
from mmplat.models.identity import located
from mmplat.plan import describe, make_plan, write_plan


@pytest.fixture
def planned(job_of, recipe_file, tmp_path):
    """A campaign with one trained model, planned in a results folder of its own."""
    job_of()
    text = f"campaign: one\nmodels: [{{name: tiny, trained: {recipe_file}}}]\nsuites: [world-objects]\nlimit: 6"
    plan, results = make_plan(parse_grid(text)), Results(tmp_path / "results")
    write_plan(plan, results)
    return plan, results


def written(plan, results, *, card=True, steps=3):
    """What a training leaves, without the training."""
    (model,) = plan.grid.models
    folder = results.trained(model.training.key)
    (folder / "model").mkdir(parents=True)
    (folder / "model/model.safetensors").write_bytes(b"weights")
    lines = [{"step": n + 1, "loss": 1 / (n + 1), "rate": 1e-3, "rows": 6, "seconds": 0.1} for n in range(steps)]
    (folder / "losses.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if card:
        said = {"key": model.training.key, "model": model.name, "weights": "w", "parent": {"name": "tiny"}}
        write_json(folder / "card.json", said | {"recipe": {"name": "quick", "optimiser": {"lr": 1e-3}}})
    return folder


def test_status_names_what_is_not_trained_yet(planned):
    plan, results = planned
    state = progress_of(plan, results)
    assert [one.model for one in state.untrained] == ["tiny+quick"]
    assert "Not trained yet: tiny+quick." in state.verdict
    written(plan, results, card=False)
    assert str(progress_of(plan, results).untrained[0]) == "tiny+quick (3 steps taken)"
    write_json(results.trained(plan.grid.models[0].training.key) / "card.json", {})
    assert not progress_of(plan, results).untrained
    assert progress_of(plan, results).as_json()["trainings"][0]["trained"]


def test_the_plan_tells_what_is_trained_on_what(planned):
    plan, _ = planned
    (job,) = describe(plan)["trainings"].values()
    assert [way["name"] for way in job["data"][1]["ways"]] == ["clean", "black"]
    (model,) = plan.grid.models
    (batch,) = plan.batches
    assert batch.model.training.key == model.training.key == plan.training(model.training.key).key


def test_trainings_of_campaigns_are_no_garbage_and_others_are(planned):
    plan, results = planned
    folder = written(plan, results)
    held = holdings_of(results, "one")
    assert folder in held.trained
    assert {results.suite_spec(suite.key) for suite in plan.training(folder.name).suites} <= held.suites
    other = results.trained("0123456789abcdef")
    (other / "model").mkdir(parents=True)
    found = {one.path: one.what for one in collect(results)}
    assert found[other] == "trained model"
    assert folder not in found
    assert not {path for path in found if path.is_relative_to(results.suites_root)}


def test_an_archive_brings_how_a_model_was_trained_and_not_its_weights(planned):
    from mmplat.archive.packing import _files

    plan, results = planned
    folder = written(plan, results)
    packed = {path.name for path in _files(results, "one") if path.is_relative_to(folder)}
    assert packed == {"card.json", "losses.jsonl"}
    for path in (folder / "model").iterdir():
        path.unlink()
    (folder / "model").rmdir()
    with pytest.raises(ModelError, match=r"The weights of model 'tiny\+quick' are not in"):
        located(plan.grid.models[0], results)


def test_another_lab_loads_a_campaign_of_a_trained_model(planned, tmp_path):
    plan, results = planned
    folder = written(plan, results)
    (pair,) = plan.pairs
    said = {"model": {"name": pair.model.name, "key": "m"}, "suite": {"name": pair.suite.name, "key": pair.suite.key}}
    decided = results.decided("one", pair.model.name, pair.suite.name)
    write_json(decided / "decided.json", {"campaign": "one", **said})
    no_runs = pl.DataFrame(schema=dict.fromkeys(("run_id", "campaign", "suite_key"), pl.String))
    no_runs.write_parquet(decided / "runs.parquet")
    pack_campaign(results, "one", tmp_path / "one.tar.gz")
    there = Results(tmp_path / "there")
    load_campaign(there, tmp_path / "one.tar.gz")
    guest = there.guest("one")
    assert {path.name for path in guest.trained(folder.name).iterdir()} == {"card.json", "losses.jsonl"}
    assert guest.training(folder.name).read_bytes() == results.training(folder.name).read_bytes()
    assert load_campaign(there, tmp_path / "one.tar.gz").written == 0


@pytest.mark.slow
def test_a_training_is_a_run_of_mlflow_with_its_losses_as_curves(planned, monkeypatch):
    from mmplat.tracking import mirror_trainings, prepare, tracking_uri
    from mmplat.tracking.ready import client

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    plan, results = planned
    key = written(plan, results).name
    assert prepare(results)["ready"]
    assert mirror_trainings(results, [key, "not-trained"]) is None
    assert mirror_trainings(results, [key]) is None  # once
    mlflow = client(tracking_uri(results))
    experiment = mlflow.get_experiment_by_name("mmplat trainings")
    (run,) = mlflow.search_runs([experiment.experiment_id])
    assert run.info.run_name == "tiny+quick"
    assert run.data.params["optimiser.lr"] == "0.001"
    curve = mlflow.get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in curve] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]


@pytest.mark.slow
def test_snakemake_trains_before_it_asks(planned, recipe_file, tmp_path):
    plan, results = planned
    grid = tmp_path / "grid.yaml"
    grid.write_text(plan.grid.text)
    command = [
        *(str(Path(sys.executable).parent / "snakemake"), "--profile", "profiles/default", "--dry-run"),
        *("--directory", str(tmp_path), "--config", f"grid={grid}", f"results={results.root}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    card = results.trained(plan.grid.models[0].training.key) / "card.json"
    assert f"output: {card}" in said
    asked = next(part for part in said.split("rule ")[1:] if part.startswith("ask:"))
    assert str(card) in asked.partition("output:")[0]
