"""Files → store. Idempotent: the store ends up as the files are, however often and in whatever order it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from mmplat.artifacts import Results, read_json
from mmplat.errors import ArtifactError, ForeignCampaign, StoreError
from mmplat.store.decided import DecidedFolder, campaigns_on_disk, decided_folders, undecided
from mmplat.store.engine import engine_of, hidden, reason_of, store_url
from mmplat.store.migrate import ensure
from mmplat.store.models import Campaign, Decided, Metric, Model, Run, Suite
from mmplat.store.owning import Claims, Stored, columns_of, stored_campaigns
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
    left: int
    """Cells that the store held and the files no longer do, those of a campaign that was taken over included."""
    runs: int
    incomplete: int
    """Runs that lack samples: these are in no metric."""
    failed: int
    covers: dict[str, str]
    """The pairs that are in the store, by name, each with the fingerprint of its decided folder."""
    missing: tuple[str, ...]
    """Pairs of the plan that are not decided yet."""
    taken_from: str | None = None
    """Whose campaign this one took the place of."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did."""

    published: list[Published] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    """Campaigns of this folder that have no files any more, with how many runs the store had of them."""
    refused: list[ForeignCampaign] = field(default_factory=list)
    """Why campaigns of this folder are not in the store: those of others stand there under their names."""


def publish(
    results: Results,
    campaign: str,
    *,
    url: str | None = None,
    take_over: bool = False,
    advance: Advance = lambda n: None,
) -> Published:
    """Brings one campaign of the store to what its files say, in one transaction.

    One that another results folder published is refused (`ForeignCampaign`), and replaced with `take_over`.
    """
    target = store_url(results, url)
    files = _files_of(results, campaign)
    ensure(target)
    claims = Claims.of(results, target)

    def replace(connection: Connection) -> Published:
        found = stored_campaigns(connection, campaign)
        stored = found[0] if found else None
        if stored is None or claims.owns(stored, files.grid_text):
            return _publish(connection, files, claims, advance)
        if not take_over:
            raise claims.refusal(stored)
        connection.execute(delete(Campaign).where(Campaign.campaign == campaign))
        return _publish(connection, files, claims, advance, taken=stored)

    return _in_transaction(target, replace)


def rebuild(results: Results, *, url: str | None = None, advance: Advance = lambda n: None) -> Rebuilt:
    """Takes this folder's campaigns out of the store and fills them in again from all files, those of others left alone.

    In one transaction: a failure leaves the store as it was.
    """
    target = store_url(results, url)
    found = {campaign: _files_of(results, campaign) for campaign in campaigns_on_disk(results)}
    ensure(target)
    claims = Claims.of(results, target)

    def refill(connection: Connection) -> Rebuilt:
        done = Rebuilt()
        free = dict(found)
        for stored in stored_campaigns(connection):
            files = found.get(stored.campaign)
            if claims.owns(stored, files.grid_text if files else None):
                connection.execute(delete(Campaign).where(Campaign.campaign == stored.campaign))
                if files is None:
                    done.removed[stored.campaign] = stored.runs
            elif files is not None:
                done.refused.append(claims.refusal(stored))
                del free[stored.campaign]
        done.published.extend(_publish(connection, files, claims, advance) for files in free.values())
        return done

    return _in_transaction(target, refill)


@dataclass(frozen=True, slots=True)
class _Files:
    """A campaign as its files hold it."""

    campaign: str
    row: dict[str, Any]
    """Of the table of campaigns, but for whose it is."""
    folders: Sequence[DecidedFolder]
    missing: tuple[str, ...]

    @property
    def grid_text(self) -> str:
        return str(self.row["grid_text"])


def _files_of(results: Results, campaign: str) -> _Files:
    folders = decided_folders(results, campaign)
    path = results.plan(campaign)
    plan = read_json(path, made_by="mmplat plan")
    names = [column.name for column in Campaign.__table__.columns if not column.name.startswith("origin_")]
    try:
        row = {name: plan[name] for name in names}
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} lacks {error}: another version of mmplat wrote it. Run `mmplat plan` again."
        ) from error
    return _Files(campaign, row, folders, tuple(undecided(results, campaign)))


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
    connection: Connection, files: _Files, claims: Claims, advance: Advance, *, taken: Stored | None = None
) -> Published:
    campaign, folders = files.campaign, files.folders
    write_published_figures(connection)
    _write_campaign(connection, {**files.row, **columns_of(claims.owner)})
    known = {
        (row.model, row.suite): row.fingerprint
        for row in connection.execute(select(Decided).where(Decided.campaign == campaign))
    }
    present = {(folder.model["name"], folder.suite["name"]): folder for folder in folders}
    gone = sorted(known.keys() - present.keys())
    marks = {at: folder.fingerprint for at, folder in present.items()}
    changed = [(folder, marks[at]) for at, folder in present.items() if known.get(at) != marks[at]]
    before = _cells(connection, campaign) if gone or changed else set()
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
    left = len(before - _cells(connection, campaign)) if before else 0
    statuses = connection.execute(select(Run.status).where(Run.campaign == campaign)).scalars().all()
    return Published(
        campaign=campaign,
        store=claims.store,
        folders=len(folders),
        written=len(changed),
        removed=len(gone),
        left=left if taken is None else taken.runs,
        runs=len(statuses),
        incomplete=sum(status == "incomplete" for status in statuses),
        failed=sum(status == "failed" for status in statuses),
        covers={f"{model} × {suite}": mark for (model, suite), mark in marks.items()},
        missing=files.missing,
        taken_from=None if taken is None else str(taken.owner or "an earlier version of mmplat"),
    )


def _cells(connection: Connection, campaign: str) -> set[Row[tuple[str, str, str, str, int]]]:
    cells = select(Run.model, Run.suite, Run.decoding, Run.method, Run.seed).where(Run.campaign == campaign)
    return set(connection.execute(cells).all())


def _write_campaign(connection: Connection, row: dict[str, Any]) -> None:
    # Updated in place: deleting the campaign would cascade to all its runs.
    if connection.execute(update(Campaign).where(Campaign.campaign == row["campaign"]).values(row)).rowcount == 0:
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
