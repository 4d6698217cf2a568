"""Benchmarks on disk, and suites prepared from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmark_files import Shelf

from mmplat.artifacts import Results
from mmplat.preparing import load_metadata, load_samples, prepare
from mmplat.records import Sample
from mmplat.suites import bind


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of files are remembered in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "data")


Prepare = Callable[..., tuple[list[Sample], dict[str, Any]]]


@pytest.fixture
def prepared(results: Results) -> Prepare:
    """Samples and metadata of a suite that is bound, prepared and read back."""

    def made(kind: str, params: dict[str, Any], **settings: Any) -> tuple[list[Sample], dict[str, Any]]:
        folder = prepare(bind(kind, params, **settings), results).parent
        return load_samples(folder), load_metadata(folder)

    return made
