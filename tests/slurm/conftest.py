"""Fixtures of this folder: a real cluster, and the tables of a run that nothing disturbs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders import Ran, run_grid
from slurm_campaign import GRID
from slurm_cluster import Cluster, missing, started

from mmplat.artifacts import Results


@pytest.fixture(scope="session")
def slurm() -> None:
    """Skips where no cluster can be started."""
    reason = missing()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def cluster(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with started(tmp_path_factory.mktemp("slurm") / "cluster") as running:
        yield running


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same grid in this process, without a cluster and without faults."""
    return run_grid(GRID.replace("PAUSE", "0"), Results(tmp_path_factory.mktemp("undisturbed") / "results"))
