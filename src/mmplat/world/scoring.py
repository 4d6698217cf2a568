"""Label probabilities of a saved checkpoint on plain (text, picture) pairs, as fast as a tiny model allows.

Not the platform's engine: it serves the world's own evaluation and tests, and reads a checkpoint exactly as a stranger
would, through the Auto classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.world.items import Image, WorldItem

Probabilities = NDArray[np.float64]  # (items, vocabulary)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says to one view of many items."""

    labels: list[NDArray[np.float64]]
    """Per item, the probabilities of its labels, which sum to one."""
    mass: NDArray[np.float64]
    """(items,) the probability of all labels together before that."""
    gold: NDArray[np.int64]
    """(items,) index of the right label."""

    @property
    def right(self) -> NDArray[np.bool_]:
        """(items,) whether the likeliest label is the right one."""
        return np.asarray(np.array([int(p.argmax()) for p in self.labels]) == self.gold)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(items,) probability of the likeliest label."""
        return np.array([float(p.max()) for p in self.labels])

    def debiased(self, blind: Answers) -> Answers:
        """Post-hoc debiasing: p / p', renormalised, with p' from the view without the picture."""
        ratios = [p / q for p, q in zip(self.labels, blind.labels, strict=True)]
        return Answers([r / r.sum() for r in ratios], self.mass, self.gold)


class Scorer:
    """A loaded checkpoint."""

    def __init__(self, folder: Path, *, batch: int = 200) -> None:
        from mmplat.world.vlm import load

        self.model, self.processor = load(folder)
        self.batch = batch

    def answers(
        self, items: Sequence[WorldItem], *, texts: Sequence[str] | None = None, with_image: bool = True
    ) -> Answers:
        """Answers to the items, with other texts or without the picture if so asked."""
        asked = list(texts) if texts is not None else [item.question for item in items]
        images = [item.image for item in items] if with_image else None
        return self.answers_among(asked, images, [item.labels for item in items], [item.gold for item in items])

    def answers_among(
        self, asked: Sequence[str], images: Sequence[Image] | None, labels: Sequence[Sequence[str]], gold: Sequence[str]
    ) -> Answers:
        """The same for any labels, such as option words."""
        rows = self._probabilities(asked, images)
        encode = self.processor.tokenizer.convert_tokens_to_ids
        chosen = [row[encode(list(names))] for row, names in zip(rows, labels, strict=True)]
        mass = np.array([float(p.sum()) for p in chosen])
        right = np.array([list(names).index(answer) for names, answer in zip(labels, gold, strict=True)])
        return Answers([p / p.sum() for p in chosen], mass, right)

    def _probabilities(self, asked: Sequence[str], images: Sequence[Image] | None) -> Probabilities:
        import torch

        parts = []
        # Equal lengths side by side: less padding. The order is undone at the end.
        order = sorted(range(len(asked)), key=lambda index: len(asked[index]))
        with torch.no_grad():
            for start in range(0, len(order), self.batch):
                some = order[start : start + self.batch]
                inputs = self._inputs([asked[i] for i in some], [images[i] for i in some] if images else None)
                logits = self.model(**inputs, logits_to_keep=1).logits[:, -1].double()
                parts.append(torch.softmax(logits, dim=-1).numpy())
        rows = np.empty((len(asked), parts[0].shape[1]))
        rows[order] = np.concatenate(parts)
        return rows

    def _inputs(self, asked: list[str], images: list[Image] | None) -> Any:
        from mmplat.world.vlm import prompt

        prompts = [prompt(self.processor, text, with_image=images is not None) for text in asked]
        if images is None:
            return self.processor(text=prompts, return_tensors="pt", padding=True)
        return self.processor(text=prompts, images=images, return_tensors="pt", padding=True)
