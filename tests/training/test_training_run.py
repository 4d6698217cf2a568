"""Trainings from a job to a model that is asked: killed and gone on, with adapters, refused, in a grid."""

import errno
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from builders import ask_all
from safetensors.torch import load_file

from mmplat.errors import ArtifactError, ConfigError, ModelError
from mmplat.grid import parse_grid
from mmplat.models import families
from mmplat.models.identity import located
from mmplat.plan import make_plan, read_plan, write_plan, write_training
from mmplat.recipes import TrainingJob
from mmplat.training import resuming, train
from mmplat.training import run as training_run

ALL = """
losses:
  consistency: {kind: js, weight: 0.5}
  adversarial: {kind: sign-pgd, epsilon: 0.01, alpha: 0.005}
accumulate: 2
"""
LORA = "lora: {rank: 4, alpha: 8, dropout: 0.1}"


class Killed(BaseException):
    """As a signal is: nothing catches it."""


def weights_of(job, place):
    (path,) = (place.trained(job.key) / "model").glob("*.safetensors")
    return load_file(path)


def lines_of(job, place):
    text = (place.trained(job.key) / resuming.LOSSES).read_text()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text.splitlines()]


@pytest.mark.parametrize("more", [ALL, LORA], ids=["all", "lora"])
def test_a_killed_training_goes_on_to_the_very_same_weights(job_of, place, more):
    job = job_of(more)
    card = train(job, place)
    whole, lines = weights_of(job, place), lines_of(job, place)
    shutil.rmtree(place.trained(job.key))

    def kill(done, total):
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        train(job, place, advance=kill)
    assert not (place.trained(job.key) / "card.json").exists()
    again = train(job, place)
    assert again["went_on_from"] == 2
    assert lines_of(job, place) == lines
    assert all(torch.equal(whole[name], weight) for name, weight in weights_of(job, place).items())
    assert again["weights"] == card["weights"]
    assert not (place.trained(job.key) / resuming.POINT).exists()


def test_going_on_loses_no_line_when_the_disk_is_full(tmp_path, monkeypatch):
    """The card counts its steps in these lines."""
    losses = tmp_path / resuming.LOSSES
    losses.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n')

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(ArtifactError, match="disk is full"):
        patched.setattr(os, "fsync", full)
        resuming.lines_until(tmp_path, 2)
    assert len(losses.read_text().splitlines()) == 3
    assert resuming.lines_until(tmp_path, 2) == [{"step": 1}, {"step": 2}]
    assert len(losses.read_text().splitlines()) == 2


def test_a_finished_training_is_not_trained_again(job_of, place):
    job = job_of("seed: 3")
    first = train(job, place)
    assert train(job, place) == first


def test_the_card_says_from_what_by_what_and_on_what(job_of, place):
    job = job_of("seed: 3")
    card = train(job, place)
    assert card["parent"]["name"] == "tiny"
    assert card["recipe"]["name"] == job.name
    assert {one["key"] for one in card["data"]} == {suite.key for suite in job.suites}
    assert card["rows"] == sum(line["rows"] for line in lines_of(job, place)) == 4 * (2 * 2 + 2)
    assert card["rows_per_s"] > 0
    assert card["peak_memory_mb"] > 0
    seen = json.loads((place.trained(job.key) / "seen.json").read_text())
    assert card["seen"] == {name: len(values) for name, values in seen.items()}


def test_items_that_are_shown_in_one_way_each_are_learned_from(job_of, place):
    cues = "[{name: cue-wrong, share: 0.4}, {name: cue-gold, share: 0.4}]\n    clean: 0.2"
    job = job_of(conditions=cues, more="seed: 5")
    card = train(job, place)
    assert card["rows"] == 4 * (2 * 1 + 2)  # a picture question in one way, a fact in both of its own
    assert len(lines_of(job, place)) == 4


def test_full_training_changes_all_but_the_vision_tower(job_of, place):
    job = job_of("seed: 3")
    train(job, place)
    from mmplat.world import checkpoint_folder

    (base,) = checkpoint_folder("tiny").glob("*.safetensors")
    before, after = load_file(base), weights_of(job, place)
    same = {name for name, weight in before.items() if torch.equal(weight.float(), after[name])}
    tower = {name for name in before if "vision_tower" in name}
    assert tower <= same
    assert not {name for name in same - tower if "norm" not in name}


def test_an_adapter_is_loaded_as_any_other(job_of, place):
    job = job_of(LORA)
    train(job, place)
    model = job.model
    assert model.path == "world:tiny"
    assert model.adapter == f"trained:{job.key}"
    loaded = families.get(model.family).load(located(model, place))
    plain = families.get(model.family).load(job.base)
    changed = [
        name
        for (name, one), other in zip(loaded.network.named_parameters(), plain.network.parameters(), strict=True)
        if not torch.equal(one, other)
    ]
    assert changed
    assert all("language_model" in name for name in changed)
    assert (
        "/"
        not in json.loads((place.trained(job.key) / "model/adapter_config.json").read_text())["base_model_name_or_path"]
    )


def test_a_training_that_diverges_stops_with_the_step(job_of, place):
    job = job_of(lr="1.0e+30")
    with pytest.raises(ModelError, match=r"diverged at step 2.*Lower optimiser.lr"):
        train(job, place)


def test_what_was_trained_on_is_no_test(job_of, place, recipe_file):
    job = job_of("seed: 3")
    train(job, place)
    text = f"campaign: leak\nmodels: [{{name: tiny, trained: {recipe_file}}}]\nsuites:\n"
    same = make_plan(parse_grid(text + "  - {name: world-objects, params: {n: 30, seed: 900}}"))
    with pytest.raises(ConfigError, match=r"no test of model 'tiny\+quick', which was trained on .* pictures"):
        ask_all(same, place)
    facts = make_plan(parse_grid(text + "  - {name: world-facts, params: {n: 12, seed: 901}}"))
    ask_all(facts, place)  # its questions are declared as known


def test_a_grid_trains_a_model_and_asks_it(job_of, place, recipe_file):
    job = job_of("seed: 3")
    text = f"""
campaign: before-and-after
models: [tiny, {{name: tiny, trained: {recipe_file}}}]
suites: [{{name: world-objects, params: {{n: 12}}}}]
"""
    plan = make_plan(parse_grid(text))
    (planned,) = plan.grid.trainings.values()
    assert planned.key == job.key
    assert [model.name for model in plan.grid.models] == ["tiny", "tiny+quick"]
    path = write_plan(plan, place)
    assert TrainingJob.model_validate_json(place.training(job.key).read_text()) == planned
    train(planned, place)
    ask_all(plan, place)
    before, after = (json.loads(place.batch_done(batch.key).read_text()) for batch in plan.batches)
    assert before["asked"] + before["kept"] == after["asked"] + after["kept"] == 12
    assert before["identity"]["revision"] != after["identity"]["revision"]
    recipe_file.unlink()  # what was planned stays planned
    assert read_plan(path).grid.models == plan.grid.models
    assert str(place.root) not in path.read_text()


def test_a_model_that_is_not_trained_yet_is_refused_by_name(job_of, place):
    model = job_of("seed: 77").model
    with pytest.raises(ModelError, match=r"'tiny\+quick' is not trained yet .*mmplat train"):
        located(model, place)


def test_a_training_is_held_by_one_process(job_of, place, monkeypatch):
    from mmplat.errors import Busy
    from mmplat.locks import only_writer

    job = job_of("seed: 78")
    with only_writer(place.trained(job.key), what="it"), pytest.raises(Busy):
        training_run.train(job, place)


def test_gradient_checkpointing_changes_memory_and_no_weight(job_of, place, tmp_path):
    plain, saving = job_of("seed: 3"), job_of("seed: 3\ngradient_checkpointing: true")
    assert plain.key == saving.key
    train(plain, place)
    elsewhere = type(place)(tmp_path / "results")
    shutil.copytree(place.suites_root, elsewhere.suites_root)
    train(saving, elsewhere)
    before, after = weights_of(plain, place), weights_of(saving, elsewhere)
    assert all(torch.allclose(weight, after[name], atol=1e-6) for name, weight in before.items())


def test_bfloat16_is_of_the_arithmetic_and_of_what_is_written(job_of, place):
    job = job_of("dtype: bfloat16")
    card = train(job, place)
    assert card["losses"]["last"]["loss"] > 0
    assert {weight.dtype for weight in weights_of(job, place).values()} == {torch.bfloat16}


@pytest.mark.slow
def test_processes_that_share_weights_train_as_one_that_takes_their_batches(job_of, place, tmp_path):
    """Two processes with their weights in shards, as FSDP has them, against one that takes the batches of both."""
    losses = "losses: {consistency: {kind: kl, weight: 0.5}}\n"
    alone, many = job_of(losses + "accumulate: 2"), job_of(losses)
    train(alone, place)
    spec = write_training(many, place)
    how = ["--processes", "2", "--accelerate", "config/accelerate/fsdp.yaml", "--threads", "1"]
    command = [sys.executable, "-m", "mmplat", "train", str(spec), "--results", str(place.root), *how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("steps") == 1  # the first process speaks
    card = json.loads((place.trained(many.key) / "card.json").read_text())
    assert card["processes"] == 2
    assert card["rows"] == sum(line["rows"] for line in lines_of(alone, place))
    one, both = weights_of(alone, place), weights_of(many, place)
    assert one.keys() == both.keys()
    assert max(float((weight - both[name]).abs().max()) for name, weight in one.items()) < 1e-5
