"""The stages in their order, and all of them one after another."""

from __future__ import annotations

from collections.abc import Iterator

from mmplat.building.checking import CHECK_STAGE
from mmplat.building.describing import DESCRIBE_STAGE
from mmplat.building.images import READ
from mmplat.building.releasing import RELEASE_STAGE
from mmplat.building.selecting import SELECT
from mmplat.building.stages import Advance, Build, Ran, Stage, run
from mmplat.building.writing import WRITE_STAGE

DRAFTING: tuple[Stage, ...] = (READ, SELECT, DESCRIBE_STAGE, WRITE_STAGE, CHECK_STAGE)
"""What needs no person; RELEASE_STAGE follows the review."""
STAGES: dict[str, Stage] = {stage.name: stage for stage in (*DRAFTING, RELEASE_STAGE)}


def draft(build: Build, advance: Advance) -> Iterator[tuple[Stage, Ran]]:
    """Every stage up to the checks, as they are done."""
    for stage in DRAFTING:
        yield stage, run(stage, build, advance=advance)
