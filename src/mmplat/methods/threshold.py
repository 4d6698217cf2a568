"""The plain control of every gain on yes/no questions: the naive answer with its threshold moved, and nothing else.

The log-odds of the first label (yes) get one constant for the whole suite, such that as many questions are answered yes as by
the method `like`. What `like` gains beyond this it owes to the single image; what it does not, to saying yes more or less
often. The control is transductive: it reads the share of yes over all unlabeled questions of the suite, so it is a yardstick
and no method to deploy. Like post-hoc debiasing it works on labels, and never says anything else.

The constant equals the share of likeliest answers, under any decoding. It is exact but for questions whose log-odds are equal:
those are answered alike, and the nearest share that can be had is taken.
"""

from __future__ import annotations

import numpy as np

from mmplat.decoding.filters import Scores, sort_scores
from mmplat.errors import ConfigError
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Floats, Method, MethodKind, bind, catalog
from mmplat.records import MethodSpec

FAMILY = "threshold-shift"


def constant_for(margins: Floats, wanted: int) -> float:
    """What to add to the margins so that `wanted` of them are above 0, or the nearest number that ties allow."""
    ordered = np.sort(margins)[::-1]
    between = np.flatnonzero(np.diff(ordered) < 0) + 1  # so many are above a cut between unequal neighbours
    cuts = np.concatenate([[0], between, [len(ordered)]])
    above = int(cuts[np.abs(cuts - wanted).argmin()])
    fenced = np.concatenate([ordered[:1] + 2, ordered, ordered[-1:] - 2])
    return float(-(fenced[above] + fenced[above + 1]) / 2)


def build(spec: MethodSpec, seed: int) -> Method:
    like = str(spec.params["like"])
    if like == FAMILY:
        raise ConfigError(f"Method {spec.name!r} has like = {like!r}: give another method than itself.")
    target = bind(like, seed=seed)

    def scores(evidence: Evidence) -> Scores:
        shifted = evidence.main.label_logits.copy()
        margins = shifted[:, 0] - shifted[:, 1:].max(axis=1)
        wanted = target.scores(evidence)
        known = ~np.isnan(margins) & ~wanted.unknown
        if known.any():
            shifted[:, 0] += constant_for(margins[known], int((wanted.label[known, 0] == 0).sum()))
        labels = np.broadcast_to(np.arange(shifted.shape[1], dtype=np.int16), shifted.shape)
        return sort_scores(shifted, labels, shifted.shape[1])

    # Versions only rise, so their sum is new whenever either is.
    both = spec.model_copy(update={"version": spec.version + target.spec.version})
    besides = target.references if target.main is None else target.views
    return Method(both, besides, scores, target.beta, target.stochastic, binary=True, transductive=True)


catalog.add(
    FAMILY,
    MethodKind(
        FAMILY,
        "control for yes/no: the naive threshold moved to say yes as often as the method `like` over the suite (transductive)",
        FAMILY,
        1,
        build,
        {"like": "posthoc-none"},
    ),
)
