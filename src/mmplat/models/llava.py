"""LLaVA-1.5 (LlavaForConditionalGeneration).

"None" is the chat template rendered without the image entry; "unk" is one unk token where the image tokens were, not one
per patch (llava_align.md §1.2). Text-only questions and several pictures work as the template renders them.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mmplat.models._pictures import Processed
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Family, Named, families, named
from mmplat.records import ModelSpec


class Llava(VisionLanguage):
    family = "llava"
    version = 2

    def process(self, pictures: list[NDArray[Any]]) -> list[Processed]:
        return self.process_together(pictures)


families.add(
    "llava",
    Family(
        "llava",
        "LLaVA-1.5 checkpoints",
        Llava,
        version=Llava.version,
        architectures=("LlavaForConditionalGeneration",),
        hub=("llava-hf/llava-1.5-", "llava-hf/bakLlava-"),
    ),
)


def _shipped(name: str, summary: str) -> Named:
    # Not a path of this machine: batches are named by their content, on every machine alike.
    return Named(name, summary, lambda: ModelSpec(name=name, family="llava", path=f"world:{name}"))


for _name, _summary in (
    ("tiny", "a LLaVA of 1.1 M parameters, trained on the synthetic world; ships with mmplat"),
    ("tiny-biased", "the same, trained to answer from its prior more than from the picture"),
):
    named.add(_name, _shipped(_name, _summary))
