"""What a rubric is: prompts in every order that is asked, a strict reading of the reply, and what the scores add up to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmplat.records import Prompt, Sample
from mmplat.registry import Registry

Scores = tuple[float, float | None]
"""Of the answer, and of the reference answer where it is scored too."""
Measures = Mapping[str, tuple[float, float]]
"""What one answer adds to each measure, above and below the line of a ratio of sums."""
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Rubric:
    """One registered rubric. Raise `version` whenever a word of a prompt, the reading or a measure changes."""

    name: str
    summary: str
    version: int
    scale: tuple[float, float]
    """The lowest and the highest score; what lies outside is no score."""
    needs: tuple[str, ...]
    """What it reads of a sample's `reference`."""
    orders: tuple[str, ...]
    """Ways of asking about one answer; all are asked."""
    prompt: Callable[[Sample, str, str], Prompt]
    """(sample, answer, order) → what the judge is shown."""
    read: Callable[[str, str], Scores | None]
    """(reply, order) → scores; None: the reply says none, and is counted as failed."""
    measures: Callable[[Mapping[str, Scores]], Measures]
    """Scores by order → what the answer adds to each measure."""
    shares: frozenset[str] = frozenset()
    """Measures that are shares of answers; the others are in points."""


def scores_in(reply: str, count: int, scale: tuple[float, float]) -> list[float] | None:
    """The numbers of the first line, which holds `count` of them, within the scale, and nothing else; else None."""
    lines = reply.strip().splitlines()
    words = lines[0].replace(",", " ").split() if lines else []
    if len(words) != count or not all(map(_NUMBER.fullmatch, words)):
        return None
    found = [float(word) for word in words]
    return found if all(scale[0] <= one <= scale[1] for one in found) else None


catalog: Registry[Rubric] = Registry("rubric", "mmplat.rubrics")
