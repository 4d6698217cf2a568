"""Models under contract: those that ship, and a checkpoint that nobody trained, saved and loaded like any other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from builders import Prepared

from mmplat.artifacts import Results
from mmplat.models import bind, families, named
from mmplat.preparing import load_samples, prepare
from mmplat.records import ModelSpec
from mmplat.suites import bind as bind_suite

SHIPPED = [name for name in (list(families) and named) if (named.get(name).spec().path or "").startswith("world:")]
MODELS = (*SHIPPED, "untrained")


@dataclass
class Subject:
    """One model, as our adapter sees it and as transformers alone does."""

    spec: ModelSpec
    folder: Path

    @cached_property
    def ours(self) -> Any:
        return families.get(self.spec.family).load(self.spec)

    @cached_property
    def theirs(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        processor = AutoProcessor.from_pretrained(self.folder)
        return AutoModelForImageTextToText.from_pretrained(self.folder, dtype=torch.float32).eval(), processor


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mmplat.world import vlm

    folder = tmp_path_factory.mktemp("untrained")
    vlm.build_model(0).save_pretrained(folder)
    vlm.build_processor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", params=MODELS)
def subject(request: pytest.FixtureRequest, untrained: Path) -> Subject:
    if request.param == "untrained":
        return Subject(bind("untrained", {"path": str(untrained)}), untrained)
    from mmplat.world import checkpoint_folder

    return Subject(bind(request.param), checkpoint_folder(request.param))


@pytest.fixture(scope="session", params=["world-objects", "world-spurious", "world-facts"])
def suite(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    spec = bind_suite(request.param, {"n": 90, "seed": 700})
    folder = prepare(spec, Results(tmp_path_factory.mktemp("suites"))).parent
    return Prepared(folder, load_samples(folder))
