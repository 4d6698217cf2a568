"""Conditions: what is changed about every sample of a suite before anything is asked. One file per group of conditions."""

from mmplat.conditions.base import Condition, applied, bind, catalog, identify

__all__ = ["Condition", "applied", "bind", "catalog", "identify"]
