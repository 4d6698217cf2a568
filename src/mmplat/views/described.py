"""Views of a description in place of the image: the request for one, and the question behind the one that the model wrote."""

from __future__ import annotations

from collections.abc import Mapping

from mmplat.records import Sample
from mmplat.views.base import Preface, Value, ViewKind, catalog, whole_number

DESCRIBE = "Describe this image in detail."
"""Our words, as is the length: CODE's own are not in our papers."""
LONGEST = 128


def no_image(sample: Sample, params: Mapping[str, Value]) -> str | None:
    return None if sample.images else "it has no image to describe"


catalog.add(
    "describing",
    ViewKind(
        "describing",
        "the image with the request to describe it, in place of the question",
        "question",
        defaults={"instruction": DESCRIBE},
        rewrite=lambda sample, params, seed: str(params["instruction"]),
        misfit=no_image,
    ),
)
catalog.add(
    "described",
    ViewKind(
        "described",
        "the question behind what the model wrote of the image, without the image (what CODE contrasts with)",
        "question",
        image="drop",
        defaults={"instruction": DESCRIBE, "longest": LONGEST},
        preface=lambda params: Preface(str(params["instruction"]), int(params["longest"])),
        misfit=no_image,
        refuse=whole_number("longest", 1),
    ),
)
