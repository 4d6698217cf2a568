"""Yes/no questions, "yes" being positive. The yes-ratio counts predictions (lmms-eval counts the gold: always .5 on POPE)."""

import numpy as np

from mmplat.metrics.base import Answered, Floats, Metric, catalog


def precision(a: Answered) -> tuple[Floats, Floats]:
    return a.said_positive * a.is_positive, a.said_positive


def recall(a: Answered) -> tuple[Floats, Floats]:
    return a.said_positive * a.is_positive, a.is_positive


def f1(a: Answered) -> tuple[Floats, Floats]:
    return 2 * a.said_positive * a.is_positive, a.said_positive + a.is_positive


def yes_ratio(a: Answered) -> tuple[Floats, Floats]:
    return a.said_positive, np.ones_like(a.said_positive)


for _metric in (
    Metric("precision", "share of yes-answers that are right", precision, version=2, binary=True),
    Metric("recall", "share of yes-items that are answered yes", recall, version=2, binary=True),
    Metric("f1", "harmonic mean of precision and recall", f1, version=2, binary=True),
    Metric("yes_ratio", "share of yes-answers among predictions", yes_ratio, binary=True, higher_is_better=None),
):
    catalog.add(_metric.name, _metric)
