"""How often the answer is right, and how often it is none."""

import numpy as np

from mmplat.metrics.base import Answered, Floats, Metric, catalog


def accuracy(a: Answered) -> tuple[Floats, Floats]:
    return a.right, np.ones_like(a.right)


def unparsed(a: Answered) -> tuple[Floats, Floats]:
    return a.other, np.ones_like(a.other)


catalog.add("accuracy", Metric("accuracy", "share of samples answered right; no label said is not right", accuracy))
catalog.add("unparsed", Metric("unparsed", "share of answers that are no label", unparsed, higher_is_better=False))
