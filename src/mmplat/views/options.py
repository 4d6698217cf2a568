"""Views of a multiple choice with its options at other places: what a model says of an option must not hang on its letter."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mmplat.errors import IncompatibleCell
from mmplat.records import Sample
from mmplat.samples import MADE
from mmplat.views.base import Value, ViewKind, catalog, whole_number


def rotated(sample: Sample, params: Mapping[str, Value], seed: int) -> str:
    """The question with its options moved on by some places; labels and everything else stay where they are."""
    reason = no_rotation(sample, params)
    if reason:
        raise IncompatibleCell(f"The options of sample {sample.sample_id!r} cannot change places: {reason}.")
    found = _listed(sample)[0]
    around = found.groups()  # label, space, label, space, …: the options stand between them
    options = [sample.options[at].strip() for at in rotation(len(sample.options), int(params["by"]))]
    block = "".join(
        f"{label}{option}{space}"
        for label, option, space in zip(around[::2], options, [*around[1::2], ""], strict=True)
    )
    return sample.question[: found.start()] + block + sample.question[found.end() :]


def rotation(count: int, by: int) -> list[int]:
    """Which option stands at each place after all of them have moved on by `by` places, the last ones to the front."""
    return [(place - by) % count for place in range(count)]


def no_rotation(sample: Sample, params: Mapping[str, Value]) -> str | None:
    """Why the options of a sample cannot change places."""
    if not sample.options:
        return "it lists no options"
    if len(sample.options) != len(sample.labels):
        return f"it has {len(sample.options)} options for {len(sample.labels)} labels"
    if sample.reference.get(MADE, {}).get("names") in sample.labels:
        return "its condition names an option by its label, which would then stand for another option"
    times = len(_listed(sample))
    return None if times == 1 else f"its labelled options stand in its question {times or 'no'} times, not once"


def _listed(sample: Sample) -> list[re.Match[str]]:
    """Where the question lists the options, each behind its label: "A. text", "(A) text" or "A text"."""
    listed = (
        rf"([(\[]?(?i:{re.escape(label)})(?:[)\].:]+[ \t]*|[ \t]+)){re.escape(option.strip())}"
        for label, option in zip(sample.labels, sample.options, strict=True)
    )
    return list(re.finditer(r"(?<!\S)" + r"(\s+)".join(listed) + r"(?!\S)", sample.question))


catalog.add(
    "rotated-options",
    ViewKind(
        "rotated-options",
        "the question with its options moved on by `by` places, the last ones to the front (what option-rotation averages over)",
        "question",
        defaults={"by": 1},
        rewrite=rotated,
        misfit=no_rotation,
        refuse=whole_number("by", 0),
    ),
)
