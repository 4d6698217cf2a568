"""Prompts that several rows go on from: their keys and values are held once, and each row holds only what it has said itself.

The cache of a stream forks when a row is to go several ways. From then on a layer's cache is the prompts', which nobody copies,
and a tail per row. All rows of a prompt meet its keys in one product, as if they were queries of one row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from mmplat.models._attention import Layer

Tensor = Any


class Tail(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """What rows have said since they parted, behind the prompts' keys and values. It tells transformers of both as one."""

    keys: Tensor  # (row, key head, key, width); empty until something is said
    values: Tensor

    def __init__(self, prompts: DynamicLayer) -> None:
        super().__init__()
        self.prompts = prompts
        self.lazy_initialization(prompts.keys, prompts.values)

    def get_seq_length(self) -> int:
        return int(self.prompts.get_seq_length() + super().get_seq_length())

    def reorder_cache(self, beam_idx: Tensor) -> None:
        if self.keys.numel():  # something was said
            rows = beam_idx.to(self.keys.device)
            self.keys, self.values = self.keys[rows], self.values[rows]


class Fork:
    """Which row goes on from which prompt, for all layers of a cache that can be shared; the others are copied as ever."""

    def __init__(self, cache: Any, prompts: int, device: Any) -> None:
        self.tails: dict[int, Tail] = {}
        for number, layer in enumerate(cache.layers):
            if type(layer) is DynamicLayer:  # no sliding window, which forgets a prompt row by row
                cache.layers[number] = self.tails[number] = Tail(layer)
        self.prompts = prompts
        self._meet(torch.arange(prompts, device=device))

    def select(self, rows: Tensor) -> None:
        """As the stream does. Prompts that nobody goes on from are let go, when they are half of those that are held."""
        of = self.origin[rows]
        still = of.unique()
        if 2 * len(still) <= self.prompts:
            for tail in self.tails.values():
                tail.prompts.reorder_cache(still)
            of, self.prompts = torch.searchsorted(still, of), len(still)
        self._meet(of)

    def _meet(self, origin: Tensor) -> None:
        """Gives each row (row,) of a prompt a place among that prompt's rows."""
        self.origin = origin
        before = (origin[:, None] == torch.arange(self.prompts, device=origin.device)).cumsum(dim=0)
        self.place = before.gather(1, origin[:, None])[:, 0] - 1
        self.widest = int(self.place.max()) + 1

    def times(self, rows: Tensor, of_prompts: Tensor) -> Tensor:
        """Each row's (row, head, new, a) times its prompt's (prompt, key head, a, b), one product per prompt and key head."""
        (_, heads, new, width), key_heads = rows.shape, of_prompts.shape[1]
        prompt, place = self.origin.to(rows.device), self.place.to(rows.device)
        together = rows.new_zeros(self.prompts, heads, self.widest, new, width)
        together[prompt, :, place] = rows
        found = together.view(self.prompts, key_heads, -1, width) @ of_prompts
        return found.view(self.prompts, heads, self.widest, new, -1)[prompt, :, place]

    def of(self, layer: Layer) -> Layer:
        """A layer at work, as its cache is held."""
        tail = self.tails.get(layer.number)
        if tail is None:
            return layer
        return Forked(layer.module, layer.query, layer.key, layer.value, layer.mask, layer.options, self, tail.prompts)


@dataclass(frozen=True)
class Forked(Layer):
    """A layer whose keys and values are the prompts' and, in `key` and `value`, each row's own."""

    fork: Fork
    prompts: DynamicLayer

    def usual(self, mask: Tensor | None = None, *, eager: bool) -> tuple[Tensor, Tensor | None]:
        layer = self if mask is None else replace(self, mask=mask)
        return layer.values(layer.weights(layer.scores(layer.query.shape[2]))), None

    def products(self, query: Tensor) -> Tensor:
        with_prompts = self.fork.times(query, self.prompts.keys.transpose(-1, -2))
        return torch.cat([with_prompts, super().products(query)], dim=-1)

    def taken(self, weights: Tensor) -> Tensor:
        length = self.prompts.get_seq_length()
        return self.fork.times(weights[..., :length], self.prompts.values) + super().taken(weights[..., length:])


def fork(cache: Any, prompts: int, device: Any) -> Fork | None:
    """None where no layer of the cache can be shared."""
    made = Fork(cache, prompts, device)
    return made if made.tails else None
