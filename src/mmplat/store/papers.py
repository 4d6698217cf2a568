"""Figures that papers published, from `published_figures.csv`: what was read in a source, never what was inferred.

`certainty` says how: `printed` (a table of the authors), `released data` (a file of theirs), `quoted` (by another paper or a
reviewer), `digitised` (off a plot; the note says how near). The file keeps percent, as printed; the store keeps shares, as
metrics are.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from mmplat.store.models import PublishedFigure

CERTAINTIES = ("printed", "released data", "quoted", "digitised")


@lru_cache(maxsize=1)
def published_figures() -> tuple[dict[str, Any], ...]:
    """Every figure as a row of the store, in the order of the file."""
    with Path(__file__).with_name("published_figures.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(_row(printed) for printed in csv.DictReader(stream))


def _row(printed: dict[str, str]) -> dict[str, Any]:
    text = printed.pop("printed")
    digits = len(text.partition(".")[2])
    return {**printed, "value": round(float(text) / 100, digits + 2)}


def write_published_figures(connection: Connection) -> None:
    """Brings the table to the file; a store that has them already is left alone."""
    columns = PublishedFigure.__table__.columns
    stored = {tuple(row) for row in connection.execute(select(*columns))}
    wanted = {tuple(row[column.name] for column in columns) for row in published_figures()}
    if stored != wanted:
        connection.execute(delete(PublishedFigure))
        connection.execute(insert(PublishedFigure), list(published_figures()))
