"""Conditions: what is changed about every sample of a suite before anything is asked. One file per group of conditions."""

from mmplat.conditions._texts import after_stem, at_end, before_question
from mmplat.conditions.base import Condition, Value, applied, bind, catalog, identify, noted

__all__ = [
    "Condition",
    "Value",
    "after_stem",
    "applied",
    "at_end",
    "before_question",
    "bind",
    "catalog",
    "identify",
    "noted",
]
