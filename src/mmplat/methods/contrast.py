"""Contrastive decoding: logits of the image minus those of a poorer view, behind a plausibility mask.

d = (1 + α)·l − α·l′ over the tokens with l ≥ max(l) + log β. The mask is read from l, before temperature (LLaVA-Align §2).
Methods of other files are contrasts too; they name their views, the weights of l and l′, and the view that l comes from.
VDD contrasts with the prompt without image (none), with one unk token, or with the mean of both; VCD with a noised image;
ICD with the same image under a disturbing instruction.
`apc-only` is the control with α = 0: what is left of a gain when nothing is contrasted and only the tail is cut.

`cue-contrast` answers from the question without its cue, and subtracts what the cue adds: l is the clean view, l′ the cued one.
At α = 0 it is the clean answer, whatever the cue says; above it pushes against the cue, true ones too; at −α a share α of the
cue's pull is left. It must be told which words are the cue, so it is a yardstick for what contrasting can give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mmplat.decoding.filters import Scores
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Method, MethodKind, Value, catalog, number, plausible
from mmplat.records import MethodSpec, ViewSpec
from mmplat.views import bind as view
from mmplat.views.questions import DISTURBING

References = Callable[[MethodSpec, int], tuple[ViewSpec, ...]]


Weights = Callable[[MethodSpec], tuple[float, float]]
"""spec → what l and l′ are multiplied with."""


def by_alpha(spec: MethodSpec) -> tuple[float, float]:
    alpha = number(spec, "alpha", low=0)
    return 1 + alpha, alpha


def by_cue(spec: MethodSpec) -> tuple[float, float]:
    alpha = number(spec, "alpha", low=-1)
    return 1 + alpha, alpha


def builder(
    references: References,
    *,
    weights: Weights = by_alpha,
    main_view: Callable[[MethodSpec], ViewSpec] | None = None,
    stochastic: bool = False,
) -> Callable[[MethodSpec, int], Method]:
    def build(spec: MethodSpec, seed: int) -> Method:
        own, views = _views(spec, references(spec, seed), main_view)
        ours, theirs = weights(spec) if views else (1.0, 0.0)
        beta = number(spec, "beta", low=0, high=1)

        def scores(evidence: Evidence) -> Scores:
            seen = evidence.seen_from(own)
            contrasted = seen.main.top_logits
            if views:
                poorer = np.mean([seen.at_main(v) for v in views], axis=0)
                contrasted = ours * seen.main.top_logits - theirs * poorer  # padding is NaN, and masked
            return plausible(seen.main, contrasted, beta)

        def combine(main: Any, others: list[Any], step: int) -> Any:
            low = main < main.amax(dim=-1, keepdim=True) + (math.log(beta) if beta else -math.inf)
            contrasted = ours * main - theirs * sum(others) / len(others) if others else main
            return contrasted.masked_fill(low, -math.inf)

        return Method(spec, views, scores, beta=beta, stochastic=stochastic, combine=combine, main=own)

    return build


def _views(
    spec: MethodSpec, references: tuple[ViewSpec, ...], main_view: Callable[[MethodSpec], ViewSpec] | None
) -> tuple[ViewSpec | None, tuple[ViewSpec, ...]]:
    """The main view, where it is not the image, and the references at whose tokens they are kept."""
    if main_view is None:
        return None, references
    main = main_view(spec)
    return main.seen_from(main), tuple(one.seen_from(main) for one in references)


def file_variant(
    name: str,
    references: References,
    summary: str,
    *,
    defaults: Mapping[str, Value],
) -> None:
    build = builder(references, stochastic="step" in defaults)
    catalog.add(name, MethodKind(name, summary, name.split("-")[0], 1, build, defaults))


def of_cues(spec: MethodSpec, seed: int) -> Method:
    build = builder(lambda spec, seed: (view("image"),), weights=by_cue, main_view=lambda spec: view("uncued"))
    return replace(build(spec, seed), cued=True)


DEFAULTS = {"alpha": 1.0, "beta": 0.1}  # the released command lines'; their POPE scripts set beta to 0.2
file_variant(
    "vdd-none", lambda spec, seed: (view("none"),), "contrast with the prompt without its image", defaults=DEFAULTS
)
file_variant(
    "vdd-unk", lambda spec, seed: (view("unk"),), "contrast with one unk token for the image", defaults=DEFAULTS
)
file_variant(
    "vdd-both", lambda spec, seed: (view("none"), view("unk")), "contrast with the mean of both", defaults=DEFAULTS
)
file_variant(
    "vcd",
    lambda spec, seed: (view("noise", {"step": spec.params["step"], "seed": seed}),),
    "contrast with the noised image",
    defaults={**DEFAULTS, "step": 500},
)
file_variant(
    "icd",
    lambda spec, seed: (view("disturbed", {"role": spec.params["role"]}),),
    "contrast with the question under a disturbing role",
    defaults={**DEFAULTS, "role": DISTURBING},
)
file_variant(
    "apc-only", lambda spec, seed: (), "the plausibility mask alone (α = 0): the control", defaults={"beta": 0.1}
)
catalog.add(
    "cue-contrast",
    MethodKind("cue-contrast", "the clean question, contrasted with the cued one", "cue", 1, of_cues, DEFAULTS),
)
