"""One next-token row → what is kept of it: the labels' spellings, the largest tokens, and the mass of the whole row.

Runs on the model's device, on all rows of a chunk at once; only what is kept leaves it. Logits stay float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.evidence.coverage import STANDARD_TEMPERATURES
from mmplat.models import Spellings
from mmplat.records import Demand

Tensor = Any  # torch is imported where it is used


@dataclass(frozen=True, slots=True)
class Top:
    """The largest tokens of some rows: ids, and how many of them each row keeps; what lies behind is padding."""

    ids: Tensor  # (row, widest)
    keep: NDArray[np.int64]  # (row,)

    def rows(self, which: NDArray[np.int64]) -> Top:
        return Top(self.ids[which], self.keep[which])

    def replaced(self, which: NDArray[np.int64], other: Top) -> Top:
        """These rows with those of `which` taken from `other`."""
        width = max(self.ids.shape[1], other.ids.shape[1])
        ids = self.ids.new_zeros((len(self.keep), width))
        ids[:, : self.ids.shape[1]] = self.ids
        ids[which] = 0
        ids[which, : other.ids.shape[1]] = other.ids
        keep = self.keep.copy()
        keep[which] = other.keep
        return Top(ids, keep)

    def gather(self, logits: Tensor) -> NDArray[np.float32]:
        """What another view's rows say at these tokens (row, widest)."""
        return np.asarray(logits.gather(1, self.ids).cpu().numpy())


def padded_top(top_ids: NDArray[np.int32], device: str) -> Top:
    """Top tokens as evidence stores them: −1 is padding."""
    import torch

    keep = np.asarray((top_ids >= 0).sum(axis=1), np.int64)
    return Top(torch.from_numpy(np.maximum(top_ids, 0).astype(np.int64)).to(device), keep)


def top_tokens(logits: Tensor, demand: Demand, known: NDArray[np.int64] | None = None) -> tuple[Top, Tensor]:
    """The tokens to keep of each row, so that every decision of `demand` is exact, and their logits.

    `known` is how many a stored row keeps already: one that is asked again never keeps fewer, or grids would take turns.
    """
    vocab = logits.shape[1]
    keep = np.full(logits.shape[0], min(demand.top_k, vocab), np.int64)
    if known is not None:
        keep = np.maximum(keep, known)
    if demand.min_beta is not None:
        bar = -math.inf if demand.min_beta == 0 else math.log(demand.min_beta)
        plausible = (logits >= logits.max(dim=1, keepdim=True).values + bar).sum(dim=1)
        keep = np.maximum(
            keep, np.minimum(plausible.cpu().numpy() + 1, vocab)
        )  # one more shows that the bar was passed
    for temperature, top_p in demand.nuclei:
        keep = np.maximum(keep, _nucleus_size(logits, temperature, top_p))
    values, ids = logits.topk(int(keep.max()), dim=1)
    return Top(ids, keep), values


def _nucleus_size(logits: Tensor, temperature: float, top_p: float) -> NDArray[np.int64]:
    share = (logits / temperature).softmax(dim=1).sort(dim=1, descending=True).values.cumsum(dim=1)
    size = (share < top_p).sum(dim=1) + 2  # the token that crosses top_p, and one for rounding
    return np.asarray(size.clamp(max=logits.shape[1]).cpu().numpy(), np.int64)


def temperatures_of(demand: Demand, known: tuple[float, ...] = ()) -> tuple[float, ...]:
    """Those of every row, those that the grid names, and those that rows on disk know already."""
    return tuple(sorted({round(t, 6) for t in (*STANDARD_TEMPERATURES, *demand.temperatures, *known)}))


def totals(logits: Tensor, temperatures: tuple[float, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-sum-exp of each row, and of row ÷ T relative to its largest (row, temperature): small numbers, so exact ones."""
    import torch

    largest = logits.max(dim=1, keepdim=True).values
    shifted = logits - largest
    each = [torch.exp(shifted / t).sum(dim=1, dtype=torch.float64).log() for t in temperatures]
    stacked = torch.stack(each, dim=1).cpu().numpy()
    plain = torch.exp(shifted).sum(dim=1, dtype=torch.float64).log() + largest[:, 0].double()
    return np.asarray(plain.cpu().numpy()), np.asarray(stacked)


def label_columns(logits: Tensor, spellings: Spellings, n_labels: int) -> dict[str, NDArray[Any]]:
    """Logits of every spelling (row, spelling), and their log-sum-exp per label (row, label)."""
    import torch

    ids = torch.tensor(spellings.ids, device=logits.device)
    spelled = logits[:, ids]
    of = torch.tensor(spellings.of, device=logits.device)
    labels = torch.stack([spelled[:, of == index].logsumexp(dim=1) for index in range(n_labels)], dim=1)
    mass = torch.exp(labels.logsumexp(dim=1) - logits.logsumexp(dim=1))
    return {
        "spelling_logits": spelled.cpu().numpy(),
        "label_logits": labels.cpu().numpy(),
        "label_mass": mass.clamp(max=1.0).cpu().numpy(),
    }


def total_probability(log_probs: Tensor) -> NDArray[np.float32]:
    """Sum of the probabilities of each row (row,)."""
    return np.asarray(log_probs.logsumexp(dim=1).exp().clamp(max=1.0).cpu().numpy())


def margins(top_values: Tensor) -> NDArray[np.float32]:
    """The largest logit minus the second (row,)."""
    return np.asarray((top_values[:, 0] - top_values[:, 1]).cpu().numpy(), np.float32)
