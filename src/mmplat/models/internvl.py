"""InternVL in the layout of transformers (InternVLForConditionalGeneration): tiles, and a thumbnail where there are several.

"None" is the chat template rendered without the image entry. The tokenizers (Qwen's) have no unk token: "unk" is one
`<|endoftext|>`, which separates documents in their training and says nothing, where the image was.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmplat.models._no_video import images_only
from mmplat.models._pictures import Processed
from mmplat.models._tiles import by_picture, together
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Family, families


class InternVL(VisionLanguage):
    family = "internvl"
    neutral = "<|endoftext|>"
    load_processor = staticmethod(images_only("InternVLProcessor"))

    def see(self, processed: list[Processed]) -> list[Any]:
        features: list[Any] = []
        for some, counts in together(processed, [len(one["pixel_values"]) for one in processed]):
            pixels = self.tensor(np.concatenate([one["pixel_values"] for one in some]))
            out = self.network.get_image_features(pixel_values=pixels, return_dict=True)
            features += by_picture(out.pooler_output, counts)
        return features


families.add(
    "internvl",
    Family(
        "internvl",
        "InternVL checkpoints in the layout of transformers, tiled",
        InternVL,
        version=InternVL.version,
        architectures=("InternVLForConditionalGeneration",),
        hub=("OpenGVLab/InternVL2_5-", "OpenGVLab/InternVL3-", "OpenGVLab/InternVL3_5-"),
    ),
)
