"""What views inside the network do there: a description (`views/inside.py`) → a forward that attends otherwise or is read elsewhere.

Nothing of transformers is replaced. Attention goes through a function of ours while a forward runs, by the interface that
transformers has for that; layers are watched by hooks that are taken off again. Whatever is changed is put back in a `finally`.
Only the changed rows and columns of the attention are computed here; all else is left to the network's usual function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmplat.views.inside import HIGH, LAST, Blind, LeastAttended, Premature, Raised

if TYPE_CHECKING:
    from mmplat.models._vlm import Prompt, VisionLanguage

Tensor = Any  # torch is imported where it is used
OURS = "mmplat"
"""Our attention function, by its name in transformers."""


class Usual:
    """Nothing is done inside; the base of what is."""

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt]) -> None:
        self.model, self.prompts = model, prompts

    def says(self, call: Callable[..., Any], new: int) -> Any:
        """What a forward gives (`call` runs it), its logits those of the last `new` positions, in float32."""
        out = call()
        out.logits = out.logits[:, -new:].float()
        return out

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, as their stream does."""


class Zeroed(Usual):
    """All image tokens but the blind ones are zero: the features are, and what reads them is as usual."""

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt], what: Blind) -> None:
        import torch

        with torch.inference_mode():
            stays = blind_tokens(model.attend(prompts), places_of(model, prompts), what)
        super().__init__(model, [_dimmed(p, flags[-p.length :]) for p, flags in zip(prompts, stays, strict=True)])
        self.image_token = model.network.config.image_token_id


def _dimmed(prompt: Prompt, stays: Tensor) -> Prompt:
    """The prompt with the features of those image tokens zeroed that do not stay (position,)."""
    raise NotImplementedError
