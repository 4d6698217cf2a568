"""Muon for the matrices inside layers, AdamW for the rest.

torch.optim.Muon orthogonalises one matrix at a time in bfloat16, which is slow on a CPU. This one stacks matrices of
equal shape and stays in float32; update rule and scaling (match_rms_adamw) are the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Keller Jordan's quintic
_STEPS = 5


class Optimiser:
    """Both optimisers behind one `step(progress)`, with warm-up and a cosine down to a twentieth."""

    def __init__(self, parameters: Iterable[tuple[str, Any]], *, muon: float, adamw: float) -> None:
        import torch

        self._stacks: dict[tuple[int, ...], list[Any]] = defaultdict(list)
        rest = []
        for name, parameter in parameters:
            if parameter.ndim == 2 and "embed" not in name and "lm_head" not in name:
                self._stacks[tuple(parameter.shape)].append(parameter)
            else:
                rest.append(parameter)
        self._momentum = {shape: torch.zeros(len(stack), *shape) for shape, stack in self._stacks.items()}
        self._rates = (muon, adamw)
        self._adamw = torch.optim.AdamW(rest, lr=adamw, betas=(0.9, 0.98), weight_decay=0.0)
        self._all = [*rest, *(p for stack in self._stacks.values() for p in stack)]

    def step(self, done: int, total: int) -> None:
        """Apply the gradients and clear them; `done` of `total` steps came before."""
        import torch

        torch.nn.utils.clip_grad_norm_(self._all, 1.0)
        scale = _schedule(done, total)
        for group in self._adamw.param_groups:
            group["lr"] = self._rates[1] * scale
        self._adamw.step()
        with torch.no_grad():
            for shape, stack in self._stacks.items():
                self._muon(shape, stack, self._rates[0] * scale)
        for parameter in self._all:
            parameter.grad = None

    def _muon(self, shape: tuple[int, ...], stack: list[Any], rate: float) -> None:
        import torch

        gradient = torch.stack([p.grad if p.grad is not None else torch.zeros_like(p) for p in stack])
        momentum = self._momentum[shape]
        momentum.lerp_(gradient, 1 - _MOMENTUM)
        update = orthogonalise(gradient.lerp(momentum, _MOMENTUM))  # Nesterov
        step = rate * 0.2 * math.sqrt(max(shape))
        for parameter, change in zip(stack, update, strict=True):
            parameter.add_(change, alpha=-step)


def orthogonalise(stack: Any) -> Any:
    """The nearest half-orthogonal matrices of a stack (count, rows, columns), by Newton and Schulz."""
    a, b, c = _COEFFICIENTS
    tall = stack.shape[1] > stack.shape[2]
    x = stack.transpose(1, 2) if tall else stack
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    for _ in range(_STEPS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.transpose(1, 2) if tall else x


def _schedule(done: int, total: int) -> float:
    warm = max(1, min(30, total // 10))
    if done < warm:
        return (done + 1) / warm
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (done - warm) / max(1, total - warm)))
