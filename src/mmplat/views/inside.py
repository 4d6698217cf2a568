"""Views that act inside the network. A description of what is done there is all that stands here; it knows no model.

Layers are counted as shares of the depth, so that one view means the same in networks of 2, 32 and 80 layers. The numbers of the
papers are those of LLaVA-1.5-7B, which has 32. Tags: [V] read in released code, [M] recalled and not checked there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmplat.views.base import Value, ViewKind, catalog

LOW, HIGH, LAST = "low", "high", "last"
MOST_DEVIATIONS = 100
"""So far from the mean lies no token of ten thousand."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The last position's attention scores on image tokens, before the softmax: a → a + strength·|a|."""

    strength: float
    after: float
    """Share of the layers that stay as they are, from the first."""


@dataclass(frozen=True, slots=True)
class LeastAttended:
    """After some layers only those image tokens stay that the prompt's last position attends to least."""

    after: float
    keep: float
    """Share of the image tokens that stay."""


@dataclass(frozen=True, slots=True)
class Blind:
    """Only image tokens stay that draw far more attention than the others; the features of those are zero."""

    layers: float
    """Layers are looked at from the most image-heavy on, until they hold this share of all attention to the image."""
    spread: float
    """Standard deviations (of a sample, n − 1) above the mean from which an image token is blind."""


@dataclass(frozen=True, slots=True)
class Premature:
    """The row of an earlier layer: of some candidates the one that differs most from the final row."""

    layers: str
    """`low` or `high`: every second layer of that half of the network, of 20 layers at most; `last`: the final row itself."""
    norm: bool
    """Whether the final norm comes before the output layer, as it does for the final row."""


def wrong(params: Mapping[str, Value], **bounds: float) -> str | None:
    """The first number of a view that lies outside 0 … its bound."""
    for name, high in bounds.items():
        value = params[name]
        if isinstance(value, (str, bool)) or not 0 <= value <= high:
            return f"{name} = {value!r}. Allowed: numbers from 0 to {high:g}"
    return None


def bad_spread(spread: Value) -> str | None:
    """Below 0 is below the mean."""
    if isinstance(spread, (str, bool)) or not -MOST_DEVIATIONS <= spread <= MOST_DEVIATIONS:
        return f"spread = {spread!r}. Allowed: numbers from -{MOST_DEVIATIONS} to {MOST_DEVIATIONS}"
    return None


def bad_layers(params: Mapping[str, Value]) -> str | None:
    allowed = (LOW, HIGH, LAST)
    if params["layers"] not in allowed:
        return f"layers = {params['layers']!r}. Allowed: {', '.join(allowed)}"
    return None if params["norm"] in (0, 1) else f"norm = {params['norm']!r}. Allowed: 0, 1"


catalog.add(
    "raised",
    ViewKind(
        "raised",
        "the image, its tokens' attention scores raised by `strength` × their size (what PAI answers from)",
        "inside",
        defaults={"strength": 0.2, "after": 0.0625},  # [V]: LLaVA, layers 2 to 32 of 32
        intervention=lambda p: Raised(float(p["strength"]), float(p["after"])),
        refuse=lambda p: wrong(p, strength=100, after=1),
    ),
)
catalog.add(
    "least-attended",
    ViewKind(
        "least-attended",
        "the image, of whose tokens only the least attended stay after an early layer (what SID contrasts with)",
        "inside",
        version=2,
        defaults={"after": 0.0625, "keep": 0.174},  # [V]: after 2 of 32 layers, 100 of 576 tokens
        intervention=lambda p: LeastAttended(float(p["after"]), float(p["keep"])),
        refuse=lambda p: wrong(p, after=1, keep=1),
    ),
)
catalog.add(
    "blind",
    ViewKind(
        "blind",
        "the image, all tokens zeroed but those that draw far more attention than the others (what AvisC contrasts with)",
        "inside",
        version=2,
        defaults={"layers": 0.5, "spread": 1.0},  # [V]
        intervention=lambda p: Blind(float(p["layers"]), float(p["spread"])),
        refuse=lambda p: wrong(p, layers=1) or bad_spread(p["spread"]),
        passes=2,
    ),
)
catalog.add(
    "premature",
    ViewKind(
        "premature",
        "the row of the earlier layer that differs most from the final one (what DoLa contrasts with)",
        "inside",
        version=2,
        defaults={"layers": HIGH, "norm": 0},  # [V]: the released code puts no norm before the output layer
        intervention=lambda p: Premature(str(p["layers"]), bool(p["norm"])),
        refuse=bad_layers,
    ),
)
