"""Runs as the store recorded them: what `mmplat show` explains and `mmplat verify` recomputes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from mmplat.errors import StoreError, UnknownName
from mmplat.records import MetricRecord, RunRecord
from mmplat.store.engine import engine_of, hidden, reason_of
from mmplat.store.migrate import check, current
from mmplat.store.models import Campaign, Metric, Model, Run

T = TypeVar("T")
SHORTEST = 4
"""Characters of a run id that may stand for it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run with its metrics."""

    run: RunRecord
    metrics: tuple[MetricRecord, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the store knows of where a run comes from, beyond the run."""

    grid_text: str
    identity: dict[str, Any]
    """Of the model, as it was asked."""


def recorded(url: URL, run_ids: Iterable[str] = (), *, campaign: str | None = None) -> list[Recorded]:
    """The runs of these ids, or beginnings of ids; without any, all of a campaign or of the store."""

    def read(connection: Connection) -> list[Recorded]:
        wanted = [_full_id(connection, run_id) for run_id in run_ids]
        of_campaign = [Run.campaign == campaign] if campaign else []
        return _read(connection, [Run.run_id.in_(wanted)] if wanted else of_campaign)

    found = _reading(url, read)
    if not found:
        raise StoreError(
            f"{hidden(url)} holds no run{f' of {campaign!r}' if campaign else ''}. `mmplat publish` fills it."
        )
    return found


def origin_of(url: URL, run: RunRecord) -> Origin:
    """The grid and the model's identity behind a run."""

    def read(connection: Connection) -> Origin:
        grid = select(Campaign.grid_text).where(Campaign.campaign == run.campaign)
        identity = select(Model.identity).where(
            Model.campaign == run.campaign, Model.model == run.model, Model.key == run.model_key
        )
        return Origin(connection.execute(grid).scalar_one(), connection.execute(identity).scalar() or {})

    return _reading(url, read)


def _reading(url: URL, work: Callable[[Connection], T]) -> T:
    if current(url) is None:
        raise StoreError(f"There is no store at {hidden(url)} yet. `mmplat publish` makes it.")
    check(url)
    engine = engine_of(url, reads_only=True)
    try:
        with engine.connect() as connection:
            return work(connection)
    except SQLAlchemyError as error:
        raise StoreError(f"The store {hidden(url)} cannot be read: {reason_of(error, url)}") from error
    finally:
        engine.dispose()


def _full_id(connection: Connection, run_id: str) -> str:
    """A run id may be shortened as long as it is that of one run."""
    begins = Run.run_id.startswith(run_id, autoescape=True)
    found = connection.execute(select(Run.run_id).where(begins).limit(20)).scalars().all()
    if len(found) == 1 and len(run_id) >= SHORTEST:
        return found[0]
    known = found or connection.execute(select(Run.run_id).order_by(Run.run_id).limit(5)).scalars().all()
    where = f" (at least {SHORTEST} characters, of one run)" if found else ' (`mmplat sql "FROM runs"` lists them all)'
    raise UnknownName("run", run_id, known, where=where)


def _read(connection: Connection, conditions: list[ColumnElement[bool]]) -> list[Recorded]:
    order = (Run.campaign, Run.model, Run.suite, Run.method, Run.decoding, Run.seed)
    rows = connection.execute(select(Run.__table__).where(*conditions).order_by(*order)).mappings().all()
    of_run: dict[str, list[MetricRecord]] = defaultdict(list)
    metrics = select(Metric.__table__).join(Run, Run.run_id == Metric.run_id).where(*conditions)
    for row in connection.execute(metrics.order_by(Metric.run_id, Metric.metric, Metric.subset)).mappings():
        of_run[row["run_id"]].append(MetricRecord.model_validate(dict(row)))
    return [Recorded(RunRecord.model_validate(dict(row)), tuple(of_run[row["run_id"]])) for row in rows]
