"""Metrics: predictions → number, n, interval. Pure; one file per group of metrics."""

from mmplat.metrics.base import Answered, Metric, Total, catalog
from mmplat.metrics.summary import summarise

__all__ = ["Answered", "Metric", "Total", "catalog", "summarise"]
