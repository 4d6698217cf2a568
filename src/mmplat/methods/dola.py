"""DoLa: what the network says, minus what one of its earlier layers would have said; no image-free view.

d = log q_final − log q_premature over the tokens with q_final ≥ β·max q_final. The earlier layer is the candidate whose row lies
furthest from the final one (Jensen–Shannon), chosen anew for each sample and step: the view `premature`. Formula and β = 0.1 are
those of public copies of the released code [V]; there the distance is ½ KL(m‖q) + ½ KL(m‖q′) from the mean m, which is not the
paper's, and one layer is chosen for a whole batch. `layers: high` (candidates in the deeper half) is for short answers, `low` for
long ones. `norm: 1` puts the final norm before the output layer, which the released code leaves out.
"""

from mmplat.methods.base import MethodKind, catalog
from mmplat.methods.contrast import builder
from mmplat.views import bind as view

build = builder(
    lambda spec, seed: (view("premature", {name: spec.params[name] for name in ("layers", "norm")}),),
    weights=lambda spec: (1.0, 1.0),
)
SUMMARY = "the final row minus that of the earlier layer that differs most from it"
catalog.add("dola", MethodKind("dola", SUMMARY, "dola", 1, build, {"beta": 0.1, "layers": "high", "norm": 0}))
