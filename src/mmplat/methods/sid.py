"""SID: contrast with the image of which only the least attended tokens stay after an early layer (the view `least-attended`).

d = (1 + α)·l − α·l′ behind the plausibility mask, after 2 of 32 layers, 100 of 576 tokens: the released code's [V], given as
shares. It chooses the tokens anew at each step of an answer; here they are chosen at the end of the prompt and stay. Its greedy
answers leave the mask out, and its POPE script passes no α, so that it runs with the fallback of 0.5; here the mask always holds,
and α is 1.
"""

from mmplat.methods.base import MethodKind, catalog
from mmplat.methods.contrast import DEFAULTS, builder
from mmplat.views import bind as view

build = builder(lambda spec, seed: (view("least-attended", {name: spec.params[name] for name in ("after", "keep")}),))
SUMMARY = "contrast with the image of which only the least attended tokens stay"
catalog.add("sid", MethodKind("sid", SUMMARY, "sid", 1, build, {**DEFAULTS, "after": 0.0625, "keep": 0.174}))
