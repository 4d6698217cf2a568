"""A remote model's reply → a row of evidence: its told tokens, or how often each label was drawn.

Tokens have no ids here but their text, so a token's id is a hash of it. Where a row tells one text twice (a tokenizer's token with
and without its space, decoded alike), each is a token of its own, and none of them is recognised in another row.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from mmplat.ids import seed_from
from mmplat.models import Reply
from mmplat.models._spelling import forms_of
from mmplat.records import Sample, ViewSpec

NEAR_TIE = 0.125
"""Margins that another batch may flip on a server, whose arithmetic is taken to be half precision."""

Parse = Callable[[str, Sample], str | None]
"""A suite's rule for answers in words."""


def row_of(
    sample: Sample, view: ViewSpec, reply: Reply, main_ids: list[int] | None, hardware: str, parse: Parse
) -> dict[str, Any]:
    """One row in the evidence schema; what is not named is null. `main_ids` is None for the main view itself."""
    whose = {
        "sample_key": sample.sample_key,
        "sample_id": sample.sample_id,
        "view": view.name,
        "view_key": view.key,
        "labels": list(sample.labels),
        "seconds": reply.seconds,
        "device": hardware,
        "dtype": "unknown",
    }
    if reply.drawn_by is not None:
        return whose | _drawn(sample, reply, parse)
    told = _told(sample, reply)
    if main_ids is not None:
        told["at_main"] = _at(main_ids, reply)
    return whose | told


def _told(sample: Sample, reply: Reply) -> dict[str, Any]:
    """Log-probabilities are logits whose log-sum-exp is 0; at another temperature the untold tokens would be needed."""
    ids, logprobs = token_ids(reply), [logprob for _, logprob in reply.told]
    of = [label_of_token(text, sample.labels) for text, _ in reply.told]
    spelled = [at for at, label in enumerate(of) if label is not None]
    labels = [_total([logprobs[at] for at in spelled if of[at] == index]) for index in range(len(sample.labels))]
    margin = logprobs[0] - logprobs[1] if len(logprobs) > 1 else None
    return {
        "label_logits": labels,
        "label_mass": sum(math.exp(one) for one in labels if one is not None),
        "spelling_ids": [ids[at] for at in spelled],
        "spelling_of": [of[at] for at in spelled],
        "spelling_logits": [logprobs[at] for at in spelled],
        "top_ids": ids,
        "top_logits": logprobs,
        "lse": 0.0,
        "lse_temperatures": [1.0],
        "lse_shifted": [-logprobs[0]],
        "margin": margin,
        "near_tie": margin is not None and margin < NEAR_TIE,
        "untold": max(0.0, 1.0 - sum(math.exp(one) for one in logprobs)),
    }


def _drawn(sample: Sample, reply: Reply, parse: Parse) -> dict[str, Any]:
    """Counts of what was said; an answer that says no label counts for none of them."""
    said = Counter(parse(text, sample) for text in reply.drawn)
    return {
        "label_logits": [None] * len(sample.labels),
        "top_ids": [],
        "top_logits": [],
        "untold": 1.0,
        "drawn": [said[label] for label in sample.labels],
        "draws": len(reply.drawn),
        "drawn_by": reply.drawn_by,
    }


def token_ids(reply: Reply) -> list[int]:
    """Ids of the told tokens: a text that is told once is the same token in every row."""
    times = Counter(text for text, _ in reply.told)
    seen: Counter[str] = Counter()
    ids = []
    for text, _ in reply.told:
        seen[text] += 1
        ids.append(_id(text, 0 if times[text] == 1 else seen[text]))
    return ids


def _id(text: str, which: int) -> int:
    return seed_from("token", text, which) % (2**31 - 1)


def _at(main_ids: list[int], reply: Reply) -> list[float | None]:
    """What a reference says at the main view's tokens; None where it did not tell."""
    times = Counter(text for text, _ in reply.told)
    said = {_id(text, 0): logprob for text, logprob in reply.told if times[text] == 1}
    return [said.get(token) for token in main_ids]


def _total(logprobs: list[float]) -> float | None:
    """Log-sum-exp; None where nothing was told."""
    return float(np.logaddexp.reduce(logprobs)) if logprobs else None


def label_of_token(text: str, labels: tuple[str, ...]) -> int | None:
    """Which label a token says, by the rule of local models: a word in any case, a letter in its own."""
    word = text.strip(" ▁Ġ")
    return next((index for index, label in enumerate(labels) if word in forms_of(label)), None)


def cut_off(reply: Reply, labels: tuple[str, ...]) -> str | None:
    """A label of which the likeliest token is only the beginning: it has several tokens, and one row cannot read it."""
    word = reply.told[0][0].strip(" ▁Ġ") if reply.told else ""
    if not word or label_of_token(word, labels) is not None:
        return None
    return next((label for label in labels if any(form.startswith(word) for form in forms_of(label))), None)
