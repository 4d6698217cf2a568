"""Post-hoc debiasing (LLaVA-Align §1): label probabilities divided by those of a meaningless input, renormalised.

y = p / (p′ + ε), y ← y / Σ y. It works on labels, so a decoding's filters act on the calibrated label distribution, and the
probability of saying no label is 0. Differences from the released code, each a trap that it falls into: p is read from raw
logits at temperature 1 (not after warpers), spellings are summed (not the first kept), no label is ever missing, and both
references are normalised before they are averaged.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmplat.decoding.filters import Scores, sort_scores
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Floats, Method, MethodKind, catalog, label_probs, number
from mmplat.records import MethodSpec, ViewSpec
from mmplat.views import bind as view

EPSILON = 1e-4  # the released code's smoothing of p′
References = Callable[[MethodSpec, int], tuple[ViewSpec, ...]]


def calibrate(p: Floats, reference: Floats, epsilon: float = EPSILON) -> Floats:
    """diag(p′)⁻¹ p, sum-normalised (not a softmax: the figure's own numbers are sums)."""
    ratio = p / (reference + epsilon)
    return np.asarray(ratio / ratio.sum(axis=1, keepdims=True))


def builder(references: References, *, stochastic: bool = False) -> Callable[[MethodSpec, int], Method]:
    def build(spec: MethodSpec, seed: int) -> Method:
        views = references(spec, seed)
        epsilon = number(spec, "epsilon", low=0)

        def scores(evidence: Evidence) -> Scores:
            prior = np.mean([label_probs(evidence.view(v)) for v in views], axis=0)
            p = calibrate(label_probs(evidence.main), prior, epsilon)
            absent = np.isneginf(evidence.main.label_logits)  # padding of samples with fewer labels
            with np.errstate(divide="ignore"):
                logits = np.where(absent, -np.inf, np.log(p))
            labels = np.broadcast_to(np.arange(p.shape[1], dtype=np.int16), p.shape)
            return sort_scores(logits, labels, p.shape[1])

        return Method(spec, views, scores, stochastic=stochastic)

    return build


def file_variant(variant: str, references: References, summary: str, **defaults: int) -> None:
    kind = MethodKind(
        name=f"posthoc-{variant}",
        summary=f"label probabilities divided by those of {summary}",
        family="posthoc",
        version=1,
        build=builder(references, stochastic="step" in defaults),
        defaults={"epsilon": EPSILON, **defaults},
    )
    catalog.add(kind.name, kind)


file_variant("none", lambda spec, seed: (view("none"),), "the prompt without its image")
file_variant("unk", lambda spec, seed: (view("unk"),), "one unk token in place of the image")
file_variant("both", lambda spec, seed: (view("none"), view("unk")), "the mean of none and unk")
file_variant("zero", lambda spec, seed: (view("zero"),), "a zero image")
file_variant("one", lambda spec, seed: (view("one"),), "an image of ones")
file_variant(
    "noise",
    lambda spec, seed: (view("noise", {"step": spec.params["step"], "seed": seed}),),
    "the noised image",
    step=999,
)
