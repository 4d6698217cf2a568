"""SID: contrast with the image of which only the least attended tokens stay after an early layer (the view `least-attended`).

d = (1 + α)·l − α·l′ behind the plausibility mask [V]. The layer and the number of tokens, after 2 of 32 layers and 100 of 576,
are recalled [M], so they are given as shares. The released code, as recalled, chooses the tokens anew at each step of an answer;
here they are chosen at the end of the prompt and stay, so that an answer goes on from one cache.
"""

from mmplat.methods.base import MethodKind, catalog
from mmplat.methods.contrast import DEFAULTS, builder
from mmplat.views import bind as view

build = builder(lambda spec, seed: (view("least-attended", {name: spec.params[name] for name in ("after", "keep")}),))
SUMMARY = "contrast with the image of which only the least attended tokens stay"
catalog.add("sid", MethodKind("sid", SUMMARY, "sid", 1, build, {**DEFAULTS, "after": 0.0625, "keep": 0.174}))
