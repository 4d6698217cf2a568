"""The model as it is: the row that every gain is measured against."""

from mmplat.decoding.filters import Scores
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Method, MethodKind, catalog, whole_row
from mmplat.records import MethodSpec


def build(spec: MethodSpec, seed: int) -> Method:
    def scores(evidence: Evidence) -> Scores:
        return whole_row(evidence.main)

    return Method(spec, (), scores, combine=lambda main, others, step: main)


catalog.add("naive", MethodKind("naive", "the model's own answer", "naive", 1, build))
