"""What counts only where all of it is right: both questions about an image, every question about a figure."""

from mmplat.metrics.accuracy import accuracy
from mmplat.metrics.base import Metric, catalog

for _name, _unit, _summary in (
    ("accuracy_plus", "pair", "share of images of which both questions are answered right (MME: acc+)"),
    ("figure_accuracy", "figure", "share of figures of which every question is answered right (HallusionBench: fAcc)"),
    ("circular_accuracy", "circle", "share of questions answered right in every rotation (MMBench: CircularEval)"),
    ("question_accuracy", "question", "share of questions answered right on every figure (HallusionBench: qAcc)"),
):
    catalog.add(_name, Metric(_name, _summary, accuracy, version=2, unit=_unit, everywhere=False))
