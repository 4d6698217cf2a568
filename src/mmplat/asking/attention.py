"""Where a model looks while it answers: attention by layer, token and segment, watched as the answer is written greedily.

A query is the position that speaks: the prompt's last one for the first token, then each token of the answer. Its attention, mean
over heads, is summed over segments. Image tokens are most of a prompt, so a sum alone misleads: counts are given beside it. What
the first token draws is a sink in many networks, and stands apart (LLaVA-Align §3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.models import Ask

SEGMENTS = ("sink", "system", "image", "question", "generated")
"""The beginning token; the text before the image; its tokens; the text after them, with what ends the turn; the answer so far."""
SINK, SYSTEM, IMAGE, QUESTION, GENERATED = range(len(SEGMENTS))
PADDING = -1


@dataclass(frozen=True, slots=True)
class Looks:
    """Attention of the positions that speak, in answers to some asks."""

    mass: NDArray[np.float64]  # (ask, token, layer, segment): sums to 1 over segments; NaN after the answer's end
    count: NDArray[np.int64]  # (ask, token, segment): positions that could be looked at


def looks_of(model: Any, asks: Sequence[Ask], longest: int) -> Looks:
    """Answers greedily, at most `longest` tokens, and watches."""
    import torch

    with torch.inference_mode():
        prompts = model.encode(asks)
        stream, watched = model.watch(prompts)
        speaking = torch.ones(len(asks), dtype=torch.bool, device=model.device)
        went_on = [speaking]
        for _ in range(longest - 1):
            said = stream.logits.argmax(dim=-1)
            speaking = speaking & ~torch.isin(said, torch.tensor(sorted(model.stops), device=model.device))
            if not speaking.any():
                break
            went_on.append(speaking)
            stream.logits = model.advance(stream, said[:, None])[:, -1]
    where = np.stack([_padded(segments(model, prompt), max(p.length for p in prompts)) for prompt in prompts])
    steps = [_summed(step[:, :, 0].double().cpu().numpy(), where, at) for at, step in enumerate(watched.looks)]
    mass, count = (np.stack(parts, axis=1) for parts in zip(*steps, strict=True))
    mass[~torch.stack(went_on, dim=1).cpu().numpy()] = np.nan
    return Looks(mass, count)


def segments(model: Any, prompt: Any) -> NDArray[np.int64]:
    """Which segment each position of a prompt is (position,)."""
    ids = np.array(prompt.ids)
    image = ids == model.network.config.image_token_id
    first = int(image.argmax()) if image.any() else 0
    found = np.where(np.arange(len(ids)) < first, SYSTEM, QUESTION)
    found[image] = IMAGE
    begins = np.flatnonzero(ids == model.tokenizer.bos_token_id)
    sink = int(begins[0]) if len(begins) else 0
    if not image[sink]:
        found[sink] = SINK
    return found


def _padded(found: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    return np.pad(found, (width - len(found), 0), constant_values=PADDING)


def _summed(
    looks: NDArray[np.float64], where: NDArray[np.int64], said: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(ask, layer, segment) sums and (ask, segment) counts of one step, after `said` tokens."""
    of = np.pad(where, ((0, 0), (0, said)), constant_values=GENERATED)
    each = of[:, :, None] == np.arange(len(SEGMENTS))
    return np.einsum("rlp,rps->rls", looks, each), each.sum(axis=1)
