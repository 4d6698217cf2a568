"""Which pairs of which plan a command is about: a campaign's plan.json or a grid, and one pair of it or all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.plan import Pair, Plan


def selected(
    plan: Path | None, grid: Path, model: str | None, suite: str | None, place: Results
) -> tuple[Plan, tuple[Pair, ...], bool]:
    """(plan, its pairs or the named one, whether one was named)."""
    from mmplat.errors import ConfigError
    from mmplat.grid import load_grid
    from mmplat.plan import plan_for, read_plan, write_plan

    if (model is None) != (suite is None):
        raise ConfigError("--model and --suite go together: give both, or neither for all pairs.")
    if plan is not None:
        made = read_plan(plan)
    else:
        made = plan_for(load_grid(grid), place)
        write_plan(made, place)
    if model is None or suite is None:
        return made, made.pairs, False
    return made, (made.pair(model, suite),), True
