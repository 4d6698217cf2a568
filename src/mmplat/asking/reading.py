"""How an answer is read: from one next-token row, or, where labels are several tokens long, by scoring them as continuations.

A continuation reading is a row too: its "tokens" are the labels, its logits their log-probabilities. Every method and decoding
then applies to it as it does to a row of the vocabulary, and no token of the row is ever missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mmplat.errors import IncompatibleCell
from mmplat.models import LoadedModel, Spellings


@dataclass(frozen=True, slots=True)
class Reading:
    """How the answers of samples with equal labels are read."""

    spellings: Spellings
    width: int
    """Logits of a row: the vocabulary, or the labels."""
    run: Callable[[Sequence[Any]], Any]
    """Encoded asks → float32 (row, width)."""
    label_tokens: tuple[int, ...] | None = None
    """Tokens of each label, where labels are continuations."""

    @property
    def tokens_besides(self) -> int:
        """What reading a prompt adds to its own tokens, for the memory of a forward."""
        return 0 if self.label_tokens is None else len(self.label_tokens) * max(self.label_tokens)


def reading_of(model: LoadedModel, labels: tuple[str, ...]) -> Reading:
    """One row where every label has a one-token spelling; else continuations, where the family scores them."""
    try:
        return Reading(model.spellings(labels), model.vocab_size, model.forward)
    except IncompatibleCell as no_row:
        try:
            tokens = model.continuations(labels)
        except IncompatibleCell as no_continuation:
            raise IncompatibleCell(f"{no_row} {no_continuation}") from None
    each = tuple(range(len(labels)))
    lengths = tuple(len(one) for one in tokens)
    return Reading(Spellings(each, each), len(labels), lambda batch: model.score(batch, labels), lengths)
