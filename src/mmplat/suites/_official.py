"""The rules by which published scripts read an answer, quirks included: for comparing with published numbers, and for nothing else.

What each gets wrong stands beside it; docs/benchmarks.md says what to quote instead. None: the script counts it as no label.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from mmplat.ids import seed_from
from mmplat.records import Sample


def pope(text: str, sample: Sample) -> str | None:
    """POPE's evaluate.py: "no" if the first sentence has the word No, no or not, else "yes". So garbage, "NO" and "" say yes."""
    words = text.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "no", "not"} & set(words) else "yes"


def pope_substring(text: str, sample: Sample) -> str | None:
    """VCD's and LLaVA-Align's eval_pope.py: right if the right answer's letters occur anywhere, else the other answer.

    It looks at the gold answer first. "I know yes is tempting" is right whatever is asked, "not sure" is a right "no", and
    garbage is a wrong answer that moves the yes-ratio away from the gold.
    """
    other = {"yes": "no", "no": "yes"}
    return sample.gold if sample.gold in text.lower().strip() else other[sample.gold]


def mme(text: str, sample: Sample) -> str | None:
    """MME's calculation.py: yes, else no, within the first four characters; "The answer is yes" is "other" and wrong, while
    "Not sure" and "know" are no."""
    start = text.lower()[:4]
    return next((label for label in ("yes", "no") if label in start), None)


def mmmu(text: str, sample: Sample) -> str | None:
    """MMMU's parse_multi_choice_response: a letter in brackets, else between spaces, else an option's text in answers of more
    than five words; the last one said counts, and if there is none, an answer is drawn.

    "A man is walking" says A. The script draws from one generator for a whole run, so its scores depend on the order of the
    questions; here each question has its own draw.
    """
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text = f" {text} "
    options = dict(zip(sample.labels, sample.options, strict=True))
    long = len(text.split()) > 5
    for said, within in (
        ({label: f"({label})" for label in sample.labels}, text),
        ({label: f" {label} " for label in sample.labels}, text),
        ({label: option.lower() for label, option in options.items()} if long else {}, text.lower()),
    ):
        places = {label: within.rfind(what) for label, what in said.items() if what in within}
        if places:
            return max(places, key=lambda label: places[label])
    return random.Random(seed_from("mmmu", sample.sample_key)).choice(sample.labels)


def first_letter(text: str, sample: Sample) -> str | None:
    """Modality Interference's extract_final_choice for sets of images: the first letter that stands alone.

    The article counts: "This is a dog" says A. "I think B" says I and "It's B" says S, which are no options, and are wrong.
    """
    return _first(r"\b([A-Za-z])\b", text, sample)


def first_letter_to_d(text: str, sample: Sample) -> str | None:
    """The same for every other set: only A to D are looked for, so a fifth option is never said, and the article still counts."""
    return _first(r"\b([A-Da-d])\b", text, sample)


def _first(pattern: str, text: str, sample: Sample) -> str | None:
    found = re.search(pattern, text)
    return found[1].upper() if found and found[1].upper() in sample.labels else None


def mub(text: str, sample: Sample) -> str | None:
    """MUB's extract_option: the first of A to D that stands alone anywhere, else the whole reply in lower case without spaces.

    Right if the right answer's letters occur in that.

    "A man" says A, E and F are never said, "cannot" holds a right no, a yes/no reply that names a part "B" is wrong. It looks for
    options in the question first, where the released data have none. Wrong and unreadable are one, so a refusal is misled.
    """
    alone = re.search(r"\b[A-D]\b", text)
    said = alone[0] if alone else text.lower().replace(" ", "")
    return sample.gold if sample.gold in said else None


_NUMBERS = (
    r"-?\b\d{1,3}(?:,\d{3})+\b",
    r"-?\d+(?:\.\d+)?[eE][+-]?\d+",
    r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])",
)
_KEYS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")


def mmmu_short(text: str, answers: Sequence[str]) -> bool:
    """MMMU's eval_open: whether a short answer occurs in the tail of a sentence ("… is 12"), or equals a number in it.

    The text is lower-cased before it is cut at "a full stop and a capital letter", so it is cut at line ends only.
    """
    wanted = [form for answer in answers for form in _forms(answer)]
    said = [form for part in _tails(text) for piece in (part, *_numbers(part)) for form in _forms(piece)]
    return any(
        one in wanted if isinstance(one, float) else any(isinstance(w, str) and w in one for w in wanted)
        for one in said
    )


def _tails(text: str) -> list[str]:
    """The shortest part of each line after a word that announces an answer; the whole text where no line has one."""
    whole = text.strip().strip(".").lower()
    lines = whole.split("\n")
    tails = []
    for number, line in enumerate(lines):
        keys = (*_KEYS, "=") if number == len(lines) - 1 else _KEYS
        shortest = ""
        for tail in (line.split(key)[-1].strip() for key in keys if key in line):
            if not shortest or len(tail) < len(shortest):  # an empty tail gives way to the next one, as in the script
                shortest = tail
        if shortest and shortest not in {":", ",", ".", "!", "?", ";", "'"}:
            tails.append(shortest)
    return tails or [whole]


def _numbers(text: str) -> list[str]:
    return [number for pattern in _NUMBERS for number in re.findall(pattern, text)]


def _forms(text: str) -> list[str | float]:
    """A number to two decimals, or the text in lower case; a single letter only with a space beside it."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]
