"""Views that act on the prompt: the sample as it is, without its image, or with one placeholder token instead."""

from mmplat.views.base import ViewKind, catalog

catalog.add("image", ViewKind("image", "the sample as it is (text-only samples too): the main view", "prompt"))
catalog.add(
    "none",
    ViewKind("none", "the image tokens are removed; the prompt is byte-identical otherwise", "prompt", image="drop"),
)
catalog.add(
    "unk",
    # One token, not one per patch: so the papers' code does it for LLaVA (llava_align.md §1.2).
    ViewKind("unk", "one unk token stands where all image tokens were", "prompt", image="unk"),
)
