"""Methods that only ask otherwise: the plain rows beside which a decoding method must show what it gains."""

from __future__ import annotations

from typing import Any

from mmplat.decoding.filters import Scores
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Method, MethodKind, catalog, whole_row
from mmplat.records import MethodSpec
from mmplat.views import bind as view
from mmplat.views.questions import GROUNDING


def build(spec: MethodSpec, seed: int) -> Method:
    asked = view("grounded", {"instruction": spec.params["instruction"]})
    main = asked.seen_from(asked)

    def scores(evidence: Evidence) -> Scores:
        return whole_row(evidence.seen_from(main).main)

    def combine(said: Any, others: list[Any], step: int) -> Any:
        return said

    return Method(spec, (), scores, combine=combine, main=main)


SUMMARY = "the question with the request to answer from the picture"
catalog.add(
    "answer-from-image", MethodKind("answer-from-image", SUMMARY, "prompt", 1, build, {"instruction": GROUNDING})
)
