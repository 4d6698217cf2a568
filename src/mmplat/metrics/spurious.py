"""Spurious bias: accuracy that counts every type of cue once, how far types lie apart, how often a spurious option is chosen."""

import numpy as np

from mmplat.metrics.base import Answered, Floats, Metric, Total, catalog


def spurious_selection(a: Answered) -> tuple[Floats, Floats]:
    """Of all answers to questions whose options say their role: an answer that is no label chooses none."""
    assert a.spurious is not None
    chosen: Floats = (a.probs * a.spurious).sum(axis=1)
    asked: Floats = np.asarray(a.spurious.any(axis=1), np.float64)
    return chosen, asked


for _metric in (
    Metric(
        "spurious_selection",
        "share of answers that choose an option built on a spurious attribute",
        spurious_selection,
        version=2,
        higher_is_better=False,
        everywhere=False,
        roles=True,
    ),
    Total(
        "macro_accuracy",
        "mean accuracy over the types of cue",
        of=("accuracy",),
        by="type",
        scale=1.0,
        combine="mean",
        version=2,
    ),
    Total(
        "type_gap",
        "accuracy of the best type of cue minus that of the worst",
        of=("accuracy",),
        by="type",
        scale=1.0,
        combine="gap",
        higher_is_better=False,
    ),
):
    catalog.add(_metric.name, _metric)
