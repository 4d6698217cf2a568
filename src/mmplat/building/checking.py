"""check: what can be seen without a person. Every item is kept, with the reasons of those that are rejected.

Words are compared (wording.py); the checker, shown the image and the class, names all right answers; and types are balanced.
None of this sees a synonym of the class, a question whose options are all wrong, or an attribute that is not in the image where
the checker believes it: that is what reviewers are for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from mmplat.building import prompts
from mmplat.building._asking import Answers, Said, ask
from mmplat.building.items import LETTERS, Item, Option, read_lines, write_lines
from mmplat.building.settings import BuildSpec
from mmplat.building.stages import Advance, Build, Outcome, Stage
from mmplat.building.wording import faults
from mmplat.building.writing import WRITE
from mmplat.ids import seed_from
from mmplat.judges import said_by
from mmplat.records import Prompt
from mmplat.spurious import CORE, TYPES


class SaidRight(Said):
    right: list[Literal["A", "B", "C", "D"]]


def _settings(build: Build) -> Mapping[str, Any]:
    spec = build.spec
    asked = {"checker": said_by(spec.checks), **prompts.CHECK.said} if spec.check.ask else {}
    return {**asked, "check": spec.check.model_dump(), "names": spec.images.names, "seed": spec.seed}


def names_of(item: Item, spec: BuildSpec) -> list[str]:
    """All names of the right class and of the mistaken one."""
    return [*spec.names(item.about.image.label), *spec.names(item.about.image.predicted)]


def worded_badly(item: Item, spec: BuildSpec) -> list[str]:
    """What the words of an item show: also asked of what a reviewer writes."""
    return faults(item, names_of(item, spec), spec.check.overlap)


def _check(build: Build, advance: Advance) -> Outcome:
    spec = build.spec
    items = {one.item_id: one for one in read_lines(build.lines("write"), Item, made_by="mmplat spubench write")}
    reasons = {name: worded_badly(item, spec) for name, item in items.items()}
    fine = {name: items[name] for name, found in reasons.items() if not found} if spec.check.ask else {}
    shown = {name: _shuffled(item, spec.seed) for name, item in fine.items()}
    asked = {name: _prompt(build, item, shown[name]) for name, item in fine.items()}
    answers = ask(spec.checks, asked, SaidRight, build.results, lambda done, total: advance("check", done, total))
    for name, why in _objections(answers, shown).items():
        reasons[name].append(why)
    for name in _surplus({name: items[name] for name, found in reasons.items() if not found}, spec):
        reasons[name].append(f"balance: {spec.check.per_type} items of type {items[name].type!r} are enough")
    checked = [item.model_copy(update={"reasons": tuple(reasons[name])}) for name, item in sorted(items.items())]
    write_lines(build.lines("check"), checked)
    return answers.outcome(build.lines("check"), _counts(checked), spec.checks, prompts.CHECK)


def _shuffled(item: Item, seed: int) -> list[Option]:
    """Another order than the item's, so that the checker's liking for a letter is not the writer's."""
    order = np.random.default_rng(seed_from("check", seed, item.item_id)).permutation(len(item.options))
    return [item.options[n] for n in order]


def _prompt(build: Build, item: Item, shown: Sequence[Option]) -> Prompt:
    image = item.about.image
    label, options = build.spec.names(image.label)[0], prompts.lettered([option.text for option in shown])
    return prompts.CHECK.about(build.picture(image.image), label=label, question=item.question, options=options)


def _objections(answers: Answers[SaidRight], shown: Mapping[str, Sequence[Option]]) -> dict[str, str]:
    """What the checker has against an item; an item that it did not answer on is not let through."""
    found = {one["image_id"]: f"unchecked: the checker's reply cannot be read ({one['why']})" for one in answers.unread}
    found |= {
        one["image_id"]: f"unchecked: the checker could not be asked ({one['error']})" for one in answers.failures
    }
    for name, said in answers.found.items():
        why = _objection([shown[name][LETTERS.index(letter)] for letter in sorted(set(said.right))])
        found |= {name: why} if why else {}
    return found


def _objection(right: Sequence[Option]) -> str | None:
    told = ", ".join(repr(option.text) for option in right)
    if not right:
        return "no right answer: the checker finds none"
    if len(right) > 1:
        return f"several right answers: the checker finds {told}"
    return None if right[0].role == CORE else f"another right answer: the checker finds {told}"


def _surplus(passed: Mapping[str, Item], spec: BuildSpec) -> list[str]:
    """Items beyond what is wanted of their type, in an order that the seed draws."""
    order = sorted(passed, key=lambda name: seed_from("balance", spec.seed, name))
    taken: Counter[str] = Counter()
    found = []
    for name in order:
        taken[passed[name].type] += 1
        if spec.check.per_type is not None and taken[passed[name].type] > spec.check.per_type:
            found.append(name)
    return found


def _counts(checked: Sequence[Item]) -> dict[str, Any]:
    """How many passed, of which types, and why the others did not: an item counts under each of its reasons."""
    passed = [item for item in checked if not item.reasons]
    kinds = Counter(kind for item in checked for kind in {reason.split(":")[0] for reason in item.reasons})
    types = Counter(item.type for item in passed)
    return {
        "items": len(checked),
        "passed": len(passed),
        "rejected": dict(sorted(kinds.items())),
        "types": {name: types[name] for name in TYPES},
        "letters": dict(sorted(Counter(item.answer for item in passed).items())),
    }


CHECK = Stage("check", 1, _settings, _check, after=WRITE.name)
