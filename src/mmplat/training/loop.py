"""The loop: batches → gradients → steps. Every step draws its random numbers from its own number, so that a training which was
killed takes the very steps that it would have taken."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mmplat.errors import ModelError
from mmplat.ids import seed_from
from mmplat.models.teaching import Teachable
from mmplat.recipes import Optimiser, Recipe, Schedule
from mmplat.training.data import Batches
from mmplat.training.objective import PARTS, loss_of
from mmplat.training.processes import Processes, whole

Line = dict[str, float]
"""What one step came to, as losses.jsonl has it."""


@dataclass(slots=True)
class Loop:
    """A training at some step."""

    taught: Teachable
    batches: Batches
    recipe: Recipe
    processes: Processes
    total: int
    """Steps in all."""
    optimiser: Any = None
    done: int = 0
    learning: list[Any] = field(default_factory=list)
    """The weights that learn."""

    def __post_init__(self) -> None:
        self.learning = [weight for weight in self.taught.model.network.parameters() if weight.requires_grad]
        self.optimiser = adamw(self.learning, self.recipe.optimiser)

    def steps(self) -> Iterator[Line]:
        """Takes the steps that are left; a line for each."""
        while self.done < self.total:
            began = time.monotonic()
            line = self._step()
            self.done += 1
            yield {"step": self.done, **line, "seconds": round(time.monotonic() - began, 4)}

    def _step(self) -> Line:
        rate = self.recipe.optimiser.lr * rate_at(self.done, self.total, self.recipe.schedule)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parts, rows = self._gradients()
        norm = self._clipped()
        mean = self.processes.mean(parts, PARTS)
        _refuse_nan(self.done + 1, rate, {**mean, "gradient": norm})
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return {"rate": rate, **mean, "gradient": norm, "rows": rows * self.processes.count}

    def _gradients(self) -> tuple[list[Line], int]:
        """Gradients of one step, over all of its batches and processes; the losses and the rows of this process."""
        parts: list[Line] = []
        count, rows = self.recipe.accumulate, 0
        for number in range(self.done * count, (self.done + 1) * count):
            batch = self.batches.rows(number)
            generator = self._random(number)
            with arithmetic(self.taught.model.device, self.recipe.dtype):
                loss = loss_of(self.taught, batch, self.recipe.losses, generator)
            (loss.total / count).backward()
            rows += len(batch)
            parts.append(loss.parts)
        self.processes.share_gradients(self.learning)
        return parts, rows

    def _random(self, number: int) -> Any:
        """Random numbers of a batch: what is added to embeddings, and (torch's own) what is dropped out."""
        import torch

        seed = seed_from(self.recipe.seed, "batch", number, self.processes.index) % 2**63
        torch.manual_seed(seed)
        return torch.Generator(self.taught.model.device).manual_seed(seed)

    def _clipped(self) -> float:
        import torch

        largest = self.recipe.optimiser.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.learning, largest)
        return float(whole(norm))


def adamw(weights: list[Any], wanted: Optimiser) -> Any:
    """Matrices decay, vectors (norms, biases) do not."""
    import torch

    groups = [
        {"params": [one for one in weights if one.ndim > 1], "weight_decay": wanted.weight_decay},
        {"params": [one for one in weights if one.ndim <= 1], "weight_decay": 0.0},
    ]
    kept = [group for group in groups if group["params"]]
    return torch.optim.AdamW(kept, lr=wanted.lr, betas=wanted.betas, eps=wanted.eps)


def rate_at(step: int, total: int, wanted: Schedule) -> float:
    """Share of the full rate at a step (from 0): it rises, then falls as the schedule says."""
    warm = math.ceil(wanted.warmup * total)
    if step < warm:
        return (step + 1) / warm
    way = (step - warm) / max(1, total - warm)
    falls: dict[str, Callable[[float], float]] = {
        "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
        "linear": lambda x: 1 - x,
        "constant": lambda x: 1.0,
    }
    return falls[wanted.kind](way)


def arithmetic(device: str, dtype: str) -> Any:
    """float32 as it is; bfloat16 where torch holds it safe, with weights and sums in float32."""
    import torch

    if dtype == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=getattr(torch, dtype))


def _refuse_nan(step: int, rate: float, numbers: Line) -> None:
    broken = [name for name, value in numbers.items() if not math.isfinite(value)]
    if broken:
        raise ModelError(
            f"The training diverged at step {step}: {', '.join(f'{n} is {numbers[n]}' for n in broken)} at a rate of {rate:.2g}. "
            "Nothing of this step was kept. Lower optimiser.lr or the weights of the losses, raise schedule.warmup, or use "
            "dtype: float32."
        )
