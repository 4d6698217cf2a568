"""Images of known scenes, a tiny CLIP that misleading attributes deceive, and a writer on the loopback who knows the scenes."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import known_scenes
import pytest
import tiny_clip
import yaml
from endpoint.chat_server import Endpoint, serving

from mmplat.artifacts import Results
from mmplat.building import DRAFTING, STAGES, Build, run
from mmplat.building.items import Item
from mmplat.building.reviews import Reviews
from mmplat.building.settings import parse_build
from mmplat.models.endpoint import patience

IMAGES = 20


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Waits before another try last milliseconds; no key, folder or cache of whoever runs the tests is used."""
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.01)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "MMPLAT_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    tiny_clip.train(folder)
    return folder


@dataclass
class Bench:
    """A build of the known images, ready to be run."""

    folder: Path
    clip: Path
    results: Results
    writer: known_scenes.Writer
    endpoint: Endpoint

    def said(self, **changes: Any) -> dict[str, Any]:
        """The build as data; a keyword replaces keys of its section, or the value of a plain key."""
        said: dict[str, Any] = {
            "build": "birds",
            "images": {"path": str(self.folder / "images"), "source": "the world"},
            "select": {"model": str(self.clip), "batch_size": 8},
            "writer": {"params": {"url": self.endpoint.url, "model": "writer"}},
        }
        for key, value in copy.deepcopy(changes).items():
            said[key] = {**said.get(key, {}), **value} if isinstance(value, dict) else value
        return said

    def file(self, **changes: Any) -> Path:
        path = self.folder / "birds.yaml"
        path.write_text(yaml.safe_dump(self.said(**changes)), encoding="utf-8")
        return path

    def build(self, **changes: Any) -> Build:
        return Build(parse_build(yaml.safe_dump(self.said(**changes)), "birds.yaml"), self.results)

    def run(self, *stages: str, **changes: Any) -> Build:
        build = self.build(**changes)
        for stage in stages:
            run(STAGES[stage], build)
        return build

    def draft(self, **changes: Any) -> Build:
        """Every stage that needs no person."""
        return self.run(*(stage.name for stage in DRAFTING), **changes)

    def reviews(self, **changes: Any) -> Reviews:
        return Reviews(self.build(**changes))

    def items(self) -> list[Item]:
        return self.reviews().items()

    def sent(self) -> int:
        """Requests about images so far."""
        return len(self.endpoint.bodies)


@contextmanager
def benches(folder: Path, clip: Path, results: Results) -> Iterator[Callable[[int], Bench]]:
    """Makes a bench of so many images."""
    writer = known_scenes.Writer()
    with serving(Endpoint(told=writer, usage={"prompt_tokens": 200, "completion_tokens": 50})) as endpoint:

        def make(n: int) -> Bench:
            known_scenes.draw(folder / "images", writer, n)
            return Bench(folder, clip, results, writer, endpoint)

        yield make


@pytest.fixture
def make_bench(tmp_path: Path, clip: Path, results: Results) -> Iterator[Callable[[int], Bench]]:
    with benches(tmp_path / "of [mine], 100%", clip, results) as make:
        yield make


@pytest.fixture
def bench(make_bench: Callable[[int], Bench]) -> Bench:
    return make_bench(IMAGES)


@pytest.fixture(scope="session")
def draft(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder in which the checks let items of three classes pass and reject those about herons. Only copied."""
    folder = tmp_path_factory.mktemp("draft")
    with pytest.MonkeyPatch.context() as patched, benches(folder, clip, Results(folder / "results")) as make:
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        bench = make(IMAGES)
        bench.writer.fault = lambda scene: "ambiguous" if scene.klass == 0 else None
        bench.draft()
    return bench.results.root


@pytest.fixture
def drafted(draft: Path, bench: Bench) -> Bench:
    shutil.copytree(draft, bench.results.root)
    return bench
