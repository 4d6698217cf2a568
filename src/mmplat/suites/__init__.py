"""Benchmarks: one per file. A suite yields samples; it knows no model and no method."""

from mmplat.suites.base import RawSample, Suite, bind, catalog

__all__ = ["RawSample", "Suite", "bind", "catalog"]
