"""PaliGemma and PaliGemma 2 (PaliGemmaForConditionalGeneration). There is no chat template: image tokens, bos, text, newline.

"None" is the same prompt without its image tokens: bos, text, newline; "unk" is one unk token before bos. The whole prompt
attends to itself in both directions and only the answer is causal, so that what a prompt's beginning says depends on its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from mmplat.models._pictures import Processed
from mmplat.models._prompts import Padded
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Family, families


class PaliGemma(VisionLanguage):
    family = "paligemma"
    one_tensor = True

    def render(self, question: str, pictures: int) -> str:
        return f"{self.placeholder * pictures}{self.tokenizer.bos_token}{question}\n"

    def process(self, pictures: list[NDArray[Any]]) -> list[Processed]:
        return self.process_together(pictures)

    def prepare(self, batch: Padded) -> None:
        super().prepare(batch)
        batch.positions = batch.positions + 1  # this family counts from one
        batch.inputs["token_type_ids"] = batch.answers  # 0: the prompt; what continues a cache is told no types

    def by_processor(self, text: str, images: list[Any]) -> Mapping[str, Any]:
        """The processor writes bos and newline itself, and refuses a prompt without a picture."""
        if not images:
            return self.tokenizer([text], return_tensors="pt", return_token_type_ids=True)
        bare = text.replace(self.tokenizer.bos_token, "").removesuffix("\n")
        found = self.processor(text=[bare], images=[images], return_tensors="pt")
        return {name: value for name, value in found.items() if name != "labels"}

    def followed(self, inputs: dict[str, Any], tokens: tuple[int, ...]) -> dict[str, Any]:
        longer = super().followed(inputs, tokens)
        longer["token_type_ids"][:, inputs["input_ids"].shape[1] :] = 1  # an answer
        return longer


families.add(
    "paligemma",
    Family(
        "paligemma",
        "PaliGemma and PaliGemma 2 checkpoints",
        PaliGemma,
        version=PaliGemma.version,
        architectures=("PaliGemmaForConditionalGeneration",),
        hub=("google/paligemma-", "google/paligemma2-"),
    ),
)
