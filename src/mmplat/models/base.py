"""What a model family is. The asking engine knows only what stands here; nothing family-specific leaks out of its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ConfigError, IncompatibleCell, ModelError, UnknownName
from mmplat.ids import seed_from
from mmplat.records import ModelSpec, Sample, ViewSpec
from mmplat.registry import Registry
from mmplat.views import catalog as view_kinds


@dataclass(frozen=True, slots=True)
class Ask:
    """One view of one sample, to be put to a model."""

    sample: Sample
    view: ViewSpec
    pictures: tuple[NDArray[np.uint8], ...]
    """The sample's images (height × width × 3), unchanged: the adapter applies the view where the view acts."""
    preface: str | None = None
    """What the model wrote of the images, for a view that puts it before the question."""

    @property
    def seed(self) -> int:
        """Seed of a random view: depends on the sample and on the view's own seed, never on the order of asking."""
        return seed_from(self.sample.sample_key, self.view.params.get("seed", 0))

    @property
    def question(self) -> str:
        """The question as this view puts it."""
        kind = view_kinds.get(self.view.kind)
        asked = kind.rewrite(self.sample, self.view.params, self.seed)
        if kind.preface is None:
            return asked
        if self.preface is None:
            raise ModelError(f"View {self.view.name!r} needs what the model wrote first, and the asking gave nothing.")
        return f"{self.preface}\n{asked}"

    @property
    def intervention(self) -> Any:
        """What this view does inside the network (`views/inside.py`); None: nothing."""
        describe = view_kinds.get(self.view.kind).intervention
        return None if describe is None else describe(self.view.params)


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

    @property
    def batch_limit(self) -> int | None:
        """Rows of one forward at most: 1 where a batch would not say what its rows say alone; None: what memory allows."""

    def unavailable(self, kind: str) -> str | None:
        """Why this very checkpoint cannot make a kind of view (no unk token, say); None: it can."""

    def refuses(self, ask: Ask) -> str | None:
        """Why this ask cannot be put (too many pictures, say); None: it can."""

    def spellings(self, labels: tuple[str, ...]) -> Spellings:
        """Raises IncompatibleCell where a label has no one-token spelling."""

    def encode(self, asks: Sequence[Ask]) -> Sequence[Encoded]: ...

    def forward(self, batch: Sequence[Any]) -> Any: ...

    def continuations(self, labels: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        """Tokens of each label as an answer of several tokens. Raises IncompatibleCell where the family scores none."""

    def score(self, batch: Sequence[Any], labels: tuple[str, ...]) -> Any:
        """Log-probability of each label as the whole answer's beginning, a float32 tensor (batch, label)."""


class OneRow:
    """Base of families that give a next-token row and nothing else: no continuations, no limits."""

    batch_limit: int | None = None

    def unavailable(self, kind: str) -> str | None:
        return None

    def refuses(self, ask: Ask) -> str | None:
        return None

    def continuations(self, labels: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        raise IncompatibleCell("This family scores no labels of several tokens.")

    def score(self, batch: Sequence[Any], labels: tuple[str, ...]) -> Any:
        raise IncompatibleCell("This family scores no labels of several tokens.")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a remote model tells of one ask: its likeliest first tokens, or answers that it drew."""

    told: tuple[tuple[str, float], ...] = ()
    """(token, log-probability), from the likeliest."""
    drawn: tuple[str, ...] = ()
    drawn_by: str | None = None
    """The decoding that drew them, by its canonical name."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one ask has no reply; the others go on."""

    error: str


@runtime_checkable
class RemoteModel(Protocol):
    """A model behind a network: no tensors, no vocabulary; it tells of each ask what it wants to tell."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that determines its replies, as far as that is known from outside."""

    @property
    def hardware(self) -> str: ...

    def unavailable(self, kind: str) -> str | None: ...

    def answer(self, asks: Iterable[Ask], replies: Path) -> Iterator[tuple[Ask, Reply | Failure]]:
        """Many at once, in the order in which they end. What was paid for is kept below `replies`, and not paid again."""


def always(kind: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Family:
    """One family of models. `unavailable` gives the reason why a kind of view cannot be made, at planning time."""

    name: str
    summary: str
    load: Callable[[ModelSpec], LoadedModel | RemoteModel]
    version: int = 1
    """Version of the adapter, part of the identity of its models: raise it when prompts or views change the logits."""
    architectures: tuple[str, ...] = ()
    """Of config.json: a checkpoint finds its family by them."""
    hub: tuple[str, ...] = ()
    """How hub names of this family begin, so that a grid plans without a download."""
    unavailable: Callable[[str], str | None] = always
    check: Callable[[ModelSpec], None] = lambda spec: None
    """Refuses, with ConfigError, what a grid says of a model of this family; at planning time."""
    weightless: bool = False
    """Its models have no path."""
    no_phrases: str | None = None
    """Why its models tell no probability of words that are given to them; None: they do."""


@dataclass(frozen=True, slots=True)
class Named:
    """A model that is known by name: no path to give."""

    name: str
    summary: str
    spec: Callable[[], ModelSpec]


families: Registry[Family] = Registry("model family", "mmplat.models")
named: Registry[Named] = Registry("model")


def bind(name: str, settings: Mapping[str, Any] | None = None, *, where: str = "") -> ModelSpec:
    """The model that the grid names: a known name, a hub name, or a name with a `path` (local folder or hub name)."""
    list(families)  # loading the room files the named models too
    given = dict(settings or {})
    known = "path" not in given and "family" not in given and name in named
    spec = _known(name, given) if known else _described(name, given, where)
    families.get(spec.family, where=where).check(spec)
    return spec


def _known(name: str, given: dict[str, Any]) -> ModelSpec:
    return ModelSpec.model_validate({**named.get(name).spec().model_dump(), **given})


def _described(name: str, given: dict[str, Any], where: str) -> ModelSpec:
    """A model that the grid describes itself."""
    family = given.pop("family", None)
    weightless = family is not None and families.get(family, where=where).weightless
    if "path" not in given and "/" in name and not weightless:
        given["path"] = name
    if "path" not in given and not weightless:
        hint = f"{where} (or give its `path`: a local checkpoint folder or a hub name)"
        raise UnknownName("model", name, named, where=hint)
    return ModelSpec(name=name, family=family or family_of(given["path"], given.get("revision"), where=where), **given)


def family_of(path: str, revision: str | None = None, *, where: str = "") -> str:
    """The family of a checkpoint, by the architecture in its config.json or by its hub name; torch-free."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return _by_architecture(folder / "config.json", where)
    cached = _cached_config(path, revision)
    if cached is not None:
        return _by_architecture(cached, where)
    for name, family in families.items():
        if path.startswith(family.hub):
            return name
    raise ConfigError(
        f"{path} is no local folder{where}, and no hub name whose family is known. Give a checkpoint folder, or for a "
        f"hub name also `family:` ({', '.join(families)})."
    )


def _cached_config(path: str, revision: str | None) -> Path | None:
    """config.json of a hub name that was downloaded before."""
    if path.count("/") != 1 or path.startswith((".", "~", "/")):
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:  # planning needs none of the packages that run models
        return None
    found = try_to_load_from_cache(path, "config.json", revision=revision)
    return Path(found) if isinstance(found, str) else None


def _by_architecture(config: Path, where: str) -> str:
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
        architectures = said.get("architectures") or []
    except (OSError, json.JSONDecodeError, AttributeError) as error:
        raise ConfigError(f"{config}{where} cannot be read ({error}): is this a Hugging Face checkpoint?") from error
    for name, family in families.items():
        if set(architectures) & set(family.architectures):
            return name
    if "vision_config" in said and "generic" in families:
        return "generic"
    known = sorted(a for _, family in families.items() for a in family.architectures)
    raise ConfigError(
        f"No family serves architecture {architectures}{where}, and it has no vision tower. Known: {', '.join(known)}."
    )
