"""Every error that mmplat raises on purpose, split by whose fault it is.

    MmplatError
    ├── ConfigError          the grid, a name or an option is wrong: found before any model is loaded
    │   ├── UnknownName      no such model, suite, method …
    │   └── DuplicateName    two extensions claim one name
    ├── IncompatibleCell     a pair that cannot be: it has a reason, and the plan shows it
    ├── ArtifactError        a file is missing, half-written, altered, or of another revision
    │   ├── Busy             another process is writing the same folder
    │   └── EvidenceTooNarrow  stored evidence does not cover an exact decision
    ├── NotFinite            a method's scores are no numbers, so nothing is decided from them
    ├── ModelError           a model cannot be loaded or asked
    ├── StoreError           the SQL store cannot be reached or is at another revision
    │   └── ForeignCampaign  a campaign of a shared store is of another results folder
    ├── TrackingError        MLflow does not take what is queued for it
    └── CampaignFailed       the work was done as far as it could be, and something in it failed

A message says what is wrong, where, what is allowed, and what to do next. The command line prints it and exits with
`exit_code`; anything that is not a MmplatError is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class MmplatError(Exception):
    """Root of the tree."""

    exit_code = 1


class ConfigError(MmplatError):
    """The user's input is wrong; nothing was started."""

    exit_code = 2


class UnknownName(ConfigError):
    """A name that no extension carries; the message offers the nearest ones."""

    def __init__(self, kind: str, name: object, known: Iterable[str], *, where: str = "") -> None:
        names = sorted(known)
        close = get_close_matches(str(name), names, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        super().__init__(f"Unknown {kind} {name!r}{where}.{hint} Known: {', '.join(names) or 'none'}.")


class DuplicateName(ConfigError):
    """Two extensions claim the same name."""


class IncompatibleCell(MmplatError):
    """A pair of the grid that cannot be run, with its reason."""


class ArtifactError(MmplatError):
    """A file of ours is missing, half-written, altered or of another revision."""


class Busy(ArtifactError):
    """Another process holds the folder that this one wants to write."""


class EvidenceTooNarrow(ArtifactError):
    """The stored evidence does not cover what an exact decision needs; asking again widens it, if the model can tell more."""

    def __init__(self, message: str, samples: Any = None) -> None:
        super().__init__(message)
        self.samples = samples
        """Which samples it is too narrow for: a mask."""


class NotFinite(MmplatError):
    """Scores that are NaN or infinite, of which the largest means nothing."""

    def __init__(self, message: str, samples: Any = None) -> None:
        super().__init__(message)
        self.samples = samples
        """Which samples have such scores: a mask."""


class ModelError(MmplatError):
    """A model cannot be loaded or asked."""


class StoreError(MmplatError):
    """The results store cannot be reached, or is at another migration revision."""


class ForeignCampaign(StoreError):
    """Another results folder published this campaign; it is replaced on demand only."""


class TrackingError(MmplatError):
    """MLflow does not take what is queued for it; it stays queued."""


class CampaignFailed(MmplatError):
    """Something in a campaign failed and was recorded; the rest is done."""
