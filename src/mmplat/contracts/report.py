"""Verdicts as text: one checkpoint in full, or several in one table of models × contracts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmplat.contracts.base import Subject, Verdict, catalog
from mmplat.views import catalog as view_kinds

Verdicts = Mapping[str, Verdict]
MARKS = {True: "✓", None: "–", False: "✗"}


def in_full(name: str, model: Any, verdicts: Verdicts) -> str:
    """Who the model is, what it makes of each view, and every contract with its figure or its reason."""
    who = ", ".join(f"{key} {value}" for key, value in model.identity.items())
    lines = [name, f"  {who}", f"  on {model.hardware}, vocabulary {model.vocab_size:,}", "", "views"]
    for kind, what in view_kinds.items():
        reason = model.unavailable(kind)
        lines.append(f"  {kind:<14} {'n/a    ' if reason else 'made   '} {reason or what.summary}")
    lines += ["", "contracts"]
    lines += [f"  {key:<14} {one.mark:<7} {catalog.get(key).summary}: {one.said}" for key, one in verdicts.items()]
    return "\n".join(lines)


def in_one_table(found: Mapping[str, Verdicts]) -> str:
    """A row per contract, a column per model; then why something does not apply, or is broken."""
    numbers = {name: f"{at:>3}" for at, name in enumerate(found, start=1)}
    lines = [*(f"{number} {name}" for name, number in numbers.items()), "", " " * 62 + "".join(numbers.values())]
    for key, contract in catalog.items():
        marks = "".join(f"{MARKS[verdicts[key].holds]:>3}" for verdicts in found.values())
        lines.append(f"{key:<11}{contract.summary:<51.50}{marks}")
    reasons: dict[str, list[str]] = {}
    for name, verdicts in found.items():
        for key, one in verdicts.items():
            if not one.holds:
                reasons.setdefault(f"{MARKS[one.holds]} {key}: {one.said}", []).append(name)
    lines += ["", *(f"{why}  [{', '.join(names)}]" for why, names in sorted(reasons.items()))]
    return "\n".join(lines)


def broken(found: Mapping[str, Verdicts]) -> list[str]:
    """model: contract, for each that does not hold."""
    return [f"{name}: {key}" for name, verdicts in found.items() for key, one in verdicts.items() if one.holds is False]


def verdicts_of(model: Any) -> dict[str, Verdict]:
    """Every contract on one model."""
    from mmplat.contracts.base import check

    subject = Subject(model)
    return {key: check(subject, contract) for key, contract in catalog.items()}
