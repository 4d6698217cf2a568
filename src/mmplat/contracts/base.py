"""A contract: one promise of a model adapter, and how it is checked against transformers itself on made-up samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import IncompatibleCell
from mmplat.ids import content_id
from mmplat.models import Ask
from mmplat.preparing import picture_name
from mmplat.records import Sample
from mmplat.registry import Registry
from mmplat.views import bind as bind_view
from mmplat.views import catalog as view_kinds
from mmplat.views.base import Value

Picture = NDArray[np.uint8]

QUESTIONS = (
    "Is there a dog in the picture? Answer yes or no.",
    "What is the colour of the largest thing that can be seen on the left side of the picture? Answer with one word.",
    "Which?",
)
PREFACE = "A dog sits on a red chair."
SIZES = ((96, 128), (128, 96), (112, 112))
"""Height × width: tiling families cut them differently."""
STEPS = 8
TOLERANCE = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 6e-2}
"""Relative to the largest logit: what another order of adding moves, per dtype."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to. `holds` is None where the promise does not apply, with the reason."""

    holds: bool | None
    said: str

    @property
    def mark(self) -> str:
        return {True: "holds", False: "BROKEN", None: "n/a"}[self.holds]


@dataclass(frozen=True, slots=True)
class Contract:
    """One promise."""

    name: str
    summary: str
    check: Callable[[Subject], Verdict]


catalog: Registry[Contract] = Registry("contract", "mmplat.contracts")


@dataclass
class Subject:
    """A loaded checkpoint under check, with samples to ask it."""

    model: Any
    pictures: tuple[Picture, ...] = field(default_factory=lambda: tuple(map(_picture, range(3), SIZES)))

    def ask(
        self,
        kind: str = "image",
        number: int = 0,
        *,
        pictures: tuple[Picture, ...] | None = None,
        question: str = "",
        params: Mapping[str, Value] | None = None,
    ) -> Ask:
        """One view of a made-up sample; other pictures in it make it another sample with the same key."""
        shown = (self.pictures[number],) if pictures is None else pictures
        text = question or QUESTIONS[number]
        names = tuple(map(picture_name, shown))
        key = content_id(["contract", text, len(shown)])
        sample = Sample(key, key, key, text, (), ("yes", "no"), "yes", names)
        return Ask(sample, bind_view(kind, params), shown, PREFACE if view_kinds.get(kind).preface else None)

    def logits(self, *asks: Ask) -> Any:
        """What the adapter says (row, vocab), in one batch where the family allows one."""
        import torch

        encoded = self.model.encode(asks)
        limit = self.model.batch_limit or len(asks)
        parts = [self.model.forward(encoded[at : at + limit]) for at in range(0, len(asks), limit)]
        return torch.cat(parts)

    def theirs(self, ask: Ask, **changed: Any) -> Any:
        """What transformers says to an ask that its own processor prepared (1, vocab)."""
        import torch

        inputs = {**self.model.reference_inputs(ask), **changed}
        with torch.inference_mode():
            return self.model.network(**inputs).logits[:, -1].float()

    @cached_property
    def kinds(self) -> list[str]:
        """Kinds of view that this checkpoint can make, of a question like these: one without options, say."""
        plain = self.ask().sample
        fitting = [name for name, kind in view_kinds.items() if kind.misfit(plain, kind.defaults) is None]
        return [name for name in fitting if self.model.unavailable(name) is None]

    def close(self, ours: Any, theirs: Any, what: str = "largest difference of a logit") -> Verdict:
        """Equal as far as the dtype goes."""
        difference = float((ours - theirs).abs().max())
        bar = TOLERANCE[self.model.dtype] * max(1.0, float(theirs.abs().max()))
        return Verdict(difference <= bar, f"{what} {difference:.1e} (allowed {bar:.1e})")


def check(subject: Subject, contract: Contract) -> Verdict:
    """The verdict of one contract; an adapter that refuses says why."""
    try:
        return contract.check(subject)
    except IncompatibleCell as refusal:
        return Verdict(None, str(refusal))


def both(*verdicts: Verdict) -> Verdict:
    """Holds where all hold; what is said is that of the first broken one, or of the last."""
    broken = [one for one in verdicts if one.holds is False]
    return broken[0] if broken else verdicts[-1]


def _picture(number: int, size: tuple[int, int]) -> Picture:
    """A scene with coarse shapes and some grain; no two alike."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (4, 4, 3)).repeat(size[0] // 4, axis=0).repeat(size[1] // 4, axis=1)
    return np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)
