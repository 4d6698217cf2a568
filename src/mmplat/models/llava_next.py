"""LLaVA-NeXT, called LLaVA-1.6 too (LlavaNextForConditionalGeneration): a picture is cut into tiles, by its size.

"None" is the chat template rendered without the image entry; "unk" is one unk token where all image tokens were. A view in
pixel space acts on the small picture and on the tiles alike. Several pictures and text-only questions work as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmplat.models._pictures import Processed
from mmplat.models._tiles import tiles_of, together
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Family, families


class LlavaNext(VisionLanguage):
    family = "llava_next"

    def see(self, processed: list[Processed]) -> list[Any]:
        features: list[Any] = []
        for some in together(processed):
            pixels = self.tensor(np.concatenate([tiles_of(one) for one in some]))
            sizes = self.tensor(np.concatenate([one["image_sizes"] for one in some]))
            out = self.network.get_image_features(pixel_values=pixels, image_sizes=sizes, return_dict=True)
            features += out.pooler_output
        return features


families.add(
    "llava_next",
    Family(
        "llava_next",
        "LLaVA-NeXT (1.6) checkpoints, tiled",
        LlavaNext,
        version=LlavaNext.version,
        architectures=("LlavaNextForConditionalGeneration",),
        hub=("llava-hf/llava-v1.6-", "llava-hf/llava-next-", "llava-hf/llama3-llava-next-"),
    ),
)
