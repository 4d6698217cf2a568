"""OPERA's search, one sample at a time: beams of whole answers, kept by how likely they are and by what they attend to.

A step continues every beam by its likeliest tokens and reads all of these candidates in one forward: how a token attends is known
only then. The best stay, with their caches, so the look ahead is the next step's forward. Where weight is 0 this is transformers'
beam search with its defaults: what ends among the best is set aside by its mean, and the search stops when no beam promises more.
`methods/opera.py` says what penalty and retrospection are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.asking.stepper import Speaker, Spoken
from mmplat.methods.base import Search
from mmplat.models import Ask

Tensor = Any  # torch is imported where it is used
Floats = NDArray[np.float64]
LARGEST = 700.0
"""Logarithm of what a float can hold: a larger penalty rules a candidate out just as well."""


def search(model: Any, asks: Sequence[Sequence[Ask]], speakers: Sequence[Speaker], longest: int) -> list[list[Spoken]]:
    """What every speaker answers to every sample (speaker, sample), as `speak` gives it."""
    import torch

    with torch.inference_mode():
        return [[_Answer(model, ask, one, longest).found() for ask in asks[one.views[0]]] for one in speakers]


def columns(looks: Floats, scale: float) -> Floats:
    """Of answers that attend to themselves (row, query, key): logarithm of each column's product, from its own token down."""
    below = np.tril(np.ones(looks.shape[1:], bool))
    with np.errstate(divide="ignore"):
        logs = np.log(scale * looks)
    return np.asarray(np.where(below, logs, 0.0).sum(axis=1))


def penalties(looks: Floats, onto_image: Floats, how: Search) -> Floats:
    """phi of each answer (row,): early ones are asked to look at the image, later ones not to lean on one token of theirs."""
    if looks.shape[1] <= how.early:
        return -onto_image
    return np.asarray(how.unit * np.exp(np.minimum(columns(looks, how.scale).max(axis=1), LARGEST)))


def summary(places: Sequence[int], how: Search) -> int | None:
    """The token that so many steps leaned on that they are taken back; None: there is none."""
    place, times = Counter(places).most_common(1)[0]
    return place if times >= how.threshold and place >= how.early else None


@dataclass(frozen=True, slots=True)
class Beam:
    """An answer so far; what is told of each of its tokens."""

    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    margins: tuple[float, ...] = ()
    gains: tuple[float, ...] = ()
    """Log-probability less penalty."""

    @property
    def score(self) -> float:
        return sum(self.gains)

    @property
    def mean(self) -> float:
        return self.score / len(self.tokens)

    def then(self, token: int, logprob: float, margin: float, gain: float) -> Beam:
        return Beam((*self.tokens, token), (*self.logprobs, logprob), (*self.margins, margin), (*self.gains, gain))

    def until(self, length: int) -> Beam:
        return Beam(self.tokens[:length], self.logprobs[:length], self.margins[:length], self.gains[:length])


class _Answer:
    """The search for one answer."""

    def __init__(self, model: Any, ask: Ask, speaker: Speaker, longest: int) -> None:
        assert speaker.search is not None
        self.model, self.combine, self.how, self.longest = model, speaker.combine, speaker.search, longest
        self.prompts = model.encode([ask])
        self.image = np.equal(self.prompts[0].ids, model.network.config.image_token_id)
        self.ended: dict[tuple[int, ...], Beam] = {}
        self.banned: dict[tuple[int, ...], set[int]] = {}  # what was said → what may not follow
        self.places: list[int] = []  # the token that each step leaned on
        self.taken_back: Counter[int] = Counter()
        self.forwards = 0
        self._read([Beam()])

    def found(self) -> Spoken:
        while self._step():
            self._look_back()
        best = max(self.ended.values(), key=lambda beam: beam.mean)
        stopped = best.tokens[-1] in self.model.stops
        return Spoken(list(best.tokens), list(best.logprobs), list(best.margins), stopped, self.forwards)

    def _read(self, beams: list[Beam]) -> None:
        """Begins anew with the prompt and what these beams, all of one length, have said."""
        self.beams = beams
        self.stream, self.watched = self.model.watch(self.prompts, largest=True)
        self.watched.looks.clear()
        self.forwards += 1
        self.looks: Floats = np.zeros((len(beams), 0, 0))
        if beams[0].tokens:
            self._fork([0] * len(beams), [beam.tokens for beam in beams])

    def _fork(self, rows: Any, tokens: Any) -> Floats:
        """Goes on from some rows (row,) by tokens (row, step); gives the last one's share of attention onto the image (row,)."""
        self.stream.select(self._index(rows))
        ids = self._index(tokens)
        self.stream.logits = self.model.advance(self.stream, ids)[:, -1]
        self.forwards += len(ids)
        found = self.watched.looks.pop()[:, -1].double().cpu().numpy()  # of the last layer (row, step, position)
        found = found / found.sum(axis=-1, keepdims=True)
        before = np.pad(self.looks[np.asarray(rows)], ((0, 0), (0, 0), (0, ids.shape[1])))
        self.looks = np.concatenate([before, found[..., len(self.image) :]], axis=1)
        return np.asarray(found[:, -1, : len(self.image)] @ self.image)

    def _step(self) -> bool:
        """Every beam one token longer; False: the search has ended."""
        parents, tokens, told = self._candidates()
        onto_image = self._fork(parents, tokens[:, None])
        gains = told[:, 0] - self.how.weight * penalties(self.looks, onto_image, self.how)
        grown = [
            self.beams[parent].then(int(token), float(logprob), float(margin), float(gain))
            for parent, token, (logprob, margin), gain in zip(parents, tokens, told, gains, strict=True)
        ]
        order = sorted(range(len(grown)), key=lambda row: -grown[row].score)
        self._set_aside([grown[row] for row in order[: self.how.beams]])
        kept = [row for row in order if not self._ends(grown[row])][: self.how.beams]
        if kept:
            self._keep(kept, [grown[row] for row in kept])
        return bool(kept) and self._promises()

    def _candidates(self) -> tuple[Any, Any, Floats]:
        """The likeliest tokens of every beam: its row, the token, and (log-probability, margin)."""
        logits = self.combine(self.stream.logits, [], len(self.beams[0].tokens))
        largest = logits.topk(2, dim=-1).values
        logprobs = logits.log_softmax(dim=-1)
        for row, beam in enumerate(self.beams):
            for token in self.banned.get(beam.tokens, ()):
                logits[row, token] = float("-inf")
        tokens = logits.topk(self.how.candidates, dim=-1).indices
        margins = (largest[:, :1] - largest[:, 1:]).expand(-1, self.how.candidates)
        parents = np.repeat(np.arange(len(self.beams)), self.how.candidates)
        told = [one.reshape(-1).double().cpu().numpy() for one in (logprobs.gather(1, tokens), margins)]
        return parents, tokens.reshape(-1).cpu().numpy(), np.stack(told, axis=1)

    def _ends(self, beam: Beam) -> bool:
        return beam.tokens[-1] in self.model.stops or len(beam.tokens) == self.longest

    def _set_aside(self, best: list[Beam]) -> None:
        """Of all answers that have ended, the best by their mean."""
        self.ended |= {beam.tokens: beam for beam in best if self._ends(beam)}
        ranked = sorted(self.ended.values(), key=lambda beam: -beam.mean)
        self.ended = {beam.tokens: beam for beam in ranked[: self.how.beams]}

    def _keep(self, rows: list[int], beams: list[Beam]) -> None:
        self.beams, self.looks = beams, self.looks[rows]
        self.stream.select(self._index(rows))
        leaned_on = columns(self.looks, self.how.scale).argmax(axis=1)
        self.places.append(int(np.bincount(leaned_on).argmax()))

    def _promises(self) -> bool:
        """Whether a beam may still become better than the worst answer that is set aside."""
        worst = min((beam.mean for beam in self.ended.values()), default=-np.inf)
        return len(self.ended) < self.how.beams or self.beams[0].mean > worst

    def _look_back(self) -> None:
        """Retrospection: back to the token that was leaned on too often; what was said next there is said no more."""
        place = summary(self.places, self.how)
        if place is None or self.taken_back[place] == self.how.returns:
            return
        self.taken_back[place] += 1
        length = place + 1
        for beam in self.beams:
            self.banned.setdefault(beam.tokens[:length], set()).add(beam.tokens[length])
        del self.places[length:]
        self._read(list({beam.tokens[:length]: beam.until(length) for beam in self.beams}.values()))

    def _index(self, values: Any) -> Tensor:
        import torch

        return torch.as_tensor(values, dtype=torch.long, device=self.model.device)
