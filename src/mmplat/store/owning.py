"""Which campaigns of a store a results folder may replace: its own, and another's only with --take-over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, RowMapping, func, select
from sqlalchemy.engine import URL

from mmplat.artifacts import Results
from mmplat.errors import ForeignCampaign
from mmplat.owners import Owner, owner_of
from mmplat.store.engine import hidden
from mmplat.store.models import Campaign, Run


@dataclass(frozen=True, slots=True)
class Stored:
    """A campaign of the store, as it concerns whose it is."""

    campaign: str
    owner: Owner | None
    """None: a version of mmplat that recorded none published it."""
    grid_text: str
    runs: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What one results folder may do with the campaigns of one store."""

    owner: Owner
    store: str
    """The URL, as messages may show it."""
    is_own_file: bool
    """The store is the file of this very folder: what has no owner is its own."""

    @classmethod
    def of(cls, results: Results, url: URL) -> Claims:
        is_file = url.get_backend_name() == "sqlite" and bool(url.database)
        is_own_file = is_file and Path(str(url.database)).resolve() == results.store.resolve()
        return cls(owner_of(results), hidden(url), is_own_file)

    def owns(self, stored: Stored, grid_text: str | None) -> bool:
        """`grid_text` is that of the folder's own campaign of the name: what has no owner is of who has the same grid."""
        if stored.owner is not None:
            return stored.owner.id == self.owner.id
        return self.is_own_file or stored.grid_text == grid_text

    def refusal(self, stored: Stored) -> ForeignCampaign:
        """Why a campaign of another folder is left alone, and what to do."""
        whose = stored.owner or "another grid, published by a version of mmplat that did not record from where"
        return ForeignCampaign(
            f"Campaign {stored.campaign!r} in {self.store} ({stored.runs} runs) is of {whose}. This is {self.owner}, and it "
            "changed nothing. To keep both, give the grid here another `campaign`. To replace what is there: `mmplat publish "
            f"{stored.campaign} --take-over`."
        )


def stored_campaigns(connection: Connection, campaign: str | None = None) -> list[Stored]:
    """The campaigns of a store, or the one of that name, with how many runs each has."""
    runs = select(Run.campaign, func.count().label("runs")).group_by(Run.campaign)
    rows = select(Campaign.__table__)
    if campaign is not None:
        runs, rows = runs.where(Run.campaign == campaign), rows.where(Campaign.campaign == campaign)
    counts: dict[str, int] = {row.campaign: row.runs for row in connection.execute(runs)}
    found = connection.execute(rows.order_by(Campaign.campaign)).mappings()
    return [Stored(row["campaign"], _owner(row), row["grid_text"], counts.get(row["campaign"], 0)) for row in found]


def _owner(row: RowMapping) -> Owner | None:
    folder = row["origin_folder"]
    return None if folder is None else Owner(folder, *(str(row[f"origin_{name}"]) for name in ("made", "user", "host")))


def columns_of(owner: Owner) -> dict[str, str]:
    """An owner as a campaign of the store has it."""
    return {
        "origin_folder": owner.id,
        "origin_user": owner.user,
        "origin_host": owner.host,
        "origin_made": owner.made,
    }
