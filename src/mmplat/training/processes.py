"""The processes that train together. One, unless `accelerate launch` started several: then each has its own items, and
gradients are averaged, or weights are sharded where its configuration says FSDP."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmplat.models.teaching import Teachable

Tensor = Any  # torch is imported where it is used


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of one training."""

    index: int = 0
    count: int = 1
    device: str | None = None
    """Where this one computes; None: where the model's spec says."""
    sharded: bool = False
    """Each process holds a part of the weights."""

    @property
    def first(self) -> bool:
        return self.index == 0

    def shard(self, taught: Teachable) -> None:
        """Each process keeps a part of every weight, and the network puts them together block by block as it needs them."""
        if not self.sharded:
            return
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

        for block in taught.blocks:
            fully_shard(block)
        fully_shard(taught.model.network)
        register_fsdp_forward_method(taught.model.network, "get_image_features")

    def wait(self) -> None:
        if self.count > 1:
            import torch

            torch.distributed.barrier()

    def mean(self, parts: Sequence[Mapping[str, float]], names: Sequence[str]) -> dict[str, float]:
        """Of each number over the batches of all processes that have it."""
        import torch

        told = [[(part[name], 1.0) if name in part else (0.0, 0.0) for part in parts] for name in names]
        sums = torch.tensor(told, dtype=torch.float64).sum(dim=1)
        if self.count > 1:
            sums = sums.to(self.device)
            torch.distributed.all_reduce(sums)
        return {name: total / count for name, (total, count) in zip(names, sums.tolist(), strict=True) if count}

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


def whole(tensor: Tensor) -> Tensor:
    """A tensor, put together where it is sharded: all processes must ask for it."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def joined() -> Processes:
    """As the environment says, which `accelerate launch` sets from its configuration."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    return Processes(state.process_index, state.num_processes, str(state.device), sharded)
