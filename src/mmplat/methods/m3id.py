"""M3ID: a correction away from the prompt without its image that grows as the answer does.

log p + 1[max p < τ]·((1 − g)/g)·(log p − log p_none), g = exp(−decay·t), t the tokens written so far. Formula and decay = 0.02 are
those of a public port, in the code of AvisC; the authors' own is not known to us. The port counts t from 1, one token ahead of
this, has no τ (1 corrects always, as it does), and cuts by a plausibility mask of 0.1, which the paper's formula has not.

At the first token t is 0, so where labels are read from one row, M3ID says what naive says: its row is there to show that.
"""

from __future__ import annotations

import math
from typing import Any

from mmplat.methods.base import Method, MethodKind, catalog, number, whole_row
from mmplat.records import MethodSpec
from mmplat.views import bind as view

LARGEST_EXPONENT = 700.0
"""Beyond it a float overflows; the answer has become infinite long before, and fails as such."""


def build(spec: MethodSpec, seed: int) -> Method:
    decay, sure = number(spec, "decay", low=0), number(spec, "tau", low=0, high=1)

    def combine(main: Any, others: list[Any], step: int) -> Any:
        said, blind = main.log_softmax(dim=-1), others[0].log_softmax(dim=-1)
        unsure = said.amax(dim=-1, keepdim=True).exp() < sure if sure < 1 else 1.0
        return said + math.expm1(min(decay * step, LARGEST_EXPONENT)) * unsure * (said - blind)

    return Method(spec, (view("none"),), lambda evidence: whole_row(evidence.main), combine=combine)


SUMMARY = "contrast with the prompt without its image that grows with the answer; naive at the first token"
catalog.add("m3id", MethodKind("m3id", SUMMARY, "m3id", 1, build, {"decay": 0.02, "tau": 1.0}))
