"""The exact distribution of the answer under a decoding configuration: array maths, no sampling, no loop over samples.

A method gives `Scores`: candidate tokens with logits, sorted from the largest, and which label each of them says. The filters
act on tokens, in the order of transformers (temperature, top-k, top-p), and the surviving mass is summed per label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.decoding.configs import spelled
from mmplat.errors import EvidenceTooNarrow, NotFinite
from mmplat.records import DecodingSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Candidates of each sample, sorted by logit. −inf: cannot be said."""

    logits: Floats  # (sample, candidate)
    label: NDArray[np.int16]  # (sample, candidate): index of the label that a candidate says, −1 for none
    n_labels: int
    kept: NDArray[np.bool_] | None = None
    """Candidates above all tokens that are not listed (sample, candidate); None: every token with mass is listed."""
    log_total: Callable[[float], Floats] | None = None
    """Log-sum-exp of the whole row of logits ÷ temperature, relative to the largest; None: the candidates are the row."""
    hidden: NDArray[np.bool_] | None = None
    """Samples of which some label's probability was not told: only what is cut off below it can be decided."""
    drawn_by: str | None = None
    """The logits are shares of real draws by this decoding, and nothing is known of any other."""

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Samples of which a candidate's logit is not known (NaN): nothing can be decided (sample,)."""
        return np.asarray(np.isnan(self.logits).any(axis=1))

    @property
    def broken(self) -> NDArray[np.bool_]:
        """Samples whose scores rank nothing: one is NaN or +∞, or all are −∞, which only draws that say no label are (sample,)."""
        odd = np.isnan(self.logits) | np.isposinf(self.logits)
        silent = np.isneginf(self.logits).all(axis=1) & (self.drawn_by is None)
        return np.asarray(odd.any(axis=1) | silent)

    def take(self, samples: NDArray[np.bool_]) -> Scores:
        """The scores of some samples; all of them in the common case, without a copy."""
        if samples.all():
            return self
        whole = self.log_total
        return Scores(
            self.logits[samples],
            self.label[samples],
            self.n_labels,
            None if self.kept is None else self.kept[samples],
            None if whole is None else lambda temperature: whole(temperature)[samples],
            None if self.hidden is None else self.hidden[samples],
            self.drawn_by,
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """What is said: the probability of each label, and of saying something that is no label."""

    probs: Floats  # (sample, label)
    other: Floats  # (sample,)


def sort_scores(
    logits: Floats,
    label: NDArray[np.int16],
    n_labels: int,
    *,
    kept: NDArray[np.bool_] | None = None,
    log_total: Callable[[float], Floats] | None = None,
    hidden: NDArray[np.bool_] | None = None,
    drawn_by: str | None = None,
) -> Scores:
    """Scores with their candidates in order; the sort is stable, so equal logits keep the model's own order."""
    order = np.argsort(-logits, axis=1, kind="stable")

    def in_order(array: NDArray[Any]) -> NDArray[Any]:
        return np.take_along_axis(array, order, axis=1)

    kept = None if kept is None else in_order(kept)
    return Scores(in_order(logits), in_order(label), n_labels, kept, log_total, hidden, drawn_by)


def distribution(scores: Scores, decoding: DecodingSpec) -> Answers:
    """Exact answer probabilities of every sample.

    Raises EvidenceTooNarrow rather than approximate, and NotFinite rather than rank what is no number: NaN has no place in an
    order, so the likeliest answer would be whatever the sort leaves first.
    """
    if scores.broken.any():
        raise _not_finite(scores.broken, decoding)
    answers = _distribution(scores, decoding)
    lost = np.asarray(~np.isfinite(answers.probs).all(axis=1))
    if lost.any():
        raise _not_finite(lost, decoding)
    return answers


def _not_finite(samples: NDArray[np.bool_], decoding: DecodingSpec) -> NotFinite:
    return NotFinite(
        f"The scores of {int(samples.sum())} of {samples.size} samples are NaN or infinite under decoding {decoding.name!r}, so "
        "nothing is decided from them.",
        samples=samples,
    )


def _distribution(scores: Scores, decoding: DecodingSpec) -> Answers:
    if scores.drawn_by is not None:
        return _as_drawn(scores, decoding)
    if decoding.greedy:
        return _by_label(scores, _first(scores.logits))
    scaled = (scores.logits - scores.logits[:, :1]) / decoding.temperature  # ≤ 0, the largest is 0
    weights = np.exp(scaled)
    if decoding.top_k is not None:
        weights = _top_k(scores, weights, decoding)
        total = weights.sum(axis=1)
    elif scores.log_total is not None:
        total = np.exp(scores.log_total(decoding.temperature))
        if np.isnan(total).any():
            raise too_narrow(np.isnan(total), decoding)
    else:
        total = weights.sum(axis=1)
    if decoding.top_p is not None and decoding.top_p < 1:
        weights = _top_p(scores, weights, total, decoding)
        total = weights.sum(axis=1)
    elif decoding.top_k is None and scores.hidden is not None and scores.hidden.any():
        raise too_narrow(scores.hidden, decoding)
    return _by_label(scores, weights / total[:, None])


def too_narrow(missing: NDArray[np.bool_], decoding: DecodingSpec) -> EvidenceTooNarrow:
    return EvidenceTooNarrow(
        f"The stored evidence of {int(missing.sum())} of {missing.size} samples does not reach as far as decoding "
        f"{decoding.name!r} looks. `mmplat ask` with this grid asks those samples again with a wider row; "
        "nothing was approximated.",
        samples=missing,
    )


def _as_drawn(scores: Scores, decoding: DecodingSpec) -> Answers:
    """Shares of real draws, which say nothing about another decoding."""
    if spelled(decoding) != scores.drawn_by:
        raise too_narrow(np.ones(len(scores.logits), bool), decoding)
    return _by_label(scores, np.exp(scores.logits))


def _first(logits: Floats) -> Floats:
    chosen = np.zeros_like(logits)
    chosen[:, 0] = 1.0
    return chosen


def _top_k(scores: Scores, weights: Floats, decoding: DecodingSpec) -> Floats:
    """Keeps the k largest; ties with the k-th stay, as in transformers."""
    k = decoding.top_k or 1
    if scores.kept is not None:
        short = (scores.kept.sum(axis=1) < k) & ~_complete(scores)
        if short.any():
            raise too_narrow(short, decoding)
    if k >= weights.shape[1]:
        return weights
    return np.where(scores.logits >= scores.logits[:, k - 1 : k], weights, 0.0)


def _top_p(scores: Scores, weights: Floats, total: Floats, decoding: DecodingSpec) -> Floats:
    """Keeps a token while the mass before it is below top_p, so the first always stays (transformers' rule)."""
    top_p = decoding.top_p or 1.0
    share = weights / total[:, None]
    before = np.cumsum(share, axis=1) - share
    if scores.kept is not None and decoding.top_k is None:
        short = (np.where(scores.kept, share, 0.0).sum(axis=1) < top_p) & ~_complete(scores)
        if short.any():
            raise too_narrow(short, decoding)
    return np.where(before < top_p, weights, 0.0)


def _complete(scores: Scores) -> NDArray[np.bool_]:
    """Rows of which every token is listed: there is nothing below what was kept."""
    assert scores.kept is not None
    assert scores.log_total is not None
    listed = np.log(np.exp(scores.logits - scores.logits[:, :1]).sum(axis=1))
    return np.asarray(np.abs(listed - scores.log_total(1.0)) < 1e-6)


def _by_label(scores: Scores, probs: Floats) -> Answers:
    """Sums the probability of all spellings of each label."""
    said = np.stack([np.where(scores.label == i, probs, 0.0).sum(axis=1) for i in range(scores.n_labels)], axis=1)
    return Answers(said, np.clip(1.0 - said.sum(axis=1), 0.0, 1.0))
