"""A model without weights: logits are a seeded function of the question and the view. For tests and dry runs, in milliseconds.

It likes "yes" and the first option, sees the gold label in the image with some strength, and knows nothing without it: enough
for every part of the platform to have something to do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmplat.ids import seed_from
from mmplat.models.base import Ask, Family, Named, OneRow, Spellings, families, named
from mmplat.records import ModelSpec

SEES = {"image": 1.5, "noise": 0.8}
"""How strongly each kind of view shows the right answer."""


@dataclass(frozen=True, slots=True)
class FakePrompt:
    ask: Ask
    length: int


class Fake(OneRow):
    """Vocabulary: 0–9 label spellings in two cases, the rest noise."""

    device = "cpu"
    hardware = "none"
    dtype = "float32"

    def __init__(self, spec: ModelSpec) -> None:
        self.vocab_size = int(spec.params.get("vocab_size", 64))
        self.pause_s = float(spec.params.get("pause_s", 0))
        """Seconds per prompt: what a model of some size looks like to a scheduler. Not in its identity: it says the same."""
        self.identity = {"family": "fake", "adapter": FAMILY.version, "vocab_size": self.vocab_size}

    def spellings(self, labels: tuple[str, ...]) -> Spellings:
        count = len(labels)
        return Spellings(tuple(range(2 * count)), tuple(i % count for i in range(2 * count)))

    def encode(self, asks: Sequence[Ask]) -> list[FakePrompt]:
        return [FakePrompt(ask, len(ask.question.split())) for ask in asks]

    def forward(self, batch: Sequence[FakePrompt]) -> Any:
        import torch

        time.sleep(self.pause_s * len(batch))
        return torch.from_numpy(np.stack([self._row(prompt.ask) for prompt in batch]))

    def _row(self, ask: Ask) -> np.ndarray[Any, np.dtype[np.float32]]:
        rng = np.random.default_rng(seed_from(ask.sample.sample_key, ask.view.asked))
        logits = rng.normal(-3, 1, self.vocab_size).astype(np.float32)
        count = len(ask.sample.labels)
        logits[: 2 * count] = rng.normal(0, 1, 2 * count)
        logits[[0, count]] += 1.0
        gold = ask.sample.labels.index(ask.sample.gold)
        logits[[gold, count + gold]] += SEES.get(ask.view.kind, 0.0)
        return logits


FAMILY = Family("fake", "seeded logits, no weights", Fake, weightless=True)
families.add("fake", FAMILY)
named.add(
    "fake",
    Named("fake", "a model without weights, for tests and dry runs", lambda: ModelSpec(name="fake", family="fake")),
)
