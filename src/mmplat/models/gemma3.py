"""Gemma 3 (Gemma3ForConditionalGeneration). Tokens of one picture attend to each other in both directions.

"None" is the chat template rendered without the image entry, byte-identical otherwise; "unk" is one unk token in its place. A
checkpoint whose processor cuts long pictures into crops ("pan and scan") sees the whole picture, then its crops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmplat.models._pictures import Processed
from mmplat.models._tiles import by_picture, together
from mmplat.models._vlm import Padded, VisionLanguage
from mmplat.models.base import Family, families


class Gemma3(VisionLanguage):
    family = "gemma3"

    def see(self, processed: list[Processed]) -> list[Any]:
        features: list[Any] = []
        for some, counts in together(processed, [len(one["pixel_values"]) for one in processed]):
            pixels = self.tensor(np.concatenate([one["pixel_values"] for one in some]))
            out = self.network.get_image_features(pixel_values=pixels, return_dict=True)
            features += by_picture(out.pooler_output, counts)
        return features

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
        hub=("google/gemma-3-",),
    ),
)
