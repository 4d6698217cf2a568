"""What a model family is. The asking engine knows only what stands here; nothing family-specific leaks out of its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ConfigError, UnknownName
from mmplat.ids import seed_from
from mmplat.records import ModelSpec, Sample, ViewSpec
from mmplat.registry import Registry


@dataclass(frozen=True, slots=True)
class Ask:
    """One view of one sample, to be put to a model."""

    sample: Sample
    view: ViewSpec
    pictures: tuple[NDArray[np.uint8], ...]
    """The sample's images (height × width × 3), unchanged: the adapter applies the view where the view acts."""

    @property
    def seed(self) -> int:
        """Seed of a random view: depends on the sample and on the view's own seed, never on the order of asking."""
        return seed_from(self.sample.sample_key, self.view.params.get("seed", 0))


@dataclass(frozen=True, slots=True)
class Spellings:
    """One-token spellings of the labels: token ids, and which label each of them spells."""

    ids: tuple[int, ...]
    of: tuple[int, ...]


class Encoded(Protocol):
    """An ask as a model's own input; the engine only sorts by its length."""

    @property
    def length(self) -> int: ...


class LoadedModel(Protocol):
    """A model in memory. `forward` gives the next-token logits of a batch as a float32 tensor (batch, vocab)."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that determines its logits: revision, dtype, attention, processor, template. Names its evidence."""

    @property
    def device(self) -> str:
        """Where it runs, as torch spells it."""

    @property
    def hardware(self) -> str:
        """What it runs on, for the cost of a run: the name of the GPU, or cpu."""

    @property
    def dtype(self) -> str: ...

    @property
    def vocab_size(self) -> int: ...

    def unavailable(self, kind: str) -> str | None:
        """Why this very checkpoint cannot make a kind of view (no unk token, say); None: it can."""

    def spellings(self, labels: tuple[str, ...]) -> Spellings:
        """Raises IncompatibleCell where a label has no one-token spelling."""

    def encode(self, asks: Sequence[Ask]) -> Sequence[Encoded]: ...

    def forward(self, batch: Sequence[Any]) -> Any: ...


def always(kind: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Family:
    """One family of models. `unavailable` gives the reason why a kind of view cannot be made, at planning time."""

    name: str
    summary: str
    load: Callable[[ModelSpec], LoadedModel]
    version: int = 1
    """Version of the adapter, part of the identity of its models: raise it when prompts or views change the logits."""
    architectures: tuple[str, ...] = ()
    unavailable: Callable[[str], str | None] = always


@dataclass(frozen=True, slots=True)
class Named:
    """A model that is known by name: no path to give."""

    name: str
    summary: str
    spec: Callable[[], ModelSpec]


families: Registry[Family] = Registry("model family", "mmplat.models")
named: Registry[Named] = Registry("model")


def bind(name: str, settings: Mapping[str, Any] | None = None, *, where: str = "") -> ModelSpec:
    """The model that the grid names: a known name, or a name with a `path` (local folder or hub name)."""
    list(families)  # loading the room files the named models too
    given = dict(settings or {})
    if "path" not in given:
        if name not in named:
            hint = f"{where} (or give its `path`: a local checkpoint folder or a hub name)"
            raise UnknownName("model", name, named, where=hint)
        return named.get(name).spec().model_copy(update=given)
    family = given.pop("family", None) or _family_of(Path(str(given["path"])).expanduser(), where=where)
    families.get(family, where=where)
    return ModelSpec(name=name, family=family, **given)


def _family_of(folder: Path, *, where: str) -> str:
    """The family of a local checkpoint, by the architecture in its config.json; torch-free."""
    config = folder / "config.json"
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is no local folder{where}. Give a checkpoint folder, or for a hub name also `family:` "
            f"({', '.join(families)})."
        )
    try:
        architectures = json.loads(config.read_text(encoding="utf-8")).get("architectures") or []
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigError(f"{config}{where} cannot be read ({error}): is this a Hugging Face checkpoint?") from error
    for name, family in families.items():
        if set(architectures) & set(family.architectures):
            return name
    known = sorted(a for _, family in families.items() for a in family.architectures)
    raise ConfigError(f"No family serves architecture {architectures}{where}. Known: {', '.join(known)}.")


@dataclass(slots=True)
class ByteLimited:
    """A cache that forgets its oldest entries beyond a number of bytes: vision features of distinct images."""

    limit: int
    size: int = 0
    items: dict[Any, Any] = field(default_factory=dict)

    def get(self, key: Any) -> Any:
        return self.items.get(key)

    def put(self, key: Any, value: Any) -> None:
        self.items[key] = value
        self.size += value.nbytes
        while self.size > self.limit and len(self.items) > 1:
            self.size -= self.items.pop(next(iter(self.items))).nbytes
