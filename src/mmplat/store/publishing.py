"""Files → store. Idempotent: the store ends up as the files are, however often and in whatever order it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from mmplat.artifacts import Results, read_json
from mmplat.errors import ArtifactError, StoreError
from mmplat.store.decided import DecidedFolder, campaigns_on_disk, decided_folders
from mmplat.store.engine import engine_of, hidden, reason_of, store_url
from mmplat.store.migrate import ensure
from mmplat.store.models import Campaign, Decided, Metric, Model, Run, Suite
from mmplat.store.papers import write_published_figures

Advance = Callable[[int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did, for the caller's last line and for published.json."""

    campaign: str
    store: str
    """The store's URL without its password."""
    folders: int
    written: int
    """Folders whose rows were written; the others were published before and have not changed."""
    removed: int
    """Folders that the store held and the files no longer do."""
    runs: int
    incomplete: int
    """Runs that lack samples: these are in no metric."""
    failed: int


def publish(results: Results, campaign: str, *, url: str | None = None, advance: Advance = lambda n: None) -> Published:
    """Brings one campaign of the store to what its files say, in one transaction."""
    target = store_url(results, url)
    folders = decided_folders(results, campaign)
    ensure(target)
    return _in_transaction(target, lambda connection: _publish(connection, results, campaign, folders, advance))


def rebuild(results: Results, *, url: str | None = None, advance: Advance = lambda n: None) -> list[Published]:
    """Empties the store and fills it from all campaigns' files, in one transaction: a failure leaves it as it was."""
    target = store_url(results, url)
    found = [(campaign, decided_folders(results, campaign)) for campaign in campaigns_on_disk(results)]
    ensure(target)

    def refill(connection: Connection) -> list[Published]:
        connection.execute(delete(Campaign))
        return [_publish(connection, results, campaign, folders, advance) for campaign, folders in found]

    return _in_transaction(target, refill)


def _in_transaction(url: URL, work: Callable[[Connection], T]) -> T:
    engine = engine_of(url)
    try:
        with engine.begin() as connection:
            return work(connection)
    except IntegrityError as error:
        raise ArtifactError(
            f"The files contradict each other: {error.orig}. One run id or one cell occurs twice; delete the copied "
            "campaign folder and publish again. The store is as it was."
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(
            f"The store {hidden(url)} refused the rows: {reason_of(error, url)}. It is as it was; publish again."
        ) from error
    finally:
        engine.dispose()


def _publish(
    connection: Connection,
    results: Results,
    campaign: str,
    folders: Sequence[DecidedFolder],
    advance: Advance,
) -> Published:
    write_published_figures(connection)
    _write_campaign(connection, results, campaign)
    known = {
        (row.model, row.suite): row.fingerprint
        for row in connection.execute(select(Decided).where(Decided.campaign == campaign))
    }
    present = {(folder.model["name"], folder.suite["name"]): folder for folder in folders}
    gone = sorted(known.keys() - present.keys())
    changed = [(folder, mark) for at, folder in present.items() if known.get(at) != (mark := folder.fingerprint)]
    # All removals first: a run id may have moved between folders.
    for model, suite in [*gone, *((folder.model["name"], folder.suite["name"]) for folder, _ in changed)]:
        connection.execute(
            delete(Decided).where(Decided.campaign == campaign, Decided.model == model, Decided.suite == suite)
        )
    advance(len(folders) - len(changed))
    for folder, fingerprint in changed:
        _write_folder(connection, folder, fingerprint)
        advance(1)
    _write_catalog(connection, campaign, folders)
    statuses = connection.execute(select(Run.status).where(Run.campaign == campaign)).scalars().all()
    return Published(
        campaign=campaign,
        store=hidden(connection.engine.url),
        folders=len(folders),
        written=len(changed),
        removed=len(gone),
        runs=len(statuses),
        incomplete=sum(status == "incomplete" for status in statuses),
        failed=sum(status == "failed" for status in statuses),
    )


def _write_campaign(connection: Connection, results: Results, campaign: str) -> None:
    path = results.plan(campaign)
    plan = read_json(path, made_by="mmplat plan")
    try:
        row = {column.name: plan[column.name] for column in Campaign.__table__.columns}
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} lacks {error}: another version of mmplat wrote it. Run `mmplat plan` again."
        ) from error
    # Updated in place: deleting the campaign would cascade to all its runs.
    if connection.execute(update(Campaign).where(Campaign.campaign == campaign).values(row)).rowcount == 0:
        connection.execute(insert(Campaign), [row])


def _write_folder(connection: Connection, folder: DecidedFolder, fingerprint: str) -> None:
    runs = [run.model_dump() for run in folder.runs()]
    row = {
        "campaign": folder.campaign,
        "model": folder.model["name"],
        "suite": folder.suite["name"],
        "fingerprint": fingerprint,
        "runs": len(runs),
        "failed": folder.failed,
        "seconds": folder.seconds,
    }
    connection.execute(insert(Decided), [row])
    for table, rows in ((Run, runs), (Metric, folder.metrics())):
        if rows:
            connection.execute(insert(table), rows)


def _write_catalog(connection: Connection, campaign: str, folders: Sequence[DecidedFolder]) -> None:
    models: dict[tuple[str, str], dict[str, Any]] = {}
    suites: dict[tuple[str, str], dict[str, Any]] = {}
    for folder in folders:
        model, suite = dict(folder.model), dict(folder.suite)
        model["model"], suite["suite"] = model.pop("name"), suite.pop("name")
        models[model["model"], model["key"]] = {"campaign": campaign, **model}
        suites[suite["suite"], suite["key"]] = {"campaign": campaign, **suite}
    for table, rows in ((Model, models), (Suite, suites)):
        connection.execute(delete(table).where(table.campaign == campaign))
        if rows:
            connection.execute(insert(table), list(rows.values()))
