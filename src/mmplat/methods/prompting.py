"""Methods that only ask otherwise: the plain rows beside which a decoding method must show what it gains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmplat.decoding.filters import Scores
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Method, MethodKind, catalog, whole_row
from mmplat.records import MethodSpec
from mmplat.views import bind as view
from mmplat.views.questions import CONCEPTS, GROUNDING, REASONING


def answered_from(kind: str, *, written_only: str = "") -> Callable[[MethodSpec, int], Method]:
    """Builds a method that answers from another way of asking, and changes nothing else."""

    def build(spec: MethodSpec, seed: int) -> Method:
        asked = view(kind, {"instruction": spec.params["instruction"]})
        main = asked.seen_from(asked)

        def scores(evidence: Evidence) -> Scores:
            return whole_row(evidence.seen_from(main).main)

        def combine(said: Any, others: list[Any], step: int) -> Any:
            return said

        return Method(spec, (), scores, combine=combine, main=main, written_only=written_only)

    return build


def file_prompt(name: str, summary: str, build: Callable[[MethodSpec, int], Method], instruction: str) -> None:
    catalog.add(name, MethodKind(name, summary, "prompt", 1, build, {"instruction": instruction}))


file_prompt(
    "answer-from-image",
    "the question with the request to answer from the picture",
    answered_from("grounded"),
    GROUNDING,
)
file_prompt(
    "concept-informed",
    "the question with a list of the spurious cues that may mislead (background, texture, …)",
    answered_from("informed"),
    CONCEPTS,
)
file_prompt(
    "chain-of-thought",
    "the question with the request to reason first and state the answer last; for answers in words",
    answered_from("reasoned", written_only="it reasons before it answers, so no first row holds the answer"),
    REASONING,
)
