"""Llama 3.2 Vision (Mllama): the language model looks at pictures through layers of its own, not through tokens.

"None" is the prompt with its `<|image|>` tokens deleted; those layers then have nothing to look at. The chat template cannot
make that prompt: without a picture's entry it adds a system turn. Questions that never had a picture get that turn, as the
template wants it, with one date for all days. The tokenizer has no unknown token: "unk" is one
`<|reserved_special_token_0|>`, which nothing was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mmplat.models._pictures import Processed, Seen
from mmplat.models._prompts import Padded, Prompt
from mmplat.models._streams import Stream
from mmplat.models._tiles import together
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Family, families
from mmplat.views import catalog as view_kinds

NO_INSIDE = "Llama 3.2 Vision has no image tokens among the others to attend to: it looks through layers of its own"


class Mllama(VisionLanguage):
    family = "mllama"
    told: ClassVar[Mapping[str, str]] = {"date_string": "26 Jul 2024"}  # the template's own, where it knows no clock
    neutral = "<|reserved_special_token_0|>"
    no_inside = NO_INSIDE

    def render_blind(self, question: str, pictures: int) -> str:
        return self.render(question, pictures).replace(self.placeholder, "")

    def see(self, processed: list[Processed]) -> list[Any]:
        """States of each picture (tile × patch, width), empty tiles included: the layers' mask leaves them out."""
        return [states for some in together(processed) for states in self._tower(some)]

    def prepare(self, batch: Padded) -> None:
        batch.inputs["input_ids"] = batch.ids
        if not batch.seen:
            return
        rows = self._by_row(batch)
        batch.inputs["cross_attention_states"] = self._states(rows)
        batch.inputs["cross_attention_mask"] = self._looks(batch, rows)

    def prefill(self, batch: Sequence[Prompt]) -> Stream:
        stream = super().prefill(batch)
        stream.inputs.pop("cross_attention_states", None)  # in the cache by now, and large
        return stream

    def proceed(self, stream: Stream, ids: Any) -> dict[str, Any]:
        """Answers look at what the last token of the prompt looks at; the states are in the cache."""
        if "cross_attention_mask" not in stream.inputs:
            return {}
        return {"cross_attention_mask": stream.inputs["cross_attention_mask"][:, -1:].expand(-1, ids.shape[1], -1, -1)}

    def over_tokens(self, attentions: Any) -> Any:
        looking = set(self.network.config.text_config.cross_attention_layers)
        return [layer for at, layer in enumerate(attentions) if at not in looking]

    def _tower(self, some: list[Processed]) -> Any:
        inputs = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
        eye = self.network.model
        found = eye.vision_model(**{name: self.tensor(np.concatenate([one[name] for one in some])) for name in inputs})
        return eye.multi_modal_projector(found.last_hidden_state).flatten(1, -2)

    def _by_row(self, batch: Padded) -> list[list[Seen]]:
        counts = (batch.ids == self.network.config.image_token_id).sum(dim=1).tolist()
        left = iter(batch.seen)
        return [[next(left) for _ in range(count)] for count in counts]

    def _looks(self, batch: Padded, rows: list[list[Seen]]) -> Any:
        """Which tiles each token looks at (row, width, picture, tile): the processor's own rule, on the padded batch."""
        from transformers.models.mllama import processing_mllama as rule

        token = self.network.config.image_token_id
        looks = rule.convert_sparse_cross_attention_mask_to_dense(
            [rule.get_cross_attention_token_mask(ids, token) for ids in batch.ids.tolist()],
            num_tiles=[[int(one.processed["num_tiles"].item()) for one in row] for row in rows],
            max_num_tiles=self.processor.image_processor.max_image_tiles,
            length=batch.ids.shape[1],
        )
        mask = np.zeros((*looks.shape[:2], _places(rows), looks.shape[-1]), looks.dtype)
        mask[:, :, : looks.shape[2]] = looks
        return self.tensor(mask)

    @staticmethod
    def _states(rows: list[list[Seen]]) -> Any:
        """States of every row (row, picture × tile × patch, width).

        Tokens before a picture look at all states there are, masked or not: so the network is built. A row with fewer
        pictures than another repeats its own, which leaves their average as it is; nothing else would.
        """
        import torch

        blank = torch.zeros_like(next(one.features for row in rows for one in row))
        shown = [[one.features for one in row] or [blank] for row in rows]
        return torch.stack([torch.cat(row * (_places(rows) // len(row))) for row in shown])


def _places(rows: list[list[Seen]]) -> int:
    """Pictures that each row has room for: a multiple of what each has."""
    return math.lcm(*(len(row) or 1 for row in rows))


families.add(
    "mllama",
    Family(
        "mllama",
        "Llama 3.2 Vision checkpoints",
        Mllama,
        version=Mllama.version,
        architectures=("MllamaForConditionalGeneration",),
        hub=("meta-llama/Llama-3.2-11B-Vision", "meta-llama/Llama-3.2-90B-Vision"),
        unavailable=lambda kind: NO_INSIDE if view_kinds.get(kind).place == "inside" else None,
    ),
)
