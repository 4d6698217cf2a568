"""A training as a job of the cluster: killed on its node, it goes on elsewhere to the weights of one machine, and is asked."""

from __future__ import annotations

import json

import pytest
from slurm_campaign import Campaign
from slurm_cluster import wait_for

from mmplat.artifacts import Results
from mmplat.grid import load_grid
from mmplat.preparing import prepare
from mmplat.training import train

pytestmark = pytest.mark.slow
RECIPE = """
data:
  - suite: {name: world-objects, params: {n: 96, seed: 900}}
    conditions: [misleading-description]
batch: {image: 4}
losses:
  consistency: {kind: js, weight: 0.5}
optimiser: {lr: 1.0e-3}
schedule: {steps: 60}
checkpoint_every: 5
"""
GRID = """
campaign: trained
models: [{name: tiny, trained: RECIPE}]
suites: [{name: world-objects, params: {n: 20, seed: 3}}]
decodings: [greedy]
methods: [naive]
"""


def test_a_training_that_dies_on_its_node_goes_on_to_the_weights_of_one_machine(cluster, tmp_path):
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(RECIPE)
    one = Campaign(tmp_path / "work", cluster, grid=GRID.replace("RECIPE", str(recipe)))
    try:
        one.start()
        wait_for(lambda: len(lines_of(one.results)) > 10, 90)  # two points are kept
        cluster.kill_tasks(next(job[4] for job in cluster.jobs(states="RUNNING")))
        assert one.finish(180) == 0, one.said
    finally:
        one.end()
    assert "ended as FAILED" in one.said
    (job,) = load_grid(one.folder / "grid.yaml").trainings.values()
    card = json.loads((one.results.trained(job.key) / "card.json").read_text())
    assert card["went_on_from"] >= 10
    assert one.decided().table("runs")["model"].to_list() == ["tiny+quick"]

    alone = Results(tmp_path / "alone")
    for suite in job.suites:
        prepare(suite, alone)
    train(job, alone)
    assert weights(alone, job.key) == weights(one.results, job.key)


def lines_of(results: Results) -> list[str]:
    return [line for path in results.root.glob("trained/*/losses.jsonl") for line in path.read_text().splitlines()]


def weights(results: Results, key: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (results.trained(key) / "model").glob("*.safetensors")}
