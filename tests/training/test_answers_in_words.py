"""Free-form answers beside multiple choices in one mix, as in the paper on interference, on a small real checkpoint."""

import json

import pytest
from benchmark_files import Shelf
from checkpoints import CHECKPOINTS
from torch import isfinite, tensor

from mmplat.models import bind as bind_model
from mmplat.preparing import prepare
from mmplat.recipes import bind
from mmplat.training import train
from mmplat.training.data import items_of

RECIPE = """
data:
  - suite: {{name: world-objects, params: {{n: 8, seed: 900}}}}
    conditions: [misleading-description]
  - suite: {{name: llava-instruct, params: {{path: "{instruct[path]}", images: "{instruct[images]}"}}}}
    target: answer
  - suite: {{name: textcaps, params: {{path: "{captions[path]}", images: "{captions[images]}", captions: all}}}}
    target: answer
batch: {{image: 2, both: 5}}
losses:
  consistency: {{kind: kl, weight: 0.01}}
optimiser: {{lr: 5.0e-3}}
schedule: {{steps: 12, warmup: 0, kind: constant}}
"""


@pytest.fixture
def job(tmp_path, results):
    CHECKPOINTS["llava"](tmp_path / "llava")
    shelf = Shelf(tmp_path / "data")
    recipe = tmp_path / "mix.yaml"
    recipe.write_text(RECIPE.format(instruct=shelf.llava_instruct(), captions=shelf.textcaps()))
    job = bind(bind_model("llava", {"path": str(tmp_path / "llava")}), str(recipe))
    for suite in job.suites:
        prepare(suite, results)
    return job


def test_the_reference_answers_are_what_is_to_be_said(job, results):
    told = {part.ways[0].suite.kind: [item.answer for item in items_of(part, results)] for part in job.data}
    assert sorted(told["llava-instruct"]) == ["A 0.", "A 1."]
    assert sorted(told["textcaps"]) == ["A bus of b2", "A red sign of a1", "A sign of a1"]
    assert set(told["world-objects"]) == {"yes", "no"}
    assert {part.family for part in job.data} == {"image", "both"}


def test_words_and_labels_are_learned_together(job, results):
    train(job, results)
    lines = (results.trained(job.key) / "losses.jsonl").read_text().splitlines()
    losses = tensor([json.loads(line)["loss"] for line in lines])
    assert isfinite(losses).all()
    assert losses[-3:].mean() < 0.7 * losses[:3].mean()
