"""Which label a written answer says, or none: our own rule, the same for every suite.

An answer says a label if it opens with it, consists of it, or states it ("the answer is …"). What hedges, names two labels, or
merely contains the letters of one ("not sure", "I know", "A man walks") says none and is counted as unparsed; it is never
guessed. The rules of published scripts are in `_official`.
"""

from __future__ import annotations

import re

from mmplat.records import Sample

_STATED = r"\b(?:answer|choice|option)\b(?:\s+is)?\s*[:=]?\s*(?:option\s+)?"
_DECORATION = " \t\n\"'`*_#>.,:;!?"


def strict(text: str, sample: Sample) -> str | None:
    """The label that `text` says; None where it says none, or more than one."""
    letters = all(len(label) == 1 for label in sample.labels)
    return _letter(text, sample) if letters else _word(text, sample.labels)


def _word(text: str, labels: tuple[str, ...]) -> str | None:
    """yes/no and other labels that are words."""
    one_of = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    bare = text.strip(_DECORATION)
    if re.match(rf"(?:{one_of})\s*(?:and|or|/)\s*(?:{one_of})\b", bare, re.IGNORECASE):
        return None  # "yes and no"
    opening = re.match(rf"({one_of})\b(?!['’-])", bare, re.IGNORECASE)
    return _only(labels, [opening[1]] if opening else _stated(bare, rf"[*_\"']*({one_of})\b", re.IGNORECASE))


def _letter(text: str, sample: Sample) -> str | None:
    """Letters of a multiple choice. "A" is also an article, so a letter counts alone, in brackets, or before a stop."""
    labels, bare = sample.labels, text.strip(_DECORATION)
    any_letter = "[A-Za-z]"
    if re.fullmatch(rf"\(?({any_letter})\)?", bare):
        return _only(labels, [bare.strip("()").upper()])
    opening = re.match(rf"\(({any_letter})\)|([A-Z])(?=[.:)\n]|,(?!\s*[A-Z]\b))", bare)
    if opening:
        return _only(labels, [(opening[1] or opening[2]).upper()])
    stated = _stated(bare, r"[*_\"']*(?:\(([A-Za-z])\)|([A-Z])(?=\W|$)(?!\s+[a-z]))")
    bracketed = re.findall(r"\(([A-Z])\)", bare)
    return _only(labels, [s.upper() for s in stated] or bracketed) or _option(bare, sample)


def _stated(text: str, label: str, flags: int = 0) -> list[str]:
    """What "the answer is …" is followed by, each time it is said."""
    found = re.findall(f"(?i:{_STATED})" + label, text, flags)
    return [one if isinstance(one, str) else next(part for part in one if part) for one in found]


def _option(text: str, sample: Sample) -> str | None:
    """The letter of the option whose text the answer is, word for word."""
    same = [
        label
        for label, option in zip(sample.labels, sample.options, strict=False)
        if option.strip(_DECORATION).casefold() == text.casefold()
    ]
    return same[0] if len(same) == 1 else None


def _only(labels: tuple[str, ...], said: list[str]) -> str | None:
    """The label that all of `said` are; None where they differ or are no label."""
    names = {one.casefold() for one in said}
    return next((label for label in labels if names == {label.casefold()}), None)
