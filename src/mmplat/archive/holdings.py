"""What a campaign refers to: its own folder, its batches, the suites it prepared and the evidence it was decided from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmplat.artifacts import Results, read_json
from mmplat.errors import UnknownName
from mmplat.recipes import TrainingJob
from mmplat.records import IMPORTED


@dataclass(frozen=True, slots=True)
class Holdings:
    """Paths that a campaign refers to, whether they exist or not."""

    campaign: str
    folder: Path
    decided: frozenset[Path]
    batches: frozenset[Path]
    suites: frozenset[Path]
    """Prepared folders, and the files that say what to prepare."""
    evidence: frozenset[Path]
    trained: frozenset[Path]
    """Folders of trained models, and the files that say how they are trained."""
    pending: frozenset[Path]
    """Folders of a model and a suite that are still being asked: whose evidence will be whose is not known yet."""


def campaigns_in(results: Results) -> list[str]:
    """Campaigns of this very folder: one that came as an archive lies in a folder of its own, with all that it refers to."""
    plans = sorted((results.root / "campaigns").glob("*/plan.json"))
    return sorted(str(read_json(plan, made_by="mmplat plan")["campaign"]) for plan in plans)


def holdings_of(results: Results, campaign: str) -> Holdings:
    """Read from its plan, the done-markers of its batches, and its decisions."""
    results = results.of(campaign)
    if not results.plan(campaign).exists():
        raise UnknownName("campaign", campaign, campaigns_in(results), where=f" in {results.root / 'campaigns'}")
    plan = read_json(results.plan(campaign), made_by="mmplat plan --write")
    pairs = [(str(pair["model"]), str(pair["suite"])) for pair in plan["pairs"]]
    decided = [_decided(results, campaign, *pair) for pair in pairs]
    return Holdings(
        campaign=campaign,
        folder=results.campaign(campaign),
        decided=frozenset(results.decided(campaign, *pair) for pair in pairs),
        batches=frozenset(path for batch in plan["batches"] for path in _batch_files(results, str(batch["key"]))),
        suites=frozenset(_suites(results, plan, filter(None, decided))),
        evidence=frozenset(_evidence(results, plan, filter(None, decided))),
        trained=frozenset(path for key in _trainings(plan) for path in (results.trained(key), results.training(key))),
        pending=frozenset(_pending(results, plan)),
    )


def _decided(results: Results, campaign: str, model: str, suite: str) -> dict[str, Any] | None:
    path = results.decided(campaign, model, suite) / "decided.json"
    return dict(read_json(path, made_by="mmplat decide")) if path.exists() else None


def _batch_files(results: Results, key: str) -> tuple[Path, ...]:
    return results.batch(key), results.batch_done(key), results.heartbeat(key)


def _suites(results: Results, plan: dict[str, Any], decided: Iterable[dict[str, Any]]) -> Iterator[Path]:
    planned = [(part["suite"], part["suite_key"]) for batch in plan["batches"] for part in batch["suites"]]
    planned += [(suite.name, suite.key) for job in _trainings(plan).values() for suite in job.suites]
    planned += [
        (one["suite"]["name"], key) for one in decided for key in {one["suite"]["key"], *_of_runs(results, one)}
    ]
    for name, key in set(planned):
        yield from (results.suite(name, key), results.suite_spec(key))


def _of_runs(results: Results, decided: dict[str, Any]) -> list[str]:
    """Imported runs of one pair may be of different samples, and decided.json names those of the last import alone."""
    import polars as pl

    folder = results.decided(decided["campaign"], decided["model"]["name"], decided["suite"]["name"])
    path = folder / "runs.parquet"
    if decided["suite"].get("params", {}).get("origin") != IMPORTED or not path.exists():
        return []
    keys: list[str] = pl.read_parquet(path.read_bytes(), columns=["suite_key"])["suite_key"].unique().to_list()
    return keys


def _trainings(plan: dict[str, Any]) -> dict[str, TrainingJob]:
    jobs = (TrainingJob.model_validate(said) for said in plan.get("trainings", {}).values())
    return {job.key: job for job in jobs}


def _evidence(results: Results, plan: dict[str, Any], decided: Iterable[dict[str, Any]]) -> Iterator[Path]:
    for batch in plan["batches"]:
        done = results.batch_done(batch["key"])
        if done.exists():
            for suite, key in read_json(done, made_by="mmplat ask")["evidence"].items():
                yield results.evidence(batch["model"], suite, key)
    for one in decided:
        yield results.evidence(one["model"]["name"], one["suite"]["name"], one["model"]["key"])


def _pending(results: Results, plan: dict[str, Any]) -> Iterator[Path]:
    for batch in plan["batches"]:
        if not results.batch_done(batch["key"]).exists():
            yield from (results.evidence(batch["model"], part["suite"], "any").parent for part in batch["suites"])
