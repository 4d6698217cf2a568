"""Rows to tensors: several conversations share one picture under a four-dimensional mask.

A row is BOS, USER:, sixteen image tokens, then segments. Each segment sees the prefix and itself, and its position ids
start again behind the prefix, so every answer is computed exactly as in a sequence of its own; the picture is paid once.
A segment that must not see the picture is masked off it and starts behind USER:.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmplat.world.training_rows import Segment, token_ids
from mmplat.world.vlm import IMAGE_TOKENS
from mmplat.world.vocabulary import BOS, IMAGE, PAD, USER

_TEXT_PREFIX = 2  # BOS, USER:
PREFIX = _TEXT_PREFIX + IMAGE_TOKENS


@dataclass(frozen=True, slots=True)
class Packed:
    """One batch; `rows` and `places` point at the tokens that predict `targets`."""

    ids: Any  # (batch, length) int64
    positions: Any  # (batch, length) int64
    mask: Any  # (batch, 1, length, length) float, 0 or -inf
    rows: Any  # (targets,)
    places: Any  # (targets,)
    targets: Any  # (targets,)
    weights: Any  # (targets,) float


def pack(batch: Sequence[Sequence[Segment]]) -> Packed:
    """Pack the segments of each row behind its picture."""
    import torch

    length = PREFIX + max(sum(len(segment.ids) for segment in row) for row in batch)
    ids = np.full((len(batch), length), token_ids()[PAD], dtype=np.int64)
    ids[:, 0], ids[:, 1], ids[:, 2:PREFIX] = token_ids()[BOS], token_ids()[USER], token_ids()[IMAGE]
    positions = np.zeros((len(batch), length), dtype=np.int64)
    positions[:, :PREFIX] = np.arange(PREFIX)
    owner = np.full((len(batch), length), -1, dtype=np.int64)  # -1 padding, 0 prefix, 1… the segments
    owner[:, :PREFIX] = 0
    sees = np.ones((len(batch), length), dtype=np.bool_)
    learned: list[tuple[int, int, int, float]] = []
    for index, row in enumerate(batch):
        start = PREFIX
        for number, segment in enumerate(row, start=1):
            end = start + len(segment.ids)
            first = PREFIX if segment.sees_image else _TEXT_PREFIX
            ids[index, start:end] = segment.ids
            positions[index, start:end] = np.arange(first, first + len(segment.ids))
            owner[index, start:end] = number
            sees[index, start:end] = segment.sees_image
            learned += [(index, start + offset, target, weight) for offset, target, weight in segment.targets]
            start = end
    mask = torch.from_numpy(_mask(owner, sees))
    rows, places, targets, weights = (torch.tensor(column) for column in zip(*learned, strict=True))
    return Packed(torch.from_numpy(ids), torch.from_numpy(positions), mask, rows, places, targets, weights)


def answer_logits(model: Any, features: Any, packed: Packed) -> Any:
    """Logits (targets, vocabulary) at the learned places; `features` are the projected image tokens (batch, 16, d)."""
    import torch

    language = model.model.language_model
    embedded = language.embed_tokens(packed.ids)
    embedded = torch.cat([embedded[:, :_TEXT_PREFIX], features, embedded[:, PREFIX:]], dim=1)
    hidden = language(
        inputs_embeds=embedded, attention_mask=packed.mask, position_ids=packed.positions, use_cache=False
    ).last_hidden_state
    return model.lm_head(hidden[packed.rows, packed.places])


def loss(logits: Any, packed: Packed) -> Any:
    """Weighted cross entropy."""
    from torch.nn.functional import cross_entropy

    each = cross_entropy(logits, packed.targets, reduction="none")
    return (each * packed.weights).sum() / packed.weights.sum()


def _mask(owner: np.ndarray[Any, Any], sees: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    length = owner.shape[1]
    place = np.arange(length)
    is_image = (place >= _TEXT_PREFIX) & (place < PREFIX)
    same = owner[:, :, None] == owner[:, None, :]
    prefix = (owner == 0)[:, None, :] & (sees[:, :, None] | ~is_image[None, None, :])
    allowed = (same | prefix) & (place[:, None] >= place[None, :])
    return np.where(allowed, np.float32(0), np.float32(-np.inf))[:, None]
