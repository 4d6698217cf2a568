"""The tables of the store. Natural keys only, so that a store rebuilt from files equals the one it replaces."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Named constraints: batch migrations on SQLite and drops on PostgreSQL can only address what has a name.
NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Wide numbers on every back end: forward passes of a large grid exceed 32 bits, a bare FLOAT may keep 24."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads a plain class attribute)
        str: String,
        int: BigInteger,
        float: Float(53),
        bool: Boolean,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


def _campaign_key(*, primary: bool = True) -> Mapped[str]:
    return mapped_column(ForeignKey("campaigns.campaign", ondelete="CASCADE"), primary_key=primary)


class Campaign(Base):
    """One grid, run at one time, as its plan says."""

    __tablename__ = "campaigns"

    campaign: Mapped[str] = mapped_column(primary_key=True)
    grid: Mapped[dict[str, Any]]
    grid_text: Mapped[str] = mapped_column(Text)
    cells: Mapped[int]
    planned: Mapped[int]
    skipped: Mapped[list[Any]]
    forwards: Mapped[int | None]
    """None while a suite without a fixed size is not prepared."""
    forwards_cell_by_cell: Mapped[int | None]
    origin_folder: Mapped[str | None]
    """Id of the results folder that published it (`mmplat.owners`); None: a version that kept none did."""
    origin_user: Mapped[str | None]
    origin_host: Mapped[str | None]
    origin_made: Mapped[str | None]
    """When that folder got its id, in UTC."""


class Decided(Base):
    """One decided folder as it was when it was published: an unchanged folder is not read again."""

    __tablename__ = "decided"

    campaign: Mapped[str] = _campaign_key()
    model: Mapped[str] = mapped_column(primary_key=True)
    suite: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    """Content id of the folder's files; the Parquet of the predictions is not part of it."""
    runs: Mapped[int]
    failed: Mapped[int]
    seconds: Mapped[float]


class Model(Base):
    """A model as a campaign found it; two identities under one name are two rows."""

    __tablename__ = "models"

    campaign: Mapped[str] = _campaign_key()
    model: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    identity: Mapped[dict[str, Any]]


class Suite(Base):
    """A suite as a campaign found it."""

    __tablename__ = "suites"

    campaign: Mapped[str] = _campaign_key()
    suite: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    version: Mapped[int]
    n: Mapped[int]
    content_id: Mapped[str]
    params: Mapped[dict[str, Any]]


class Run(Base):
    """One cell as recorded: the columns of `records.RunRecord`."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("campaign", "model", "suite", "decoding", "method", "seed", name="uq_runs_cell"),
        ForeignKeyConstraint(
            ["campaign", "model", "suite"],
            ["decided.campaign", "decided.model", "decided.suite"],
            name="fk_runs_decided",
            ondelete="CASCADE",
        ),
    )

    run_id: Mapped[str] = mapped_column(primary_key=True)
    campaign: Mapped[str]
    model: Mapped[str]
    suite: Mapped[str]
    decoding: Mapped[str]
    method: Mapped[str]
    seed: Mapped[int]
    origin: Mapped[str] = mapped_column(server_default="measured")
    status: Mapped[str]
    error: Mapped[str | None] = mapped_column(Text)
    n: Mapped[int]
    n_failed: Mapped[int]
    n_near_ties: Mapped[int]
    forward_passes: Mapped[int]
    seconds: Mapped[float]
    device: Mapped[str]
    dtype: Mapped[str]
    git_revision: Mapped[str | None]
    git_dirty: Mapped[bool | None]
    model_key: Mapped[str]
    suite_key: Mapped[str]
    evidence_key: Mapped[str]
    evidence_digest: Mapped[str | None]
    settings: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]


class PublishedFigure(Base):
    """A number that a paper printed, with where and how surely it was read. Not a run: nothing of it can be recomputed."""

    __tablename__ = "published_figures"

    source: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    suite: Mapped[str] = mapped_column(primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    decoding: Mapped[str] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    subset: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    certainty: Mapped[str]
    """How it was read: see `store.papers`."""
    note: Mapped[str]


class Metric(Base):
    """One aggregate of one run: the columns of `records.MetricRecord`."""

    __tablename__ = "metrics"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    subset: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    n: Mapped[int]
