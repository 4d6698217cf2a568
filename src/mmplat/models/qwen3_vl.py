"""Qwen3-VL: as the other Qwen families, and the first layers of the language model get features of their own ("deepstack").

What "none" and "unk" mean there stands in `_qwen`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mmplat.models._no_video import images_only
from mmplat.models._prompts import Padded
from mmplat.models._qwen import Qwen
from mmplat.models.base import Family, families


class Qwen3VL(Qwen):
    family = "qwen3-vl"
    load_processor = staticmethod(images_only("Qwen3VLProcessor"))

    def features(self, found: Any) -> list[Any]:
        """Of each picture: the features of its tokens, then those of each deepstack layer."""
        return list(zip(found.pooler_output, *found.deepstack_features, strict=True))

    def prepare(self, batch: Padded) -> None:
        super().prepare(batch)
        if batch.seen:
            tokens, *layers = zip(*(one.features for one in batch.seen), strict=True)
            batch.inputs["mm_encoder_outputs"] = {
                "image": SimpleNamespace(pooler_output=tokens, deepstack_features=layers)
            }


families.add(
    "qwen3-vl",
    Family(
        "qwen3-vl",
        "Qwen3-VL checkpoints",
        Qwen3VL,
        version=Qwen3VL.version,
        architectures=("Qwen3VLForConditionalGeneration", "Qwen3VLMoeForConditionalGeneration"),
        hub=("Qwen/Qwen3-VL-",),
    ),
)
