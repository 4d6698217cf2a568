"""Runs → MLflow: an experiment per campaign, a run per cell, at three calls each.

A run of MLflow counts as written when it is terminated and carries our run id and the content of our record; one that a
killed publish left behind, or whose record has changed since (samples that had failed were asked again), is replaced.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmplat.artifacts import Results, only_writer
from mmplat.ids import content_id
from mmplat.records import MetricRecord, RunRecord
from mmplat.tracking.ready import client, hidden_uri, is_server, reason_of, silent, tracking_uri, wait_until_ready

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, Run
    from mlflow.tracking import MlflowClient

RUN_ID = "mmplat.run_id"
CONTENT = "mmplat.content"
TEXT_LIMIT = 500  # characters of a parameter or tag; back ends differ, all take this
NAME_LIMIT = 250
BATCH_LIMIT = 1000  # metrics per log_batch call, MLflow's own limit

MetricsOf = Callable[[Sequence[RunRecord]], Mapping[str, Sequence[MetricRecord]]]
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What the mirror did; `warning` says in one line why it stopped, None where it is complete."""

    uri: str
    written: int = 0
    present: int = 0
    removed: int = 0
    left: int = 0
    """Runs that wait for the next time, because the server took too long."""
    warning: str | None = None


def mirror(
    results: Results,
    campaign: str,
    runs: Sequence[RunRecord],
    metrics_of: MetricsOf,
    *,
    patience_s: float | None = None,
    advance: Advance = lambda n: None,
) -> Mirrored:
    """Brings the campaign's experiment to `runs`; never raises, a publish must not fail for its mirror.

    `metrics_of` is asked once, for the runs that are missing, so that a repeated publish reads nothing. A server gets
    `patience_s` seconds in all; what it has not taken by then is left for the next time.
    """
    uri = tracking_uri(results)
    patient = patience_s is None or not is_server(uri)
    deadline = math.inf if patient else time.monotonic() + (patience_s or 0.0)
    try:
        missing_store = silent(uri) or wait_until_ready(results)
        if missing_store:
            return Mirrored(uri=hidden_uri(uri), warning=_warning(missing_store))
        # Two publishers of one campaign would both find the same runs missing.
        with only_writer(results.mirror_lock(campaign), what=f"The MLflow mirror of {campaign}"):
            return _mirror(client(uri), uri, campaign, runs, metrics_of, deadline, advance)
    except Exception as error:  # whatever MLflow, its back end or the network raise
        return Mirrored(uri=hidden_uri(uri), warning=_warning(reason_of(error, uri)))


def _warning(reason: str) -> str:
    return (
        f"MLflow has no complete mirror of this campaign: {reason}. The store has it, and what MLflow lacks is queued: "
        "`mmplat tracking send`, or the next publish, sends it."
    )


def _mirror(
    mlflow: MlflowClient,
    uri: str,
    campaign: str,
    runs: Sequence[RunRecord],
    metrics_of: MetricsOf,
    deadline: float,
    advance: Advance,
) -> Mirrored:
    experiment = experiment_of(mlflow, campaign)
    wanted = {run.run_id: _content(run) for run in runs}
    present: set[str] = set()
    removed = 0
    for found in _existing(mlflow, experiment):
        tags, whole = found.data.tags, found.info.status in ("FINISHED", "FAILED")
        run_id = tags[RUN_ID]
        if whole and run_id not in present and tags.get(CONTENT) == wanted.get(run_id, "superseded"):
            present.add(run_id)
        else:
            mlflow.delete_run(found.info.run_id)
            removed += 1
    missing = [run for run in runs if run.run_id not in present]
    metrics = metrics_of(missing) if missing else {}
    advance(len(present))
    written = 0
    for run in missing:
        if time.monotonic() > deadline:
            break
        _write(mlflow, experiment, run, metrics.get(run.run_id, ()))
        written += 1
        advance(1)
    left = len(missing) - written
    slow = _warning(f"the server is slow, and {left} runs are left") if left else None
    return Mirrored(hidden_uri(uri), written, len(present), removed, left, slow)


def experiment_of(mlflow: MlflowClient, campaign: str) -> str:
    found = mlflow.get_experiment_by_name(campaign)
    if found is None:
        return str(mlflow.create_experiment(campaign, tags={"mmplat.campaign": campaign}))
    if found.lifecycle_stage == "deleted":  # by a person in the UI; its name stays taken
        mlflow.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _existing(mlflow: MlflowClient, experiment: str) -> list[Run]:
    """All runs of ours in the experiment; people may keep others beside them."""
    runs: list[Run] = []
    token = None
    while True:
        page = mlflow.search_runs([experiment], f"tags.`{RUN_ID}` LIKE '%'", max_results=1000, page_token=token)
        runs.extend(page)
        token = page.token
        if not token:
            return runs


def _write(mlflow: MlflowClient, experiment: str, run: RunRecord, metrics: Iterable[MetricRecord]) -> None:
    name = f"{run.model}/{run.suite}/{run.decoding}/{run.method}"
    created = mlflow.create_run(experiment, run_name=name, tags=_tags(run))
    points, params = _points(metrics), _params(run)
    while points or params:
        batch, points = points[: BATCH_LIMIT - 100], points[BATCH_LIMIT - 100 :]
        mlflow.log_batch(created.info.run_id, metrics=batch, params=params[:100])
        params = params[100:]
    mlflow.set_terminated(created.info.run_id, status="FAILED" if run.status == "failed" else "FINISHED")


def _tags(run: RunRecord) -> dict[str, str]:
    named = ("run_id", "campaign", "status", "error", "device", "dtype", "git_revision", "git_dirty", "model_key",
             "suite_key", "evidence_key")  # fmt: skip
    values = {f"mmplat.{name}": getattr(run, name) for name in named}
    values[CONTENT] = _content(run)
    values |= {f"version.{package}": version for package, version in run.versions.items()}
    return {name[:NAME_LIMIT]: str(value)[:TEXT_LIMIT] for name, value in values.items() if value is not None}


def _content(run: RunRecord) -> str:
    """Identity of the record but for its seconds: deciding the same again takes another time and says nothing new."""
    return content_id(run.model_dump(mode="json", exclude={"seconds"}))


def _params(run: RunRecord) -> list[Param]:
    from mlflow.entities import Param

    named = ("model", "suite", "decoding", "method", "seed")
    values: dict[str, Any] = {name: getattr(run, name) for name in named} | dict(flattened(run.settings))
    return [Param(clean(name), shortened(value)) for name, value in values.items()]


def _points(metrics: Iterable[MetricRecord]) -> list[Metric]:
    from mlflow.entities import Metric

    values: dict[str, float] = {}
    for metric in metrics:
        if metric.value is not None:
            values.setdefault(metric_name(metric.metric, metric.subset), metric.value)
    return [Metric(name, value, timestamp=0, step=0) for name, value in values.items()]


def metric_name(metric: str, subset: str) -> str:
    """`metric` for the whole suite, else `metric/subset`."""
    return clean(metric) if subset == "all" else f"{clean(metric)}/{clean(subset)}"[:NAME_LIMIT]


def clean(name: str) -> str:
    """A name as MLflow allows it: no sign outside its list, and nothing that reads as a path."""
    cleaned = re.sub(r"[^A-Za-z0-9_\-. :]", "_", name)[:NAME_LIMIT]
    return cleaned if cleaned.strip(".") else f"_{cleaned}"


def shortened(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text[:TEXT_LIMIT]


def flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
