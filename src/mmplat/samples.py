"""Samples on their way from a suite to the prepared folder: a suite yields them, a condition changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MADE = "condition"
"""Where a sample's `reference` says what a condition did to it."""
CLEAN = "clean"
"""Where that says what was asked before."""
LEADS = "leads"
"""Where that says which answer a cue leads to: `wrong` or `gold`."""


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
    described: Mapping[str, str] = field(default_factory=dict)
    """Label → what a description of the picture would say if that label were right: for conditions that describe a wrong one.
    A suite gives it where options do not say so already (yes/no), or in words of its own."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sample that a suite cannot ask, with the reason: it is counted and listed in suite.json, and never asked."""

    sample_id: str
    reason: str
