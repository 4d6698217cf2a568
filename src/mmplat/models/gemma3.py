"""Gemma 3 (Gemma3ForConditionalGeneration). Tokens of one picture attend to each other in both directions.

"None" is the chat template rendered without the image entry, byte-identical otherwise; "unk" is one unk token in its place.
Pictures are shown whole: "pan and scan" (crops of long pictures) is off, as it is in the processor unless a call asks for it.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mmplat.models._pictures import Processed
from mmplat.models._prompts import Padded
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Family, families


class Gemma3(VisionLanguage):
    family = "gemma3"
    one_tensor = True

    def process(self, pictures: list[NDArray[Any]]) -> list[Processed]:
        return self.process_together(pictures)

    def prepare(self, batch: Padded) -> None:
        super().prepare(batch)
        batch.inputs["token_type_ids"] = (batch.ids == self.network.config.image_token_id).long()


families.add(
    "gemma3",
    Family(
        "gemma3",
        "Gemma 3 checkpoints that see",
        Gemma3,
        version=Gemma3.version,
        architectures=("Gemma3ForConditionalGeneration",),
        hub=("google/gemma-3-4b-", "google/gemma-3-12b-", "google/gemma-3-27b-"),
    ),
)
