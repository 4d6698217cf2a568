"""The stages in their order, and all of them one after another."""

from __future__ import annotations

from collections.abc import Iterator

from mmplat.building.checking import CHECK
from mmplat.building.describing import DESCRIBE
from mmplat.building.images import READ
from mmplat.building.releasing import RELEASE
from mmplat.building.selecting import SELECT
from mmplat.building.stages import Advance, Build, Ran, Stage, run
from mmplat.building.writing import WRITE

DRAFTING: tuple[Stage, ...] = (READ, SELECT, DESCRIBE, WRITE, CHECK)
"""What needs no person; RELEASE follows the review."""
STAGES: dict[str, Stage] = {stage.name: stage for stage in (*DRAFTING, RELEASE)}


def draft(build: Build, advance: Advance) -> Iterator[tuple[Stage, Ran]]:
    """Every stage up to the checks, as they are done."""
    for stage in DRAFTING:
        yield stage, run(stage, build, advance=advance)
