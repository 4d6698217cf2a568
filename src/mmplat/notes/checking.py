"""What is wrong with a note, as far as its words show: it names an answer, argues the wrong way, repeats its own instructions.

Nothing here sees the picture: whether a note says something false about it is for people, or for another model.
"""

from __future__ import annotations

import re

from mmplat.records import Sample
from mmplat.samples import RawSample

Asked = Sample | RawSample
ECHOES = {
    "misleading": ("misleading", "what is right", "these notes", "this task", "hint note"),
    "guiding": (
        "guiding",
        "guidance note",
        "what is right",
        "these notes",
        "strategy",
        "point out why",
        "provide the reasoning",
    ),
}
"""Words of the prompts that writers are given, ours and the paper's (in lower case)."""

SHORTEST = 8
"""Characters below which nothing is argued (for scripts that write words in one sign: a quarter of it)."""
HAN = re.compile(r"[一-鿿]")
CALLED = r"(?i:(?:option|answer|choice|选项|答案)s?\s*(?:is|are|:|：|是|为)?\s*[\"'“(]?){0}(?!\w)"
"""An answer that is called one: "option B", "the answer is yes"."""
PRAISED = r"(?<!\w){0}[\"'”)]?(?i:\s+(?:is|are)\s+(?:\w+\s+)?(?:the\s+)?(?:right|correct|ideal|true|best))(?!\w)"
BRACKETED = r"\({0}\)"


def flags_of(sample: Asked, direction: str, text: str) -> tuple[str, ...]:
    """Every check that a note fails, by name."""
    named = _named(sample, text)
    led_to = {sample.gold} if direction == "guiding" else set(sample.labels) - {sample.gold}
    found = {
        "names-the-answer": bool(named & led_to),
        "names-another-answer": bool(named - led_to),
        "holds-the-right-option": direction == "guiding" and _holds(_option(sample), text),
        "repeats-its-instructions": _echoes(direction, text),
        "other-language": bool(HAN.search(sample.question)) != bool(HAN.search(text)),
        "too-short": len(text) < (SHORTEST // 4 if HAN.search(text) else SHORTEST),
    }
    return tuple(name for name, is_so in found.items() if is_so)


def _named(sample: Asked, text: str) -> set[str]:
    """Labels that a note says are the answer, by their letter (or word) or by the option's text."""
    options = dict(zip(sample.labels, sample.options, strict=False))
    called = [(label, one) for label in sample.labels for one in (label, options.get(label, "").strip()) if one]
    return {label for label, one in called if _says(one, text)}


def _says(answer: str, text: str) -> bool:
    """Letters count in capitals alone: "a" is an article."""
    letter = len(answer) == 1
    spelled = re.escape(answer) if letter else f"(?i:{re.escape(answer)})"
    patterns = (CALLED, PRAISED, BRACKETED) if letter else (CALLED, PRAISED)
    return any(re.search(pattern.format(spelled), text) for pattern in patterns)


def _option(sample: Asked) -> str:
    return dict(zip(sample.labels, sample.options, strict=False)).get(sample.gold, "").strip()


def _holds(option: str, text: str) -> bool:
    return bool(option) and re.search(rf"(?<!\w){re.escape(option)}(?!\w)", text, re.IGNORECASE) is not None


def _echoes(direction: str, text: str) -> bool:
    return any(words in text.lower() for words in ECHOES[direction])
