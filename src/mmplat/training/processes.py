"""The processes that train together. One, unless `accelerate launch` started several: then each has its own items, and
gradients are averaged, or weights are sharded where its configuration says FSDP."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Tensor = Any  # torch is imported where it is used


@dataclass(slots=True)
class Processes:
    """This process among those of one training."""

    index: int = 0
    count: int = 1
    device: str | None = None
    """Where this one computes; None: where the model's spec says."""
    accelerator: Any = None

    @property
    def first(self) -> bool:
        return self.index == 0

    @property
    def sharded(self) -> bool:
        """Whether each process holds a part of the weights."""
        return self.accelerator is not None and str(self.accelerator.distributed_type).endswith("FSDP")

    def wait(self) -> None:
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def mean(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Of all processes."""
        if self.count == 1:
            return dict(numbers)
        import torch

        told = torch.tensor([numbers[name] for name in sorted(numbers)], device=self.accelerator.device)
        found = self.accelerator.reduce(told, reduction="mean").tolist()
        return dict(zip(sorted(numbers), found, strict=True))

    def share_gradients(self, weights: Sequence[Tensor]) -> None:
        """The mean over processes. Not by DistributedDataParallel: a step has several forwards, some of them without weights."""
        if self.count == 1 or self.sharded:
            return
        import torch

        given = [weight.grad for weight in weights if weight.grad is not None]
        flat = torch._utils._flatten_dense_tensors(given)
        torch.distributed.all_reduce(flat)
        flat /= self.count
        for grad, mean in zip(given, torch._utils._unflatten_dense_tensors(flat, given), strict=True):
            grad.copy_(mean)

    def whole(self, tensor: Tensor) -> Tensor:
        """A sharded tensor, put together."""
        return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def joined() -> Processes:
    """As the environment says, which `accelerate launch` sets."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    from accelerate import Accelerator

    found = Accelerator()
    return Processes(found.process_index, found.num_processes, str(found.device), found)
