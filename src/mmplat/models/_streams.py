"""Continuing prompts token by token from their cache: continuation scoring, and whatever decodes step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmplat.models._vlm import Prompt, VisionLanguage


@dataclass(slots=True)
class Stream:
    """Prompts that a model has read, and can go on from."""

    logits: Any  # (row, vocab): of the next token
    cache: Any
    attention: Any  # (row, width)
    positions: Any  # (…, row, 1): of the last tokens
    inputs: dict[str, Any] = field(default_factory=dict)
    """What the prompts' own forward was given, for families whose continuation depends on it."""

    def fan_out(self, times: int) -> Stream:
        """Each row `times` times, one after the other. The cache moves over: this stream ends here."""
        self.cache.batch_repeat_interleave(times)
        repeat = {name: _repeated(value, len(self.logits), times) for name, value in self.inputs.items()}
        return Stream(
            self.logits.repeat_interleave(times, dim=0),
            self.cache,
            self.attention.repeat_interleave(times, dim=0),
            self.positions.repeat_interleave(times, dim=-2),
            repeat,
        )

    def extend(self, ids: Any, real: Any | None) -> None:
        """Makes room for tokens (row, step) after the last ones."""
        import torch

        steps = ids.shape[1]
        added = torch.ones_like(ids) if real is None else real
        self.attention = torch.cat([self.attention, added.to(self.attention)], dim=1)
        last = self.positions[..., -1:]
        self.positions = last + torch.arange(1, steps + 1, device=last.device)


def score_continuations(
    model: VisionLanguage, batch: Sequence[Prompt], continuations: Sequence[tuple[int, ...]]
) -> Any:
    """Summed log-probability of each continuation after each prompt (row, continuation): one prefill, one fanned-out step."""
    import torch

    stream = model.prefill(batch)
    width, count = max(map(len, continuations)), len(continuations)
    ids = torch.zeros((count, width), dtype=torch.long, device=model.device)
    real = torch.zeros_like(ids)
    for index, tokens in enumerate(continuations):
        ids[index, : len(tokens)] = torch.tensor(tokens)
        real[index, : len(tokens)] = 1
    rows = len(batch)
    first = stream.logits.log_softmax(dim=-1)[:, ids[:, 0]]  # (row, continuation)
    if width == 1:
        return first
    fanned = stream.fan_out(count)
    said = model.advance(fanned, ids[:, :-1].repeat(rows, 1), real[:, :-1].repeat(rows, 1)).log_softmax(dim=-1)
    following = ids[:, 1:].repeat(rows, 1).unsqueeze(-1)
    rest = (said.gather(-1, following)[..., 0] * real[:, 1:].repeat(rows, 1)).sum(dim=1)
    return first + rest.view(rows, count)


def _repeated(value: Any, rows: int, times: int) -> Any:
    """A tensor with a row per prompt, repeated with it."""
    if hasattr(value, "repeat_interleave") and value.ndim and value.shape[0] == rows:
        return value.repeat_interleave(times, dim=0)
    return value
