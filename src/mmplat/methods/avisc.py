"""AvisC: contrast with the image of which only the blind tokens stay, those that draw far more attention than the others.

d = (1 + α)·l − α·l′ behind the plausibility mask; l′ is the view `blind`. Blind are image tokens with attention above
μ + spread·σ, averaged over the most image-heavy layers, which together hold the share `layers` of all attention to the image.
Formula and numbers are those of the released code and its scripts [V]: layers 0.5, spread 1, α = 1, β = 0.1, zeroed features. As
there, the tokens are chosen at the end of the prompt and stay for the whole answer. It costs three passes: one finds the tokens.
"""

from mmplat.methods.base import MethodKind, catalog
from mmplat.methods.contrast import DEFAULTS, builder
from mmplat.views import bind as view

build = builder(lambda spec, seed: (view("blind", {name: spec.params[name] for name in ("layers", "spread")}),))
SUMMARY = "contrast with the image of which only the tokens stay that draw far more attention than the others"
catalog.add("avisc", MethodKind("avisc", SUMMARY, "avisc", 1, build, {**DEFAULTS, "layers": 0.5, "spread": 1.0}))
