"""What is added to the embeddings of the part of a prompt that does not decide, so that the answer is hardest to keep.

`raw-gradient` is the paper's: the gradient itself, a box, no sign; with its rates a step is far smaller than the box, so that the
random start does most of it (`reach` says how far a step went, in boxes). `sign-pgd` goes by the gradient's sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mmplat.models.teaching import Lesson, Teachable
from mmplat.recipes import Adversarial
from mmplat.training.data import Row

Tensor = Any  # torch is imported where it is used


@dataclass(frozen=True, slots=True)
class Attack:
    """What was found."""

    added: Tensor
    """(row, position, width): zero wherever the mask is."""
    reach: float = 0.0
    """Largest step of a coordinate, in epsilons."""


def places(taught: Teachable, lesson: Lesson, rows: Sequence[Row]) -> Tensor:
    """Where something may be added (row, position): words of questions that the picture decides, and the other way round."""
    import torch

    family = [row.family for row in rows]
    by_picture = torch.tensor([one == "image" for one in family], device=lesson.padded.ids.device)[:, None]
    by_words = torch.tensor([one == "text" for one in family], device=lesson.padded.ids.device)[:, None]
    return (by_picture & taught.on_words(lesson)) | (by_words & taught.on_picture(lesson))


def attack(
    wanted: Adversarial, mask: Tensor, width: int, loss: Callable[[Tensor], Tensor], generator: Any, network: Any
) -> Attack:
    """Looks for what to add, from a random start. `loss` is the cross-entropy with something added."""
    import torch

    shape = (*mask.shape, width)
    where = mask[..., None].to(torch.float32)
    if wanted.kind == "gaussian":
        return Attack(wanted.sigma * torch.randn(shape, generator=generator, device=mask.device) * where)
    added = (2 * torch.rand(shape, generator=generator, device=mask.device) - 1) * wanted.epsilon * where
    reach = 0.0
    with frozen(network):
        for _ in range(wanted.steps):
            added.requires_grad_(True)
            (slope,) = torch.autograd.grad(loss(added), added)
            step = wanted.alpha * (slope.sign() if wanted.kind == "sign-pgd" else slope) * where
            reach = max(reach, float(step.abs().max()) / wanted.epsilon)
            added = (added.detach() + step).clamp(-wanted.epsilon, wanted.epsilon)
    return Attack(added.detach(), reach)


@contextmanager
def frozen(network: Any) -> Iterator[None]:
    """No weight asks for a gradient; afterwards those do that did before."""
    flags = [(weight, weight.requires_grad) for weight in network.parameters()]
    try:
        for weight, _ in flags:
            weight.requires_grad_(False)
        yield
    finally:
        for weight, asked in flags:
            weight.requires_grad_(asked)
