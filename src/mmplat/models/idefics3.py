"""Idefics3 and SmolVLM (Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration): tiles, then the whole picture.

"None" is the prompt with the image without its placeholder, byte-identical otherwise: "User:" and the question. (The template
writes "User: " where a turn begins with text, and so it does for questions that never had an image.) "Unk" is one unk token
where the image was; Idefics3's tokenizer (Llama 3's) has none, and takes its first reserved token, which has no meaning.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mmplat.models._pictures import Processed
from mmplat.models._tiles import features_of_tiles
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

    def render_blind(self, question: str, pictures: int) -> str:
        return self.render(question, pictures).replace(self.placeholder, "")

    def process(self, pictures: list[NDArray[Any]]) -> list[Processed]:
        """Less the mask of pixels: one picture's tiles are all of one size, so every pixel is real."""
        every = super().process(pictures)
        return [{name: array for name, array in one.items() if name != "pixel_attention_mask"} for one in every]

    def see(self, processed: list[Processed]) -> list[Any]:
        return features_of_tiles(processed, self.tensor, self._tower)

    def _tower(self, tiles: Any) -> Any:
        import torch

        # A tile of exact zeros would be taken for padding and left out: the view `zero` is made of nothing else.
        empty = (tiles == 0).flatten(1).all(dim=1)
        tiles[empty, ..., 0] = torch.finfo(tiles.dtype).tiny
        found = self.network.get_image_features(pixel_values=tiles[:, None], return_dict=True).pooler_output
        return torch.stack(list(found))  # a tile each


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
