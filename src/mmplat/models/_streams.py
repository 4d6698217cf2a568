"""Continuing prompts token by token from their cache: continuation scoring, and whatever decodes step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmplat.models._inside import Usual
    from mmplat.models._prompts import Prompt
    from mmplat.models._vlm import VisionLanguage


@dataclass(slots=True)
class Stream:
    """Prompts that a model has read, and can go on from."""

    logits: Any  # (row, vocab): of the next token
    cache: Any
    attention: Any  # (row, width)
    positions: Any  # (…, row, 1): of the last tokens
    inside: Usual
    """What is done inside the network, from the prompts to the last token."""
    inputs: dict[str, Any] = field(default_factory=dict)
    """What the prompts' own forward was given, for families whose continuation depends on it."""

    def select(self, rows: Any) -> None:
        """Keeps these rows (indices on the stream's device), in this order; one may be named several times, to go several ways."""
        count = len(self.logits)
        if len(rows) > count and self.inside.fork is None:
            self._fork(count)
        self.cache.reorder_cache(rows)  # on whatever device a layer lies
        self.inside.select(rows)
        self.logits, self.attention = self.logits[rows], self.attention[rows]
        self.positions = self.positions.index_select(-2, rows)
        self.inputs = {name: _rows_of(value, count, rows) for name, value in self.inputs.items()}

    def _fork(self, count: int) -> None:
        """From here on rows that go on from one of these hold it once, where the network can attend to it so."""
        if self.inside.model.no_inside is None:
            from mmplat.models._fork import fork  # it is torch throughout

            self.inside.fork = fork(self.cache, count, self.logits.device)

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
    stream.select(torch.arange(rows, device=ids.device).repeat_interleave(count))
    said = model.advance(stream, ids[:, :-1].repeat(rows, 1), real[:, :-1].repeat(rows, 1)).log_softmax(dim=-1)
    following = ids[:, 1:].repeat(rows, 1).unsqueeze(-1)
    rest = (said.gather(-1, following)[..., 0] * real[:, 1:].repeat(rows, 1)).sum(dim=1)
    return first + rest.view(rows, count)


def _rows_of(value: Any, count: int, rows: Any) -> Any:
    """Rows of a tensor that has one per prompt; anything else as it is."""
    if hasattr(value, "index_select") and value.ndim and value.shape[0] == count:
        return value.index_select(0, rows)
    return value
