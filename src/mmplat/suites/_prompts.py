"""How short-answer benchmarks ask for a short answer. Scores move with the wording, so it is a parameter and has a name."""

from __future__ import annotations

import re

YES_NO = ("yes", "no")

PROMPTS = {
    "short": "{}\nAnswer the question using a single word or phrase.",  # LLaVA 1.5, lmms-eval
    "one-word": "{} Please answer this question with one word.",  # LLaVA-Align, VCD
    "yes-no": "{} Please answer yes or no.",  # MME itself
    "bare": "{}",
}

_ASKED = re.compile(
    r"\s*(Answer the question using a single word or phrase\.|Please answer this question with one word\.|"
    r"Please answer yes or no\.)\s*$"
)


def bare(question: str) -> str:
    """A question without any of the endings that files of a benchmark carry already."""
    while (shorter := _ASKED.sub("", question.replace("<image>", "").strip())) != question:
        question = shorter
    return question
