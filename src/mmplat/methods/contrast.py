"""Contrastive decoding: logits of the image minus those of a poorer view, behind a plausibility mask.

d = (1 + α)·l − α·l′ over the tokens with l ≥ max(l) + log β. The mask is read from l, before temperature (LLaVA-Align §2).
VDD contrasts with the prompt without image (none), with one unk token, or with the mean of both; VCD with a noised image.
`apc-only` is the control with α = 0: what is left of a gain when nothing is contrasted and only the tail is cut.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Method, MethodKind, Scores, Value, catalog, number, plausible
from mmplat.records import MethodSpec, ViewSpec
from mmplat.views import bind as view

References = Callable[[MethodSpec, int], tuple[ViewSpec, ...]]


def builder(references: References, *, stochastic: bool = False) -> Callable[[MethodSpec, int], Method]:
    def build(spec: MethodSpec, seed: int) -> Method:
        views = references(spec, seed)
        alpha = number(spec, "alpha", low=0) if "alpha" in spec.params else 0.0
        beta = number(spec, "beta", low=0, high=1)

        def scores(evidence: Evidence) -> Scores:
            main = evidence.main
            contrasted = main.top_logits
            if views:
                poorer = np.mean([evidence.view(v).at_main for v in views], axis=0)
                contrasted = (1 + alpha) * main.top_logits - alpha * poorer  # padding is NaN, and masked
            return plausible(main, contrasted, beta)

        return Method(spec, views, scores, beta=beta, stochastic=stochastic)

    return build


def file_variant(
    name: str, family: str, references: References, summary: str, *, stochastic: bool = False, **defaults: Value
) -> None:
    kind = MethodKind(name, summary, family, 1, builder(references, stochastic=stochastic), defaults)
    catalog.add(name, kind)


VDD = {"alpha": 1.0, "beta": 0.1}  # the released command line's defaults; its POPE and MMMU scripts set beta 0.2
file_variant("vdd-none", "vdd", lambda s, seed: (view("none"),), "contrast with the prompt without its image", **VDD)
file_variant("vdd-unk", "vdd", lambda s, seed: (view("unk"),), "contrast with one unk token for the image", **VDD)
file_variant("vdd-both", "vdd", lambda s, seed: (view("none"), view("unk")), "contrast with the mean of both", **VDD)
file_variant(
    "vcd",
    "vcd",
    lambda spec, seed: (view("noise", step=spec.params["step"], seed=seed),),
    "contrast with the noised image",
    stochastic=True,
    **{**VDD, "step": 500},
)
file_variant("apc-only", "apc", lambda s, seed: (), "the plausibility mask alone (α = 0): the control", beta=0.1)
