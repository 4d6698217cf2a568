"""What is put to a network: prompts as token ids with what is seen of their pictures, and a batch of them as tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmplat.models._pictures import Seen


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids with the image tokens in place, and what the model sees there."""

    ids: tuple[int, ...]
    seen: tuple[Seen, ...] = ()
    inside: Any = None
    """What its view does inside the network (`views/inside.py`); None: nothing."""
    answer: int = 0
    """How many of its last tokens are the answer: none when asking; training shows it."""

    @property
    def length(self) -> int:
        return len(self.ids)


@dataclass(slots=True)
class Padded:
    """A batch as tensors, padded on the left: the last position of every row is its last real token."""

    ids: Any  # (row, width)
    attention: Any  # (row, width): 1 where a token is real
    positions: Any  # (row, width), or (axis, row, width) where a family has several axes
    answers: Any  # (row, width): 1 where a token is of the answer
    seen: list[Seen] = field(default_factory=list)
    """Of all rows in order."""
    inputs: dict[str, Any] = field(default_factory=dict)
    """What a family adds to the network's keyword arguments."""
