"""The decided folders of a campaign as the files hold them: what the store and the MLflow mirror are made from."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mmplat.artifacts import Results, read_json, refuse_altered
from mmplat.errors import ArtifactError, UnknownName
from mmplat.ids import bytes_id, content_id
from mmplat.records import MetricRecord, RunRecord

if TYPE_CHECKING:
    import polars as pl

METRIC_COLUMNS = list(MetricRecord.model_fields)
RUN_COLUMNS = list(RunRecord.model_fields)
LATER_COLUMNS = {"origin", "evidence_digest"}
"""Columns that files of earlier versions lack; the record's own default stands for them."""


@dataclass(frozen=True, slots=True)
class DecidedFolder:
    """One model on one suite in one campaign; complete, because its decided.json exists."""

    folder: Path
    campaign: str
    model: dict[str, Any]
    suite: dict[str, Any]
    failed: int
    seconds: float
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each table beside it, as decided.json says; an earlier version named none."""
    guest: bool = False
    """Whether the campaign came as an archive."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever anything changes that the store holds."""
        names = ("decided.json", "runs.parquet", "metrics.parquet")
        return content_id({name: bytes_id(_bytes(self.folder / name)) for name in names})

    def runs(self) -> list[RunRecord]:
        path = self.folder / "runs.parquet"
        try:
            runs = [_run_record(row) for row in self._table(path.name, RUN_COLUMNS).to_dicts()]
        except (ValidationError, ValueError) as error:
            raise ArtifactError(
                f"{path} holds a run that cannot be read ({error}). Delete {self.folder} and run `mmplat decide` again."
            ) from error
        for run in runs:
            if (run.campaign, run.model, run.suite) != (self.campaign, self.model["name"], self.suite["name"]):
                raise ArtifactError(
                    f"{path} holds run {run.run_id} of {run.campaign}/{run.model}/{run.suite}: it was copied from "
                    f"elsewhere. Delete {self.folder} and run `mmplat decide` again."
                )
        if self.guest:
            return [run.model_copy(update={"origin": "archive"}) if run.origin == "measured" else run for run in runs]
        return runs

    def metrics(self) -> list[dict[str, Any]]:
        """Rows of metrics.parquet; not a number is undefined, as None, because back ends disagree on storing it."""
        import polars.selectors as selectors

        table = self._table("metrics.parquet", METRIC_COLUMNS)
        return table.with_columns(selectors.float().fill_nan(None)).to_dicts()

    def _table(self, name: str, columns: list[str]) -> pl.DataFrame:
        refuse_altered(self.folder / name, self.files.get(name))
        return _table(self.folder / name, columns)

    def metrics_of(self, run_ids: Collection[str]) -> list[MetricRecord]:
        wanted = set(run_ids)
        return [MetricRecord.model_validate(row) for row in self.metrics() if row["run_id"] in wanted]


def campaigns_on_disk(results: Results) -> list[str]:
    """Campaigns with a plan, by the name that the plan gives."""
    return sorted(str(read_json(plan, made_by="mmplat plan")["campaign"]) for plan in results.plans)


def decided_folders(results: Results, campaign: str) -> list[DecidedFolder]:
    """Complete folders of the campaign's pairs, sorted; a folder without decided.json is still being written.

    A pair that left the grid keeps its folder, and leaves the store: a leaderboard shows what its grid says.
    """
    if not results.plan(campaign).exists():
        raise UnknownName("campaign", campaign, campaigns_on_disk(results), where=f" in {results.root / 'campaigns'}")
    plan = read_json(results.plan(campaign), made_by="mmplat plan --write")
    planned = [results.decided(campaign, pair["model"], pair["suite"]) / "decided.json" for pair in plan["pairs"]]
    return [
        _decided_folder(marker, campaign, results.has_guest(campaign)) for marker in sorted(planned) if marker.exists()
    ]


def undecided(results: Results, campaign: str) -> list[str]:
    """The pairs of the campaign's plan that are not decided yet, by name; none where the folder has no such campaign."""
    path = results.plan(campaign)
    plan = read_json(path, made_by="mmplat plan --write") if path.exists() else {}
    pairs = [(str(pair["model"]), str(pair["suite"])) for pair in plan.get("pairs", ())]
    return [
        f"{model} × {suite}"
        for model, suite in pairs
        if not (results.decided(campaign, model, suite) / "decided.json").exists()
    ]


def _decided_folder(marker: Path, campaign: str, guest: bool) -> DecidedFolder:
    made_by = "mmplat decide"
    found = read_json(marker, made_by=made_by)
    try:
        folder = DecidedFolder(
            folder=marker.parent,
            campaign=str(found["campaign"]),
            model={key: found["model"][key] for key in ("name", "key", "identity")},
            suite={key: found["suite"][key] for key in ("name", "key", "kind", "version", "n", "content_id", "params")},
            failed=int(found["failed"]),
            seconds=float(found["seconds"]),
            files={str(name): str(digest) for name, digest in found.get("files", {}).items()},
            guest=guest,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{marker} was written by another version of mmplat ({error!r}). Delete {marker.parent} and run "
            f"`{made_by}` again: it decides from the stored evidence and asks no model."
        ) from error
    if folder.campaign != campaign:
        raise ArtifactError(
            f"{marker} belongs to campaign {folder.campaign!r}, but lies in {campaign!r}. Delete {marker.parent} and "
            f"run `{made_by}` again."
        )
    return folder


def _run_record(row: dict[str, Any]) -> RunRecord:
    return RunRecord.model_validate(
        {**row, "settings": json.loads(row["settings"]), "versions": json.loads(row["versions"])}
    )


def _table(path: Path, columns: list[str]) -> pl.DataFrame:
    import polars as pl

    try:
        table = pl.read_parquet(_bytes(path))
        return table.select([name for name in columns if name in table.columns or name not in LATER_COLUMNS])
    except pl.exceptions.PolarsError as error:
        raise ArtifactError(
            f"{path} cannot be read: {str(error).splitlines()[0]}. It is altered or from another version of mmplat. "
            f"Delete {path.parent} and run `mmplat decide` again: it asks no model."
        ) from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(
            f"{path} is missing beside its decided.json. Delete {path.parent} and run `mmplat decide` again."
        ) from None
