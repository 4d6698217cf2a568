"""What the results folder holds decides no code: files that tell jobs what to do are believed only as far as their names go."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmplat import jobfiles
from mmplat.artifacts import read_json, rewrite_json, write_json
from mmplat.cli.app import app
from mmplat.errors import ArtifactError, ConfigError, ModelError
from mmplat.grid import load_grid, parse_grid
from mmplat.jobfiles import Consent, needed_by, read_batch, read_suite, read_training
from mmplat.models import bind
from mmplat.models.identity import located
from mmplat.plan import make_plan, read_plan, write_plan, write_training
from mmplat.recipes import bind as bind_training

GRID = "campaign: trust\nmodels: [fake]\nsuites: [world-objects]\nlimit: 4\n"
TRUSTING = GRID.replace("[fake]", "[{name: fake, MORE: true}]")
FLAGS = ("trust_remote_code", "pickled_weights")


@pytest.fixture
def plan(results):
    made = make_plan(parse_grid(GRID))
    write_plan(made, results)
    return made


def trusting(flag, results):
    made = make_plan(parse_grid(TRUSTING.replace("MORE", flag)))
    write_plan(made, results)
    return results.batch(made.jobs[0].key)


def changed(path, change):
    said = read_json(path, made_by="test")
    change(said)
    write_json(path, said)


def run(verb, path, results, *words, **environment):
    found = CliRunner().invoke(app, [verb, str(path), "--results", str(results.root), *words], env=environment)
    assert found.exception is None or isinstance(found.exception, (SystemExit, ArtifactError, ConfigError))
    return found


# Names and contents


@pytest.mark.parametrize("flag", FLAGS)
def test_a_batch_under_the_key_of_another_is_not_asked(plan, results, flag):
    path = results.batch(plan.jobs[0].key)
    changed(path, lambda said: said["model"].update({flag: True}))
    for words in ((), ("--trust-remote-code", "--pickled-weights")):
        with pytest.raises(ArtifactError, match="does not hold what its name says.*nothing of it is run"):
            raise run("ask", path, results, *words).exception
    assert not results.batch_done(plan.jobs[0].key).exists()


def test_a_suite_under_the_key_of_another_is_not_prepared(plan, results):
    path = results.suite_spec(plan.grid.suites[0].key)
    changed(path, lambda said: said.update(limit=5))
    with pytest.raises(ArtifactError, match="does not hold what its name says"):
        raise run("prepare", path, results).exception


def test_a_training_under_the_key_of_another_is_not_run(results):
    path = write_training(bind_training(bind("tiny"), "clean"), results)
    assert read_training(path, Consent()).key == path.stem
    changed(path, lambda said: said["base"].update(trust_remote_code=True))
    with pytest.raises(ArtifactError, match="does not hold what its name says"):
        raise run("train", path, results).exception


def test_a_file_does_not_say_itself_what_stays_out_of_its_name(plan, results):
    """What is called a place is in no key, so a new parameter would change nothing of it."""
    path, batch = results.suite_spec(plan.grid.suites[0].key), results.batch(plan.jobs[0].key)

    def hide(said):
        said["params"]["cue"], said["places"] = "evil", ["cue"]

    changed(path, hide)
    changed(batch, lambda said: hide(said["suites"][0]["suite"]))
    for reads in (lambda: read_suite(path), lambda: read_batch(batch, Consent())):
        with pytest.raises(ArtifactError, match="keeps parameters of suite 'world-objects' out of its name"):
            reads()


def test_what_is_no_batch_is_one_message(plan, results):
    path = results.batch(plan.jobs[0].key)
    write_json(path, {"model": 1})
    with pytest.raises(ArtifactError, match=r"is no Batch of this version of mmplat \(model: .*mmplat plan --write"):
        read_batch(path, Consent())


@pytest.mark.parametrize("grid", sorted(Path("config/grids").glob("*.yaml")), ids=lambda path: path.stem)
def test_what_the_plan_writes_is_read_back_under_its_name(grid, results):
    try:
        made = make_plan(load_grid(grid))
    except ConfigError as error:
        pytest.skip(f"its data are not here: {error}")
    write_plan(made, results)
    for job in made.jobs:
        assert read_batch(results.batch(job.key), needed_by(made.grid.models)) == job.batch
    for suite in made.grid.suites:
        assert read_suite(results.suite_spec(suite.key)) == suite
    for training in made.grid.trainings.values():
        assert read_training(results.training(training.key), Consent()) == training


# Consent


@pytest.mark.parametrize("flag", FLAGS)
def test_a_batch_that_runs_code_needs_the_word_of_whoever_asks(results, flag):
    path, option = trusting(flag, results), f"--{flag.replace('_', '-')}"
    other = next(f"--{one.replace('_', '-')}" for one in FLAGS if one != flag)
    for words in ((), (other,)):
        with pytest.raises(ConfigError, match=f"The word of a file in a results folder is not enough .* add {option};"):
            raise run("ask", path, results, *words).exception
    assert run("prepare", results.suite_spec(read_batch(path, needed_by(models(results))).suites[0].suite.key), results)
    assert run("ask", path, results, option).exit_code == 0
    assert run("ask", path, results, **{f"MMPLAT_{flag.upper()}": "1"}).exit_code == 0


def models(results):
    return read_plan(results.plan("trust")).grid.models


def test_a_training_that_runs_code_needs_the_word_of_whoever_trains(results):
    job = bind_training(bind("tiny", {"pickled_weights": True}), "clean")
    path = write_training(job, results)
    with pytest.raises(ConfigError, match="is not enough .* add --pickled-weights"):
        raise run("train", path, results).exception
    assert read_training(path, Consent(pickled_weights=True)) == job


def test_processes_that_train_together_are_told_what_was_allowed_and_import_nothing_from_where_they_start(
    results, monkeypatch
):
    started = []

    def run(command, **given):
        started.append((command, given))
        return subprocess.CompletedProcess(command, 0)

    path = write_training(bind_training(bind("tiny", {"pickled_weights": True}), "clean"), results)
    monkeypatch.setattr("mmplat.cli.train.subprocess.run", run)
    monkeypatch.setattr("mmplat.preparing.prepare", lambda suite, place: None)
    words = ["train", str(path), "--processes", "2", "--pickled-weights", "--results", str(results.root)]
    assert CliRunner().invoke(app, words).exit_code == 0
    ((command, given),) = started
    assert command[-1] == "--pickled-weights"
    assert given["env"]["PYTHONSAFEPATH"] == "1"


def test_a_grid_is_the_consent_of_its_author(results, tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text(TRUSTING.replace("MORE", "trust_remote_code"))
    words = ["--grid", str(grid), "--results", str(results.root)]
    assert CliRunner().invoke(app, ["prepare", *words]).exit_code == 0
    assert CliRunner().invoke(app, ["ask", *words]).exit_code == 0


def test_a_workflow_hands_on_what_its_grid_allows_and_nothing_else(planned):
    assert needed_by(planned(GRID).grid.models).environment == {}
    for flag in FLAGS:
        needed = needed_by(planned(TRUSTING.replace("MORE", flag)).grid.models)
        assert needed.environment == {f"MMPLAT_{flag.upper()}": "1"}


def test_attention_of_a_hub_is_code_of_a_stranger():
    assert needed_by([bind("tiny", {"attention": "somebody/kernel"})]).options == ["--trust-remote-code"]
    assert needed_by([bind("tiny", {"attention": "sdpa"})]).options == []


# What the plan writes


def test_the_plan_replaces_what_somebody_put_under_its_name(plan, results):
    batch, suite = results.batch(plan.jobs[0].key), results.suite_spec(plan.grid.suites[0].key)
    changed(batch, lambda said: said["model"].update(trust_remote_code=True))
    suite.write_text("no JSON")
    write_plan(plan, results)
    assert read_batch(batch, Consent()) == plan.batches[0]
    assert read_suite(suite) == plan.grid.suites[0]


def test_a_batch_follows_the_settings_of_a_machine_and_keeps_its_time(plan, results):
    """The device is in no key: what was asked stays asked, and what was not is asked there."""
    path = results.batch(plan.jobs[0].key)
    os.utime(path, ns=(10**18, 10**18))
    inode = path.stat().st_ino
    write_plan(plan, results)
    assert path.stat().st_ino == inode, "it says the same, so it is left alone"
    moved = make_plan(parse_grid(GRID.replace("[fake]", "[{name: fake, device: cpu}]")))
    assert results.batch(moved.jobs[0].key) == path
    write_plan(moved, results)
    assert read_batch(path, Consent()).model.device == "cpu"
    assert path.stat().st_mtime_ns == 10**18


def test_rewriting_replaces_a_link_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "other").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    rewrite_json(tmp_path / "link", {"a": 1})
    assert (tmp_path / "other").read_text() == "{}"
    assert json.loads((tmp_path / "link").read_text()) == {"a": 1}


# Trained models: their weights lie in the results folder


@pytest.mark.parametrize("key", ["../../elsewhere", "", "/tmp/x", "abc/../../x"])
def test_a_trained_model_is_named_by_a_key_and_no_path(results, key):
    with pytest.raises(ModelError, match="names no trained model"):
        located(bind("tiny").model_copy(update={"path": f"trained:{key}"}), results)


def test_code_beside_trained_weights_is_never_run(results):
    base = bind("tiny", {"trust_remote_code": True})
    with pytest.raises(ConfigError, match="cannot be trained so: .*Train it by a recipe with `lora`"):
        bind_training(base, "clean")
    spec = base.model_copy(update={"path": "trained:0123456789abcdef"})
    folder = results.trained("0123456789abcdef")
    write_json(folder / "card.json", {})
    (folder / "model").mkdir()
    with pytest.raises(ModelError, match="cannot be loaded: .*others may write"):
        located(spec, results)


def test_trained_weights_are_loaded_from_safetensors_alone(results):
    spec = bind("tiny", {"pickled_weights": True}).model_copy(update={"path": "trained:0123456789abcdef"})
    folder = results.trained("0123456789abcdef")
    write_json(folder / "card.json", {})
    (folder / "model").mkdir()
    assert located(spec, results).pickled_weights is False


def test_what_is_written_is_not_what_is_believed(plan, results):
    """Between the plan and a job somebody may write once more: the job looks for itself."""
    path = results.batch(plan.jobs[0].key)
    jobfiles.write(path, plan.batches[0].model_copy(update={"model": bind("fake", {"trust_remote_code": True})}))
    with pytest.raises(ArtifactError, match="does not hold what its name says"):
        read_batch(path, Consent())
