"""A judge whose taste is known, so that every measure can be told beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from endpoint.chat_server import text_of

QUESTIONS, IMAGES = 12, 4
CATEGORIES = ("conv", "detail", "complex")
QUALITY = {"yes": 4.0, "no": 6.0}
REFERENCE, ANYTHING_ELSE, FIRST_GAINS = 8.0, 2.0, 1.0


def quality(answer: str) -> float:
    """What the judge thinks of an answer, wherever it stands."""
    return REFERENCE if answer.startswith("It is") else QUALITY.get(answer, ANYTHING_ELSE)


def shown(body: dict[str, Any]) -> tuple[str, str]:
    """The two answers in a request."""
    found = re.search(r"\[Answer 1\]\n(.*?)\n\n\[Answer 2\]\n(.*?)\n\n\[Task\]", text_of(body), re.DOTALL)
    assert found, text_of(body)
    return found[1], found[2]


def biased(body: dict[str, Any]) -> list[tuple[str, float]]:
    """A judge that likes whatever comes first."""
    if "[Answer 2]" not in text_of(body):
        return [("yes", 0.0)]
    first, second = shown(body)
    return [(f"{quality(first) + FIRST_GAINS:g} {quality(second):g}\nThe first says more.", 0.0)]


def says(reply: str) -> Callable[[dict[str, Any]], list[tuple[str, float]]]:
    return lambda body: [(reply, 0.0)]
