"""Runs → MLflow: an experiment per campaign, a run per cell, at three calls each.

A run of MLflow counts as written when it is terminated and carries our run id and the content of our record; one that a
killed publish left behind, or whose record has changed since (samples that had failed were asked again), is replaced.

Several results folders may share one MLflow. An experiment and its runs carry the id of the folder that made them, and what is of
another folder is left alone.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmplat.artifacts import Results
from mmplat.errors import ForeignCampaign
from mmplat.ids import content_id
from mmplat.locks import only_writer
from mmplat.owners import Owner, owner_of
from mmplat.records import MetricRecord, RunRecord
from mmplat.tracking.ready import (
    client,
    hidden_uri,
    is_own_file,
    is_server,
    reason_of,
    silent,
    tracking_uri,
    wait_until_ready,
)

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, Run
    from mlflow.tracking import MlflowClient

RUN_ID = "mmplat.run_id"
CONTENT = "mmplat.content"
ORIGIN = "mmplat.origin"
"""Id of the results folder that an experiment or a run is of."""
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
    refused: bool = False
    """The warning is of this campaign alone: its experiment is another results folder's."""


def mirror(
    results: Results,
    campaign: str,
    runs: Sequence[RunRecord],
    metrics_of: MetricsOf,
    *,
    take_over: bool = False,
    patience_s: float | None = None,
    advance: Advance = lambda n: None,
) -> Mirrored:
    """Brings the campaign's experiment to `runs`; never raises, a publish must not fail for its mirror.

    An experiment that is another results folder's is left alone, unless it is to be taken over. `metrics_of` is asked once,
    for the runs that are missing, so that a repeated publish reads nothing. A server gets `patience_s` seconds in all; what it
    has not taken by then is left for the next time.
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
            ours = Ours(client(uri), uri, owner_of(results), is_own_file(results, uri), take_over)
            return _mirror(ours, campaign, runs, metrics_of, deadline, advance)
    except ForeignCampaign as refusal:
        return Mirrored(uri=hidden_uri(uri), warning=f"MLflow at {hidden_uri(uri)}: {refusal}", refused=True)
    except Exception as error:  # whatever MLflow, its back end or the network raise
        return Mirrored(uri=hidden_uri(uri), warning=_warning(reason_of(error, uri)))


def _warning(reason: str) -> str:
    return (
        f"MLflow has no complete mirror of this campaign: {reason}. The store has it, and what MLflow lacks is queued: "
        "`mmplat tracking send`, or the next publish, sends it."
    )


@dataclass(frozen=True, slots=True)
class Ours:
    """An MLflow, and what of it is this results folder's."""

    mlflow: MlflowClient
    uri: str
    owner: Owner
    is_own_file: bool
    """Nobody else publishes there: what has no mark is ours."""
    take_over: bool
    """What is another folder's is to be replaced."""

    def may_replace(self, run: Run) -> bool:
        """A run in an experiment of ours."""
        return self.take_over or run.data.tags.get(ORIGIN, self.owner.id) == self.owner.id


def _mirror(
    ours: Ours,
    campaign: str,
    runs: Sequence[RunRecord],
    metrics_of: MetricsOf,
    deadline: float,
    advance: Advance,
) -> Mirrored:
    mlflow = ours.mlflow
    wanted = {run.run_id: _content(run) for run in runs}
    experiment = _claimed(ours, campaign, wanted)
    present: set[str] = set()
    removed = 0
    for found in filter(ours.may_replace, _existing(mlflow, experiment)):
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
        _write(mlflow, experiment, ours.owner, run, metrics.get(run.run_id, ()))
        written += 1
        advance(1)
    left = len(missing) - written
    slow = _warning(f"the server is slow, and {left} runs are left") if left else None
    return Mirrored(hidden_uri(ours.uri), written, len(present), removed, left, slow)


def _claimed(ours: Ours, campaign: str, wanted: Collection[str]) -> str:
    """The campaign's experiment, made where there is none and marked as ours; that of another results folder is refused.

    One of an earlier version has no mark. It is ours where the whole MLflow is, or where each of its runs is one that we
    publish; else nothing says whose its runs are, and replacing them could take them from somebody.
    """
    mlflow, owner = ours.mlflow, ours.owner
    found = mlflow.get_experiment_by_name(campaign)
    if found is None:
        return str(mlflow.create_experiment(campaign, tags={"mmplat.campaign": campaign, **_mark(owner)}))
    experiment, whose = str(found.experiment_id), found.tags.get(ORIGIN)
    if whose not in (None, owner.id) and not ours.take_over:
        who = f"made by {found.tags.get(f'{ORIGIN}_user')} on {found.tags.get(f'{ORIGIN}_host')}"
        raise ForeignCampaign(_refusal(campaign, f"of results folder {whose} ({who})", owner))
    if found.lifecycle_stage == "deleted":  # by a person in the UI; its name stays taken
        mlflow.restore_experiment(experiment)
    if whose is None and not (ours.is_own_file or ours.take_over):
        others = [run for run in _existing(mlflow, experiment) if run.data.tags[RUN_ID] not in wanted]
        if others:
            reason = f"of an earlier version of mmplat, with {len(others)} runs that are not in this results folder"
            raise ForeignCampaign(_refusal(campaign, reason, owner))
    if whose != owner.id:
        for name, value in _mark(owner).items():
            mlflow.set_experiment_tag(experiment, name, value)
    return experiment


def _mark(owner: Owner) -> dict[str, str]:
    return {ORIGIN: owner.id, f"{ORIGIN}_user": owner.user, f"{ORIGIN}_host": owner.host}


def _refusal(campaign: str, whose: str, owner: Owner) -> str:
    return (
        f"experiment {campaign!r} is {whose}. This is {owner}, and it changed nothing there; the campaign stays queued. To keep "
        f"both, give the grid here another `campaign`. To replace what is there: `mmplat publish {campaign} --take-over`."
    )


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


def _write(
    mlflow: MlflowClient, experiment: str, owner: Owner, run: RunRecord, metrics: Iterable[MetricRecord]
) -> None:
    name = f"{run.model}/{run.suite}/{run.decoding}/{run.method}"
    created = mlflow.create_run(experiment, run_name=name, tags={**_tags(run), ORIGIN: owner.id})
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
    later = {"evidence_digest"} if run.evidence_digest is None else set()  # what earlier versions wrote stays as it is
    return content_id(run.model_dump(mode="json", exclude={"seconds"} | later))


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
