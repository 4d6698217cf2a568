"""Views that change the processed tensor: noise, zeros and ones in normalised pixel space (LLaVA-Align §1.2, VCD)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.views.base import Value, ViewKind, catalog

STEPS = 1000


@lru_cache(maxsize=1)
def signal_shares() -> NDArray[np.float64]:
    """Cumulative product of 1 − β_t: the share of signal variance left after step t (VCD's sigmoid schedule)."""
    ramp = np.linspace(-6, 6, STEPS)
    betas = 1 / (1 + np.exp(-ramp)) * (0.5e-2 - 1e-5) + 1e-5
    return np.asarray(np.cumprod(1 - betas), np.float64)


def diffuse(pixels: NDArray[Any], params: Mapping[str, Value], seed: int) -> NDArray[Any]:
    """x_t = √ᾱ_t·x + √(1−ᾱ_t)·ε, with ε drawn once per sample (the released code draws anew at every call)."""
    share = signal_shares()[int(params["step"])]
    noise = np.random.Generator(np.random.Philox(seed)).standard_normal(pixels.shape, dtype=np.float32)
    return (np.sqrt(share) * pixels + np.sqrt(1 - share) * noise).astype(np.float32)


def bad_step(params: Mapping[str, Value]) -> str | None:
    step = params["step"]
    allowed = type(step) is int and 0 <= step < STEPS
    return None if allowed else f"no step {step!r}. Allowed: whole numbers from 0 to {STEPS - 1}"


def zeros(pixels: NDArray[Any], params: Mapping[str, Value], seed: int) -> NDArray[Any]:
    return np.zeros_like(pixels)


def ones(pixels: NDArray[Any], params: Mapping[str, Value], seed: int) -> NDArray[Any]:
    return np.ones_like(pixels)


catalog.add(
    "noise",
    ViewKind(
        "noise",
        "the image after `step` diffusion steps, in normalised pixel space, seeded per sample (VCD: 500; post-hoc: 999)",
        "pixels",
        defaults={"step": 500, "seed": 0},
        transform=diffuse,
        refuse=bad_step,
    ),
)
catalog.add(
    "zero",
    # After normalisation: the mean colour of the processor, not black (llava_align.md §1.2).
    ViewKind(
        "zero", "all zeros in normalised pixel space: a mean-colour grey", "pixels", transform=zeros, constant=True
    ),
)
catalog.add("one", ViewKind("one", "all ones in normalised pixel space", "pixels", transform=ones, constant=True))
