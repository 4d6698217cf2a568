"""Benchmarks: one per file. A suite yields samples; it knows no model and no method."""

from mmplat.suites.base import LeftOut, RawSample, Suite, bind, catalog, identify

__all__ = ["LeftOut", "RawSample", "Suite", "bind", "catalog", "identify"]
