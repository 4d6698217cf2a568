"""What is made small: cross-entropy of the answers, and how far answers to variants lie from those to the clean item.

Everything is over the tokens of the answer. Row `i` of `targets` and `real` belongs to row `i` of the logits, and the logits of
a target are those before it (`models/teaching.py`); the released code of the paper reads those after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

Tensor = Any  # torch is imported where it is used
Reduction = Literal["sum", "mean"]


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Of each target (row, token)."""
    from torch.nn.functional import cross_entropy as each

    return each(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)


def weighted_mean(told: Tensor, real: Tensor, weights: Tensor) -> Tensor:
    """Mean over the answer tokens of the rows that weigh something, each token times the weight of its row."""
    counted = (real * (weights[:, None] > 0)).sum()
    return (told * real * weights[:, None]).sum() / counted.clamp(min=1)


def kl(variant: Tensor, clean: Tensor) -> Tensor:
    """KL(variant ‖ clean) of two rows of logits."""
    q, p = variant.log_softmax(dim=-1), clean.log_softmax(dim=-1)
    return (q.exp() * (q - p)).sum(dim=-1)


def js(variant: Tensor, clean: Tensor) -> Tensor:
    """½ KL(variant ‖ m) + ½ KL(clean ‖ m), m their mean: symmetric, at most ln 2."""
    import math

    import torch

    q, p = variant.log_softmax(dim=-1), clean.log_softmax(dim=-1)
    m = torch.logaddexp(p, q) - math.log(2)
    return ((p.exp() * (p - m)).sum(dim=-1) + (q.exp() * (q - m)).sum(dim=-1)) / 2


DIVERGENCES = {"kl": kl, "js": js}


def consistency(
    kind: str, variants: Tensor, clean: Tensor, real: Tensor, items: Sequence[int], *, reduction: Reduction
) -> Tensor:
    """Divergence of variants from their clean rows, which are held fixed: pair `i` belongs to item `items[i]`.

    Sum or mean over the pairs and answer tokens of an item; then the mean over items.
    """
    import torch

    if not items:
        return variants.sum() * 0.0  # nothing to compare: a batch of items without variants
    far = DIVERGENCES[kind](variants, clean.detach()) * real
    whose = torch.tensor(items, device=far.device)
    count = len(set(items))
    numbers = torch.unique(whose, return_inverse=True)[1]
    per_item = torch.zeros(count, dtype=far.dtype, device=far.device).index_add(0, numbers, far.sum(dim=1))
    if reduction == "mean":
        tokens = torch.zeros_like(per_item).index_add(0, numbers, real.sum(dim=1).to(far.dtype))
        per_item = per_item / tokens.clamp(min=1)
    return per_item.mean()
