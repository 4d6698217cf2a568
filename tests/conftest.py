"""Fixtures that tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import GRID, Ran, run_grid
from hypothesis import settings

from mmplat.artifacts import Results
from mmplat.plan import Plan, make_plan

settings.register_profile("steady", deadline=None)  # how long an example takes is the machine's business
settings.load_profile("steady")

# Another process trains or serves beside the tests: threads beyond one only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """A results folder whose path holds what breaks careless quoting and patterns."""
    return Results(tmp_path / "it's [a] *b, 100% x=y" / "results")


@pytest.fixture(scope="session")
def fake_run(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The small fake grid, run once; tests only read it."""
    return run_grid(GRID, Results(tmp_path_factory.mktemp("fake") / "results"))


@pytest.fixture
def planned() -> Callable[[str], Plan]:
    from mmplat.grid import parse_grid

    return lambda text: make_plan(parse_grid(text))
