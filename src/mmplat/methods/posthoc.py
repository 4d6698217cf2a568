"""Post-hoc debiasing (LLaVA-Align §1): label probabilities divided by those of a meaningless input, renormalised.

y = p / (p′ + ε), y ← y / Σ y. It works on labels, so a decoding's filters act on the calibrated label distribution, and the
probability of saying no label is 0. Differences from the released code, each a trap that it falls into: p is read from raw
logits at temperature 1 (not after warpers), spellings are summed (not the first kept), no label is ever missing, and all
references are normalised before they are averaged.

`granularity: dataset` is the released code's "all": one p′, the mean over the suite, instead of one per question.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmplat.decoding.filters import Scores, sort_scores
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Floats, Method, MethodKind, Value, catalog, choice, label_probs, number
from mmplat.records import MethodSpec, ViewSpec
from mmplat.views import bind as view

EPSILON = 1e-4  # the released code's smoothing of p′
QUESTION, DATASET = "question", "dataset"
NOISE = "noise"  # the one random reference


def calibrate(p: Floats, reference: Floats, epsilon: float = EPSILON) -> Floats:
    """diag(p′)⁻¹ p, sum-normalised (not a softmax: the figure's own numbers are sums).

    What p never says stays so, whatever p′ says: without ε it would be 0/0.
    """
    ratio = np.divide(p, reference + epsilon, out=np.zeros_like(p), where=p != 0)
    return np.asarray(ratio / ratio.sum(axis=1, keepdims=True))


def over_dataset(prior: Floats, n_labels: NDArray[np.int16]) -> Floats:
    """The mean prior of all samples with as many labels, for each of them.

    Not told (NaN) for all where an endpoint did not tell it of one: those that it told are no random part of the suite.
    """
    shared = np.empty_like(prior)
    for count in np.unique(n_labels):
        same = n_labels == count
        shared[same] = prior[same].mean(axis=0)
    return shared


def builder(kinds: tuple[str, ...]) -> Callable[[MethodSpec, int], Method]:
    def build(spec: MethodSpec, seed: int) -> Method:
        views = tuple(_reference(kind, spec, seed) for kind in kinds)
        epsilon = number(spec, "epsilon", low=0)
        whole = choice(spec, "granularity", (QUESTION, DATASET)) == DATASET

        def scores(evidence: Evidence) -> Scores:
            prior = np.mean([label_probs(evidence.view(v)) for v in views], axis=0)
            if whole:
                prior = over_dataset(prior, evidence.n_labels)
            p = calibrate(label_probs(evidence.main), prior, epsilon)
            absent = np.isneginf(evidence.main.label_logits)  # padding of samples with fewer labels
            with np.errstate(divide="ignore"):
                logits = np.where(absent, -np.inf, np.log(p))
            labels = np.broadcast_to(np.arange(p.shape[1], dtype=np.int16), p.shape)
            return sort_scores(logits, labels, p.shape[1])

        return Method(spec, views, scores, stochastic=NOISE in kinds, transductive=whole)

    return build


def _reference(kind: str, spec: MethodSpec, seed: int) -> ViewSpec:
    return view(kind, {"step": spec.params["step"], "seed": seed} if kind == NOISE else None)


def file_variant(variant: str, summary: str, *kinds: str) -> None:
    step: dict[str, Value] = {"step": 999} if NOISE in kinds else {}
    kind = MethodKind(
        name=f"posthoc-{variant}",
        summary=f"label probabilities divided by those of {summary}",
        family="posthoc",
        version=1,
        build=builder(kinds),
        defaults={"epsilon": EPSILON, "granularity": QUESTION, **step},
    )
    catalog.add(kind.name, kind)


file_variant("none", "the prompt without its image", "none")
file_variant("unk", "one unk token in place of the image", "unk")
file_variant("both", "the mean of none and unk", "none", "unk")
file_variant("zero", "a zero image", "zero")
file_variant("one", "an image of ones", "one")
file_variant("noise", "the noised image", "noise")
file_variant("none-noise", "the mean of none and noise", "none", "noise")
file_variant("none-unk-noise", "the mean of none, unk and noise", "none", "unk", "noise")
file_variant("all", "the mean of none, unk, noise and zero", "none", "unk", "noise", "zero")
