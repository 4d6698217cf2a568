"""Trainings → MLflow: a run each in one experiment, its recipe as parameters and its losses as curves.

A run is whole when it is terminated and names the training's key and weights; a training that a grid has twice is there once.
Results folders share the experiment: each takes away runs of its own alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mmplat.artifacts import Results, read_json
from mmplat.locks import only_writer
from mmplat.owners import owner_of
from mmplat.tracking.mirror import BATCH_LIMIT, NAME_LIMIT, ORIGIN, clean, flattened, shortened
from mmplat.tracking.ready import client, is_own_file, reason_of, silent, tracking_uri, wait_until_ready

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

EXPERIMENT = "mmplat trainings"
KEY, WEIGHTS = "mmplat.training", "mmplat.weights"
NO_CURVE = {"step", "seconds"}
PARAMS_LIMIT = 100
"""Of one call, MLflow's own limit."""


def mirror_trainings(results: Results, keys: Iterable[str]) -> str | None:
    """Brings finished trainings to MLflow; returns why not, None where all are there. Never raises, as `mirror` does not."""
    cards = [_card(results, key) for key in keys if (results.trained(key) / "card.json").exists()]
    uri = tracking_uri(results)
    try:
        missing = (silent(uri) or wait_until_ready(results)) if cards else None
        if missing or not cards:
            return missing
        with only_writer(results.mirror_lock(EXPERIMENT), what="The MLflow mirror of trainings"):
            mlflow = client(uri)
            experiment, folder = _experiment(mlflow), owner_of(results).id
            unmarked = folder if is_own_file(results, uri) else "unknown"  # runs of earlier versions
            for card in cards:
                if not _is_there(mlflow, experiment, card, folder, unmarked):
                    _write(mlflow, experiment, folder, card, list(_points(results, card["key"])))
    except Exception as error:  # whatever MLflow, its back end or the network raise
        return reason_of(error, uri)
    return None


def _card(results: Results, key: str) -> dict[str, Any]:
    return dict(read_json(results.trained(key) / "card.json", made_by="mmplat train"))


def _experiment(mlflow: MlflowClient) -> str:
    found = mlflow.get_experiment_by_name(EXPERIMENT)
    if found is None:
        return str(mlflow.create_experiment(EXPERIMENT))
    if found.lifecycle_stage == "deleted":  # by a person in the UI; its name stays taken
        mlflow.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _is_there(mlflow: MlflowClient, experiment: str, card: dict[str, Any], folder: str, unmarked: str) -> bool:
    """Whether anybody's run has these weights. One of this folder that a killed publish left behind is taken away."""
    there = False
    for run in mlflow.search_runs([experiment], f"tags.`{KEY}` = '{card['key']}'"):
        whole = run.info.status == "FINISHED" and run.data.tags.get(WEIGHTS) == card["weights"]
        if whole and not there:
            there = True
        elif run.data.tags.get(ORIGIN, unmarked) == folder:
            mlflow.delete_run(run.info.run_id)
    return there


def _write(mlflow: MlflowClient, experiment: str, folder: str, card: dict[str, Any], points: list[Metric]) -> None:
    from mlflow.entities import Param

    tags = {ORIGIN: folder, KEY: card["key"], WEIGHTS: card["weights"], "mmplat.parent": card["parent"]["name"]}
    run = mlflow.create_run(experiment, run_name=card["model"][:NAME_LIMIT], tags=tags).info.run_id
    params = [Param(clean(name), shortened(value)) for name, value in flattened(card["recipe"])]
    while points or params:
        mlflow.log_batch(run, metrics=points[: BATCH_LIMIT - PARAMS_LIMIT], params=params[:PARAMS_LIMIT])
        points, params = points[BATCH_LIMIT - PARAMS_LIMIT :], params[PARAMS_LIMIT:]
    mlflow.set_terminated(run, status="FINISHED")


def _points(results: Results, key: str) -> Iterator[Metric]:
    from mlflow.entities import Metric

    for line in (results.trained(key) / "losses.jsonl").read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        for name, value in told.items():
            if name not in NO_CURVE:
                yield Metric(clean(name), value, timestamp=0, step=int(told["step"]))
