"""The loss of a batch: L = cross-entropy (clean, variants) + adversarial + consistency, as the recipe weighs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmplat.models.teaching import Lesson, Teachable
from mmplat.recipes import Losses
from mmplat.training.adversary import Attack, attack, places
from mmplat.training.data import Row
from mmplat.training.losses import consistency, cross_entropy, weighted_mean

Tensor = Any  # torch is imported where it is used


PARTS = ("loss", "clean", "variants", "adversarial", "reach", "consistency")
"""What the loss of a batch is made of; a batch need not have all of it."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a batch cost, and what that is made of."""

    total: Tensor
    parts: dict[str, float]
    """Unweighted."""


def loss_of(taught: Teachable, rows: Sequence[Row], wanted: Losses, generator: Any) -> Loss:
    """One batch: a forward over its rows, and one more with something added to their embeddings."""
    lesson = taught.lesson([row.way.ask for row in rows], [row.answer for row in rows])
    logits, weights = taught.says(lesson), _tensor([row.weight for row in rows], lesson)
    told = cross_entropy(logits, lesson.targets)
    total = weighted_mean(told, lesson.real, weights)
    parts = _by_kind(told, lesson, rows)
    answers = [logits]
    if wanted.adversarial.kind != "none":
        found = _attacked(taught, lesson, rows, weights, wanted, generator)
        said = taught.says(lesson, added=found.added)
        harder = weighted_mean(cross_entropy(said, lesson.targets), lesson.real, weights)
        total = total + wanted.adversarial.weight * harder
        parts |= {"adversarial": float(harder.detach()), "reach": found.reach}
        answers.append(said)
    if wanted.consistency.kind != "none":
        compared = [_pairs(rows, with_clean=bool(perturbed)) for perturbed, _ in enumerate(answers)]
        far = _far(logits, answers, compared, lesson, rows, wanted)
        total = total + wanted.consistency.weight * far
        parts["consistency"] = float(far.detach())
    return Loss(total, {"loss": float(total.detach()), **parts})


def _attacked(
    taught: Teachable, lesson: Lesson, rows: Sequence[Row], weights: Tensor, wanted: Losses, generator: Any
) -> Attack:
    def harm(added: Tensor) -> Tensor:
        return weighted_mean(cross_entropy(taught.says(lesson, added=added), lesson.targets), lesson.real, weights)

    mask = places(taught, lesson, rows)
    return attack(wanted.adversarial, mask, taught.width, harm, generator, taught.model.network)


def _far(
    logits: Tensor,
    answers: Sequence[Tensor],
    compared: Sequence[Sequence[tuple[int, int]]],
    lesson: Lesson,
    rows: Sequence[Row],
    wanted: Losses,
) -> Tensor:
    """Divergence over all pairs: (which answers, of which row) against the clean row of its item."""
    import torch

    theirs = torch.cat([said[[one for one, _ in pairs]] for said, pairs in zip(answers, compared, strict=True)])
    flat = [pair for pairs in compared for pair in pairs]
    clean = [one for _, one in flat]
    items = [rows[one].item for one in clean]
    kind, reduction = wanted.consistency.kind, wanted.consistency.reduction
    return consistency(kind, theirs, logits[clean], lesson.real[clean], items, reduction=reduction)


def _pairs(rows: Sequence[Row], *, with_clean: bool) -> list[tuple[int, int]]:
    """(row, clean row of its item); clean rows are compared with themselves only where something was added to them."""
    clean = {row.item: at for at, row in enumerate(rows) if row.clean}
    return [(at, clean[row.item]) for at, row in enumerate(rows) if with_clean or not row.clean]


def _by_kind(told: Tensor, lesson: Lesson, rows: Sequence[Row]) -> dict[str, float]:
    """Cross-entropy of clean rows and of variants, where a batch has some."""
    clean = _tensor([float(row.clean) for row in rows], lesson)
    kinds = {"clean": clean, "variants": 1 - clean}
    return {n: float(weighted_mean(told.detach(), lesson.real, which)) for n, which in kinds.items() if which.any()}


def _tensor(values: Sequence[float], lesson: Lesson) -> Tensor:
    import torch

    return torch.tensor(values, device=lesson.padded.ids.device)
