"""Answers in words, step by step: each (sample, view) is read once, and its cache fans out where answers part.

The streams of a cell go on together: its method combines their logits at each step, its decoding chooses the token, and every
stream is fed that token. Methods, decodings and seeds that have said the same so far share a stream's row: what comes next is
computed once for them. Greedy naive is `generate()` token by token; a contrast is what a LogitsProcessor would do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmplat.ids import seed_from
from mmplat.methods.base import Combine, Search
from mmplat.models import Ask
from mmplat.records import DecodingSpec

Tensor = Any  # torch is imported where it is used


@dataclass(frozen=True, slots=True)
class Speaker:
    """One way of answering: views, how their logits are combined, and how a token is chosen."""

    views: tuple[int, ...]
    """Which of the asked views, the one that is answered first."""
    combine: Combine
    decoding: DecodingSpec
    seed: int = 0
    search: Search | None = None
    """How whole answers are chosen (`beams.py`); None: here, token by token."""


@dataclass(slots=True)
class Spoken:
    """One answer."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Of each token under the combined logits, before the decoding's filters."""
    margins: list[float] = field(default_factory=list)
    """The largest combined logit minus the second, at each step."""
    stopped: bool = False
    """It ended by itself; False: it was cut off at the longest length allowed."""
    forwards: int | None = None
    """Rows of forwards that it took; None: one per token and view."""


def speak(model: Any, asks: Sequence[Sequence[Ask]], speakers: Sequence[Speaker], longest: int) -> list[list[Spoken]]:
    """What every speaker answers to every sample (speaker, sample). `asks` holds a row of samples per view."""
    import torch

    with torch.inference_mode():
        return _Round(model, asks, speakers, longest).run()


class _Round:
    """All speakers on some samples. Rows are (speaker, sample) pairs that still speak, always in that order.

    A view's stream has a branch for each sample and beginning of an answer; rows that began alike read the same branch.
    """

    def __init__(self, model: Any, asks: Sequence[Sequence[Ask]], speakers: Sequence[Speaker], longest: int) -> None:
        samples = len(asks[0])
        self.model, self.speakers, self.longest = model, speakers, longest
        self.speaker = np.repeat(np.arange(len(speakers)), samples)
        self.sample = np.tile(np.arange(samples), len(speakers))
        self.spoken = [[Spoken() for _ in range(samples)] for _ in speakers]
        self.heard = np.array([[view in one.views for one in speakers] for view in range(len(asks))])  # (view, speaker)
        self.chance = _chance([ask.sample.sample_key for ask in asks[0]], sorted({s.seed for s in speakers}), longest)
        self.streams: list[Any] = [
            model.prefill(model.encode(its)) if h.any() else None for its, h in zip(asks, self.heard, strict=True)
        ]
        self.branch = np.tile(self.sample, (len(asks), 1))  # (view, row): which row of the view's stream

    def run(self) -> list[list[Spoken]]:
        for step in range(self.longest):
            tokens = self._step(step)
            going = self._kept(tokens)
            if step + 1 == self.longest or not going.any():
                break
            self._go_on(tokens, going)
        return self.spoken

    def _step(self, step: int) -> Tensor:
        """Chooses the next token of every row (row,), and notes it."""
        import torch

        tokens = torch.zeros(len(self.speaker), dtype=torch.long, device=self.model.device)
        for (views, combine), some in self._alike(lambda s: (s.views, s.combine)).items():
            rows = np.flatnonzero(np.isin(self.speaker, some))
            if not len(rows):  # all of them have ended
                continue
            main, *others = (self._logits(view, rows) for view in views)
            combined = combine(main, others, step)
            said = self._choose(combined, rows, step)
            tokens[self._index(rows)] = said
            self._note(combined, said, rows)
        return tokens

    def _alike(self, key: Callable[[Speaker], Any]) -> dict[Any, list[int]]:
        """Speakers that share something."""
        groups: dict[Any, list[int]] = {}
        for index, speaker in enumerate(self.speakers):
            groups.setdefault(key(speaker), []).append(index)
        return groups

    def _logits(self, view: int, rows: Any) -> Tensor:
        """A view's logits for some rows, all of which listen to it."""
        return self.streams[view].logits[self._index(self.branch[view, rows])]

    def _choose(self, logits: Tensor, rows: Any, step: int) -> Tensor:
        """A token of each row by its own decoding."""
        import torch

        tokens = logits.argmax(dim=-1)
        for (decoding, seed), some in self._alike(lambda s: (s.decoding, s.seed)).items():
            mine = np.flatnonzero(np.isin(self.speaker[rows], some))
            if len(mine) and not decoding.greedy:
                at = self._index(mine)
                probs = warped(logits[at], decoding).softmax(dim=-1)
                drawn = torch.tensor(self.chance[seed][self.sample[rows[mine]], step], device=logits.device)
                total = probs.double().cumsum(dim=-1)
                place = torch.searchsorted(total, (drawn * total[:, -1])[:, None], right=True)[:, 0]
                tokens[at] = place.clamp(max=logits.shape[-1] - 1)
        return tokens

    def _note(self, logits: Tensor, tokens: Tensor, rows: Any) -> None:
        probs = logits.log_softmax(dim=-1).gather(1, tokens[:, None])[:, 0].tolist()
        largest = logits.topk(2, dim=-1).values
        margins = (largest[:, 0] - largest[:, 1]).tolist()
        for row, token, prob, margin in zip(rows, tokens.tolist(), probs, margins, strict=True):
            one = self.spoken[self.speaker[row]][self.sample[row]]
            one.tokens.append(token)
            one.logprobs.append(prob)
            one.margins.append(margin)
            one.stopped = token in self.model.stops

    def _kept(self, tokens: Tensor) -> Any:
        """Rows that go on (row,)."""
        return ~np.isin(tokens.cpu().numpy(), list(self.model.stops))

    def _go_on(self, tokens: Tensor, going: Any) -> None:
        """Feeds every stream the tokens of its rows; rows that have ended leave, and give their memory back."""
        said = tokens.cpu().numpy()[going]
        self.speaker, self.sample, self.branch = self.speaker[going], self.sample[going], self.branch[:, going]
        for view, stream in enumerate(self.streams):
            rows = np.flatnonzero(self.heard[view][self.speaker])
            if not len(rows):
                self.streams[view] = None
                continue
            ways = np.stack([self.branch[view, rows], said[rows]])
            (old, fed), new = np.unique(ways, axis=1, return_inverse=True)
            self.branch[view, rows] = new.reshape(-1)
            if not np.array_equal(old, np.arange(len(stream.logits))):
                stream.select(self._index(old))
            stream.logits = self.model.advance(stream, self._index(fed)[:, None])[:, -1]

    def _index(self, values: Any) -> Tensor:
        import torch

        return torch.as_tensor(values, dtype=torch.long, device=self.model.device)


def warped(logits: Tensor, decoding: DecodingSpec) -> Tensor:
    """transformers' own filters, in its order."""
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    if decoding.temperature != 1:
        logits = TemperatureLogitsWarper(decoding.temperature)(None, logits)
    if decoding.top_k is not None:
        logits = TopKLogitsWarper(decoding.top_k)(None, logits)
    if decoding.top_p is not None and decoding.top_p < 1:
        logits = TopPLogitsWarper(decoding.top_p)(None, logits)
    return logits


def _chance(sample_keys: Sequence[str], seeds: Sequence[int], steps: int) -> dict[int, Any]:
    """One even draw per sample and step (sample, step), by seed: depends on the sample and the seed, never on the batch.

    Methods and decodings share them, so that their answers differ by what they do, not by luck.
    """
    return {
        seed: np.stack(
            [np.random.Generator(np.random.Philox(seed_from("draw", key, seed))).random(steps) for key in sample_keys]
        )
        for seed in seeds
    }
