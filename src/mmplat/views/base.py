"""What a kind of view is. Nothing here knows a model: a model adapter asks the kind what to change, and where.

A view acts at one of five places, because the papers' views do (papers: LLaVA-Align, VCD, ICD, and those of `inside`):
`prompt`   the image leaves the prompt, or one token stands in its place;
`question` the question is put in other words, or with other words around it;
`picture`  the image is replaced before the processor sees it (uint8, height × width × 3);
`pixels`   the processed tensor is changed, in normalised space (float32);
`inside`   the network attends otherwise, or is read at another layer: the kind describes how, the adapter does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ConfigError
from mmplat.ids import content_id
from mmplat.records import Sample, ViewSpec
from mmplat.registry import Registry, with_defaults

Place = Literal["prompt", "question", "picture", "pixels", "inside"]
Value = int | float | str


def unchanged(array: NDArray[Any], params: Mapping[str, Value], seed: int) -> NDArray[Any]:
    return array


def as_asked(sample: Sample, params: Mapping[str, Value], seed: int) -> str:
    return sample.question


def every_sample(sample: Sample, params: Mapping[str, Value]) -> None:
    """Most views can be made of any sample."""


@dataclass(frozen=True, slots=True)
class Preface:
    """What a model writes of a sample's images before a view can be made, and the view then puts before the question."""

    instruction: str
    longest: int
    """Tokens at most."""


@dataclass(frozen=True, slots=True)
class ViewKind:
    """One kind of view. `version` is part of every key: raise it when the numbers move."""

    name: str
    summary: str
    place: Place
    version: int = 1
    defaults: Mapping[str, Value] = field(default_factory=dict)
    image: Literal["keep", "drop", "unk"] = "keep"
    """What the prompt holds where the image was."""
    transform: Callable[[NDArray[Any], Mapping[str, Value], int], NDArray[Any]] = unchanged
    """(array, params, seed) → array, at `place`; the seed depends on the sample and on the `seed` parameter."""
    rewrite: Callable[[Sample, Mapping[str, Value], int], str] = as_asked
    """(sample, params, seed) → the question as it is put."""
    refuse: Callable[[Mapping[str, Value]], str | None] = lambda params: None
    """What is wrong with these parameters, and what is allowed; None: nothing."""
    misfit: Callable[[Sample, Mapping[str, Value]], str | None] = every_sample
    """Why this view cannot be made of a sample, which is then not asked so; None: it can."""
    preface: Callable[[Mapping[str, Value]], Preface] | None = None
    """params → what the model itself writes first, greedily; None: nothing."""
    intervention: Callable[[Mapping[str, Value]], Any] | None = None
    """params → what is done inside the network: a description (`views/inside.py` has them)."""
    passes: int = 1
    """Forward passes that one row takes."""
    constant: bool = False
    """The result does not depend on the image's content, so one forward of the vision tower serves all samples."""

    @property
    def stochastic(self) -> bool:
        return "seed" in self.defaults


catalog: Registry[ViewKind] = Registry("view", "mmplat.views")


def bind(name: str, params: Mapping[str, Value] | None = None, *, where: str = "") -> ViewSpec:
    """A view with `params` over its defaults: `noise` with step 999 is called `noise-999`."""
    kind = catalog.get(name, where=where)
    values = with_defaults("view", name, kind.defaults, params, where=where)
    wrong = kind.refuse(values)
    if wrong:
        raise ConfigError(f"View {name!r}{where} has {wrong}.")
    changed = [
        f"{'s' if key == 'seed' else ''}{_short(values[key])}" for key in values if values[key] != kind.defaults[key]
    ]
    return ViewSpec(name="-".join([name, *changed]), kind=name, version=kind.version, params=values)


def _short(value: Value) -> Value:
    """A parameter as a name shows it: a sentence is named by its content."""
    return content_id(value, length=6) if isinstance(value, str) and len(value) > 16 else value


def whole_number(name: str, least: int) -> Callable[[Mapping[str, Value]], str | None]:
    """Refuses a parameter that is no whole number, or a smaller one."""

    def refuse(params: Mapping[str, Value]) -> str | None:
        value = params[name]
        allowed = type(value) is int and value >= least
        return None if allowed else f"{name} = {value!r}. Allowed: whole numbers from {least}"

    return refuse


def grey(value: int) -> Callable[[NDArray[Any], Mapping[str, Value], int], NDArray[Any]]:
    """A picture of one brightness, of the size of the original, so that tiling models keep their layout."""

    def paint(picture: NDArray[Any], params: Mapping[str, Value], seed: int) -> NDArray[Any]:
        return np.full_like(picture, value)

    return paint
