"""How a run is named on the command line: by its id, by the beginning of it, or by its cell (model=…,suite=…)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmplat.artifacts import Results


def run_ids(names: Iterable[str], place: Results) -> list[str]:
    """Ids as they are given; a cell is looked up as `mmplat compare` does."""
    return [_of_cell(name, place) if "=" in name else name for name in names]


def _of_cell(name: str, place: Results) -> str:
    from mmplat.leaderboard import connect
    from mmplat.leaderboard.comparing import find_run

    connection = connect(place)
    try:
        return str(find_run(connection, name)["run_id"])
    finally:
        connection.close()
