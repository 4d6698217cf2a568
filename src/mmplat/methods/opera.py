"""OPERA: beams that lose score where they lean on one token of their own, and go back where they keep leaning on it.

An answer's attention to itself, in the last layer, has a column for each of its tokens: how all later ones look at it. Large
columns are summaries that the answer follows instead of the image. A candidate scores log p − weight·phi. Here phi = unit · max of
Π scale·a over columns, from the column's own token down to the candidate; for candidates up to token `early`, phi is minus their
attention to the image. When one token has been the largest column in `threshold` steps, the beams go back to it and may not say
what they said next there, `returns` times at most for each token.

Penalty, retrospection, 5 beams, 5 candidates, scale 50, threshold 15 and weight 1 are those of the released code [V]. The largest
head, renormalised, `unit` and `early` are as in a public port of it, not checked there. What else had to be settled is ours
(docs/methods.md).
"""

from __future__ import annotations

from typing import Any

from mmplat.decoding.filters import Scores
from mmplat.errors import ConfigError, IncompatibleCell
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Method, MethodKind, Search, Value, catalog, number
from mmplat.records import MethodSpec

WORDS_ONLY = "it searches whole answers by beams, so no first row tells what it says"


def build(spec: MethodSpec, seed: int) -> Method:
    def scores(evidence: Evidence) -> Scores:
        raise IncompatibleCell(f"Method {spec.name!r} decides no labels: {WORDS_ONLY}.")

    def combine(said: Any, others: list[Any], step: int) -> Any:
        return said

    how = Search(
        beams=whole(spec, "beams", low=1),
        candidates=whole(spec, "candidates", low=1),
        scale=number(spec, "scale", low=0),
        weight=number(spec, "weight", low=0),
        threshold=whole(spec, "threshold", low=2),  # the token itself is one; what it led to is to be taken back
        returns=whole(spec, "returns", low=0),
        early=whole(spec, "early", low=0),
        unit=number(spec, "unit", low=0),
    )
    return Method(spec, (), scores, combine=combine, written_only=WORDS_ONLY, search=how)


def whole(spec: MethodSpec, key: str, *, low: int) -> int:
    value = number(spec, key, low=low)
    if not value.is_integer():
        raise ConfigError(f"Method {spec.name!r} has {key} = {value!r}. Allowed: whole numbers from {low}.")
    return int(value)


DEFAULTS: dict[str, Value] = {
    "beams": 5,
    "candidates": 5,
    "scale": 50,
    "weight": 1,
    "threshold": 15,
    "returns": 5,
    "early": 10,
    "unit": 1e-7,
}
SUMMARY = "beams that lose score, and go back, where an answer leans on one of its own tokens; for answers in words"
catalog.add("opera", MethodKind("opera", SUMMARY, "opera", 1, build, DEFAULTS))
