"""A view without a picture that says so: the blind control of public harnesses of MM-SpuBench, for models that refuse to guess."""

from __future__ import annotations

from collections.abc import Mapping

from mmplat.records import Sample
from mmplat.views.base import Value, ViewKind, catalog, grey
from mmplat.views.questions import instructed

NOTE = (
    "Note: No images are provided. For each question, imagine an appropriate image exists and answer based on the most common or "
    "universal scenario."
)


def noted(sample: Sample, params: Mapping[str, Value], seed: int) -> str:
    """The note stands after everything that was asked."""
    return instructed(sample, {"instruction": NOTE}, seed)


catalog.add(
    "imagined",
    ViewKind(
        "imagined",
        "a white picture of the same size, and the note to imagine one and to answer for the most common case",
        "picture",
        transform=grey(255),  # in the picture's size, as every view; theirs has 224 pixels
        rewrite=noted,
        constant=True,
    ),
)
