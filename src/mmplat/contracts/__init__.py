"""What every model family must hold, checked on any checkpoint: `mmplat models check` prints it, the tests demand it."""

from mmplat.contracts.base import Contract, Subject, Verdict, catalog, check

__all__ = ["Contract", "Subject", "Verdict", "catalog", "check"]
