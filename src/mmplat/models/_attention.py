"""Attention that is ours for the time of a forward: what changes it, reads it, or lets rows share a prompt goes through here.

Nothing of transformers is replaced. Its interface for attention functions gets one more, which is chosen while a forward runs
and put back in a `finally`. That function hands each layer, as a `Layer`, to what goes with the stream (`_inside.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmplat.models._inside import Usual

Tensor = Any  # torch is imported where it is used
OURS = "mmplat"
"""Our attention function, by its name in transformers."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One attention layer at work, as transformers calls it."""

    module: Any
    query: Tensor  # (row, head, query, width)
    key: Tensor  # (row, key head, key, width)
    value: Tensor
    mask: Tensor  # (row, 1, query, key): 0, or the lowest number where nothing may be seen
    options: dict[str, Any]

    @property
    def number(self) -> int:
        return int(self.module.layer_idx)

    def usual(self, mask: Tensor | None = None, *, eager: bool) -> tuple[Tensor, Tensor | None]:
        """The network's own attention: (row, query, head, width), and weights where it has them."""
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        own = sys.modules[type(self.module).__module__]
        run = own.eager_attention_forward if eager else sdpa_attention_forward
        seen = self.mask if mask is None else mask
        found: tuple[Tensor, Tensor | None] = run(self.module, self.query, self.key, self.value, seen, **self.options)
        return found

    def scores(self, new: int) -> Tensor:
        """Of the last `new` positions (row, head, new, key), before mask and softmax."""
        found = self.products(self.query[:, :, -new:]) * self.options["scaling"]
        cap = self.options.get("softcap")
        return found if cap is None else cap * (found / cap).tanh()

    def products(self, query: Tensor) -> Tensor:
        """Of some queries (row, head, new, width) with all keys (row, head, new, key)."""
        return query @ self._per_head(self.key).transpose(-1, -2)

    def weights(self, scores: Tensor) -> Tensor:
        import torch

        masked = scores + self.mask[:, :, -scores.shape[2] :]
        return masked.softmax(dim=-1, dtype=torch.float32)

    def values(self, weights: Tensor) -> Tensor:
        """What the positions take from the values (row, new, head, width)."""
        return self.taken(weights.to(self.value)).transpose(1, 2)

    def taken(self, weights: Tensor) -> Tensor:
        """Weights (row, head, new, key) times all values (row, head, new, width)."""
        return weights @ self._per_head(self.value)

    def _per_head(self, shared: Tensor) -> Tensor:
        return shared.repeat_interleave(self.query.shape[1] // shared.shape[1], dim=1)


@contextmanager
def attention_by(network: Any, name: str) -> Iterator[None]:
    """The language model attends by the function of this name; afterwards by its usual one."""
    usual = network.config.text_config._attn_implementation
    network.set_attn_implementation({"text_config": name})
    try:
        yield
    finally:
        network.set_attn_implementation({"text_config": usual})


def ours() -> str:
    """Our function's name, known to transformers from the first time on."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    if OURS not in ALL_ATTENTION_FUNCTIONS:
        ALL_ATTENTION_FUNCTIONS.register(OURS, _attention)
        ALL_MASK_ATTENTION_FUNCTIONS.register(OURS, eager_mask)
    return OURS


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, *, inside: Usual, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """What transformers calls in each layer; `inside` came through the network from `Usual.says`."""
    layer = Layer(module, query, key, value, attention_mask, options)
    return inside.attend(layer if inside.fork is None else inside.fork.of(layer))
