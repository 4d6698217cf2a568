"""PAI: more attention to the image, then guidance away from the prompt without it.

d = γ·log p − (γ − 1)·log p_none, with p from the view `raised`: each speaking position's scores on image tokens become
a + strength·|a| before the softmax, behind the first layers. The mask, p ≥ β·max p, is read from the raised row too. Formula and
numbers are those of the released code for LLaVA [V]: strength 0.2, layers 2 to 32 of 32, γ = 1.1, β = 0.1.
"""

from mmplat.methods.base import MethodKind, catalog, number
from mmplat.methods.contrast import builder
from mmplat.records import MethodSpec
from mmplat.views import bind as view


def guidance(spec: MethodSpec) -> tuple[float, float]:
    gamma = number(spec, "gamma", low=1)
    return gamma, gamma - 1


build = builder(
    lambda spec, seed: (view("none"),),
    weights=guidance,
    main_view=lambda spec: view("raised", {name: spec.params[name] for name in ("strength", "after")}),
)
DEFAULTS = {"gamma": 1.1, "beta": 0.1, "strength": 0.2, "after": 0.0625}
SUMMARY = "attention to the image raised, contrasted with the prompt without it"
catalog.add("pai", MethodKind("pai", SUMMARY, "pai", 1, build, DEFAULTS))
