"""Answering for a number: where it comes from (`lineage`), and whether its evidence still gives it (`verify`)."""

from mmplat.audit.lineage import Lineage, lineage_of
from mmplat.audit.verifying import Verdict, verify

__all__ = ["Lineage", "Verdict", "lineage_of", "verify"]
