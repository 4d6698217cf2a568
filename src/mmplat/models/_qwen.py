"""What the Qwen families share: positions along three axes, pictures of any size, and patches that hold two frames.

"None" is the chat template without the picture's entry, so `<|vision_start|>` and `<|vision_end|>` go too. These tokenizers
have no unknown token: "unk" is one `<|vision_pad|>` between those two, a token of the vocabulary that no prompt contains.
The network computes positions itself and remembers them from call to call; here they are given, so it remembers nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.models._pictures import Processed
from mmplat.models._prompts import Padded
from mmplat.models._tiles import together
from mmplat.models._vlm import VisionLanguage

PATCHES_AT_ONCE = 1 << 16
"""Bounds the memory of the vision tower: one large picture may have 16,384 patches."""


def number_of_patches(one: Processed) -> int:
    return len(one["pixel_values"])


class Qwen(VisionLanguage):
    neutral = "<|vision_pad|>"

    def see(self, processed: list[Processed]) -> list[Any]:
        shown = together(processed, size=number_of_patches, most=PATCHES_AT_ONCE)
        return [features for some in shown for features in self.features(self._tower(some))]

    def features(self, found: Any) -> list[Any]:
        """What the vision tower found, picture by picture."""
        return list(found.pooler_output)

    def change(self, processed: Processed, transform: Callable[[NDArray[Any]], NDArray[Any]]) -> Processed:
        """A still picture fills both frames of a patch, so both are changed alike, noise included."""
        eye = self.processor.image_processor
        flat = processed["pixel_values"]
        frames = flat.reshape(len(flat), -1, eye.temporal_patch_size, eye.patch_size, eye.patch_size)
        one = transform(np.ascontiguousarray(frames[:, :, 0]))
        return {**processed, "pixel_values": np.broadcast_to(one[:, :, None], frames.shape).reshape(flat.shape)}

    def prepare(self, batch: Padded) -> None:
        super().prepare(batch)
        batch.positions, _ = self.network.model.get_rope_index(
            batch.ids,
            mm_token_type_ids=(batch.ids == self.network.config.image_token_id).int(),
            image_grid_thw=self._grids([one.processed for one in batch.seen]) if batch.seen else None,
            attention_mask=batch.attention,
        )

    def _tower(self, some: list[Processed]) -> Any:
        """The patches of several pictures in one row; their grids tell whose they are."""
        pixels = self.tensor(np.concatenate([one["pixel_values"] for one in some]))
        return self.network.get_image_features(pixel_values=pixels, image_grid_thw=self._grids(some), return_dict=True)

    def _grids(self, processed: list[Processed]) -> Any:
        return self.tensor(np.concatenate([one["image_grid_thw"] for one in processed]))
