"""InternVL in the layout of transformers (InternVLForConditionalGeneration): tiles, and a thumbnail where there are several.

"None" is the chat template rendered without the image entry. The tokenizers (Qwen's) have no unk token: "unk" is one
`<|endoftext|>`, which separates documents in their training and says nothing, where the image was.
"""

from __future__ import annotations

from typing import Any

from mmplat.models._no_video import images_only
from mmplat.models._pictures import Processed
from mmplat.models._tiles import features_of_tiles
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Family, families


class InternVL(VisionLanguage):
    family = "internvl"
    one_tensor = True
    neutral = "<|endoftext|>"
    load_processor = staticmethod(images_only("InternVLProcessor"))

    def see(self, processed: list[Processed]) -> list[Any]:
        return features_of_tiles(processed, self.tensor, self._tower)

    def _tower(self, tiles: Any) -> Any:
        return self.network.get_image_features(pixel_values=tiles, return_dict=True).pooler_output


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
