"""CODE: contrast with the model's own description of the image, as strongly as both agree.

p is the row of the image, p′ that of the question behind the description, without the image (the view `described`). At each token
D = ½ Σ log2(|p − p′|^κ + 1)·(p + p′), from 0 (equal) to 1; d = (1 + α)·l − α·l′ with α = 1 − D over the tokens with p ≥ D·max p.
Formula and κ = 0.2 are those of the released code [V]; the request for the description and its length are not in our papers.

D sums over the whole vocabulary, and small probabilities weigh in it, so the largest tokens that evidence keeps do not tell it:
CODE is for answers in words. `self-description` is its first stage as a method: what is written when a description is asked for.
"""

from __future__ import annotations

from typing import Any

from mmplat.decoding.filters import Scores
from mmplat.errors import IncompatibleCell
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Method, MethodKind, Value, catalog, number
from mmplat.methods.prompting import answered_from
from mmplat.records import MethodSpec
from mmplat.views import bind as view
from mmplat.views.described import DESCRIBE, LONGEST

WORDS_ONLY = "its weight is read from whole rows, of which evidence keeps the largest tokens"


def build(spec: MethodSpec, seed: int) -> Method:
    kappa = number(spec, "kappa", low=0)
    described = view("described", {name: spec.params[name] for name in ("instruction", "longest")})

    def scores(evidence: Evidence) -> Scores:
        raise IncompatibleCell(f"Method {spec.name!r} decides no labels: {WORDS_ONLY}.")

    def combine(main: Any, others: list[Any], step: int) -> Any:
        return contrasted(main, others[0], kappa)

    return Method(spec, (described,), scores, combine=combine, written_only=WORDS_ONLY)


def contrasted(main: Any, described: Any, kappa: float) -> Any:
    """Rows of logits (row, vocab) → logits to choose from."""
    p, q = main.softmax(dim=-1), described.softmax(dim=-1)
    apart = distance(p, q, kappa)
    alpha = 1 - apart
    implausible = p < apart * p.amax(dim=-1, keepdim=True)
    return ((1 + alpha) * main - alpha * described).masked_fill(implausible, float("-inf"))


def distance(p: Any, q: Any, kappa: float) -> Any:
    """How far two rows of probabilities lie apart (row, 1): 0 where they are equal, 1 where they share no token."""
    return ((((p - q).abs() ** kappa) + 1).log2() * (p + q)).sum(dim=-1, keepdim=True) / 2


DEFAULTS: dict[str, Value] = {"kappa": 0.2, "instruction": DESCRIBE, "longest": LONGEST}
SUMMARY = "contrast with the model's own description of the image, as strongly as both agree; for answers in words"
catalog.add("code", MethodKind("code", SUMMARY, "code", 1, build, DEFAULTS))
catalog.add(
    "self-description",
    MethodKind(
        "self-description",
        "a description of the image in place of an answer (what code contrasts with); for answers in words",
        "code",
        1,
        answered_from("describing", written_only="it describes the image instead of answering"),
        {"instruction": DESCRIBE},
    ),
)
