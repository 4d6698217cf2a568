"""Samples on their way from a suite to the prepared folder: a suite yields them, a condition changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RawSample:
    """One sample as a suite yields it, before its images are stored."""

    sample_id: str
    question: str
    labels: tuple[str, ...]
    gold: str
    images: tuple[NDArray[np.uint8], ...] = ()
    """height × width × 3"""
    options: tuple[str, ...] = ()
    cluster: str = ""
    """What makes samples dependent (an image asked about several times); empty: the sample stands alone."""
    groups: dict[str, str] = field(default_factory=dict)
    reference: dict[str, Any] = field(default_factory=dict)
    """What an answer in words is judged by: JSON values that no model sees."""
    stem: str = ""
    """The bare question as it stands in `question`, before options and instructions; empty: `question` is nothing else."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sample that a suite cannot ask, with the reason: it is counted and listed in suite.json, and never asked."""

    sample_id: str
    reason: str
