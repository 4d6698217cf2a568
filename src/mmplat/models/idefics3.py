"""Idefics3 and SmolVLM (Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration): tiles, then the whole picture.

"None" is the chat template rendered without the image entry; the template then writes "User: " with a space, as for any
text-only question, where it wrote "User:" before a picture. "Unk" is one unk token where the image was; Idefics3's tokenizer
(Llama 3's) has none, and takes its first reserved token, which no training gave a meaning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.models._pictures import Processed
from mmplat.models._tiles import by_picture, together
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Family, families


def load_processor(path: str, **options: Any) -> Any:
    """Idefics3's class for SmolVLM too: it writes the same prompt, and wants neither torchvision nor num2words."""
    from transformers import Idefics3Processor

    return Idefics3Processor.from_pretrained(path, **options)


class Idefics3(VisionLanguage):
    family = "idefics3"
    neutral = "<|reserved_special_token_0|>"
    load_processor = staticmethod(load_processor)

    def process(self, pictures: list[NDArray[Any]]) -> list[Processed]:
        """Less the mask of pixels: one picture's tiles are all of one size, so every pixel is real."""
        every = super().process(pictures)
        return [{name: array for name, array in one.items() if name != "pixel_attention_mask"} for one in every]

    def see(self, processed: list[Processed]) -> list[Any]:
        import torch

        features: list[Any] = []
        for some, counts in together(processed, [one["pixel_values"].shape[1] for one in processed]):
            tiles = self.tensor(np.concatenate([one["pixel_values"][0] for one in some])[:, None])
            # A tile of exact zeros would be taken for padding and left out: the view `zero` is made of nothing else.
            zeros = (tiles == 0).flatten(1).all(dim=1)
            tiles[zeros, ..., 0] = torch.finfo(tiles.dtype).tiny
            out = self.network.get_image_features(pixel_values=tiles, return_dict=True)
            features += by_picture(torch.stack(out.pooler_output), counts)
        return features


families.add(
    "idefics3",
    Family(
        "idefics3",
        "Idefics3 and SmolVLM checkpoints, tiled",
        Idefics3,
        version=Idefics3.version,
        architectures=("Idefics3ForConditionalGeneration", "SmolVLMForConditionalGeneration"),
        hub=("HuggingFaceM4/Idefics3-", "HuggingFaceTB/SmolVLM"),
    ),
)
