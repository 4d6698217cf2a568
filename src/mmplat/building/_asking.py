"""Asking an endpoint one prompt per image and reading its replies strictly: what cannot be read is listed, not guessed at.

The endpoint keeps every reply as it comes (`replies/` of the results), so nothing is paid twice, in whatever order it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mmplat.artifacts import Results
from mmplat.building.prompts import Template
from mmplat.building.stages import Outcome
from mmplat.ids import file_id
from mmplat.models import Failure
from mmplat.models.endpoint.replies import Completion
from mmplat.models.endpoint.settings import settings_of
from mmplat.records import ModelSpec, Prompt

FENCED = re.compile(r"```(?:json)?\s*\n(.*)\n```", re.DOTALL)
"""Many models wrap JSON so, whatever they are told: one fence around the whole reply is the form, and words beside it are not."""


class Said(BaseModel):
    """Base of what a reply says: nothing more than what was asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, strict=True)


Found = TypeVar("Found", bound=Said)


class Unread(ValueError):
    """A reply that is not in the form that was asked for."""


def read(kind: type[Found], reply: str) -> Found:
    """The reply as `kind`."""
    fenced = FENCED.fullmatch(reply.strip())
    try:
        return kind.model_validate_json(fenced[1] if fenced else reply)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "reply"
        raise Unread(f"{place}: {first['msg']}") from None


@dataclass(slots=True)
class Answers(Generic[Found]):
    """What came of all prompts, by the id of their image."""

    identity: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)
    unread: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    completions: list[Completion] = field(default_factory=list)

    def outcome(self, lines: Path, counts: dict[str, Any], model: ModelSpec, template: Template) -> Outcome:
        """What a stage came to that wrote `lines` from these answers."""
        served = {"model": model.params["model"], "served": self.identity.get("served")}
        return Outcome(
            file_id(lines),
            counts,
            by={**served, **template.said} if self.identity else {},
            costs=self.costs(model),
            unread=_sorted(self.unread),
            failures=_sorted(self.failures),
        )

    def costs(self, model: ModelSpec) -> dict[str, Any]:
        """What these replies cost when they were asked for, in this run or an earlier one; equal prompts are asked once."""
        usages = [one.usage for one in self.completions if one.usage is not None]
        told, said = sum(u.prompt_tokens for u in usages), sum(u.completion_tokens for u in usages)
        settings = settings_of(model)
        price = {}
        if settings.price_in is not None and settings.price_out is not None:
            price = {"cost": round((told * settings.price_in + said * settings.price_out) / 1e6, 6)}
        return {
            "requests": len(self.completions),
            "prompt_tokens": told,
            "completion_tokens": said,
            "request_seconds": round(sum(one.seconds for one in self.completions), 3),
            **price,
        }


def ask(
    model: ModelSpec,
    prompts: Mapping[str, Prompt],
    kind: type[Found],
    results: Results,
    advance: Callable[[int, int], None],
) -> Answers[Found]:
    """Asks every prompt once. Nobody is contacted where there is none."""
    answers: Answers[Found] = Answers()
    if not prompts:
        return answers
    from mmplat.models.endpoint import load

    endpoint = load(model)
    answers.identity = dict(endpoint.identity)
    alike: dict[Prompt, list[str]] = {}
    for name, prompt in prompts.items():
        alike.setdefault(prompt, []).append(name)
    for number, (prompt, said) in enumerate(endpoint.complete(alike, results.replies), 1):
        if not isinstance(said, Failure):
            answers.completions.append(said)
        for name in alike[prompt]:
            _file(answers, name, kind, said)
        advance(number, len(alike))
    return answers


def _file(answers: Answers[Found], name: str, kind: type[Found], said: Completion | Failure) -> None:
    if isinstance(said, Failure):
        answers.failures.append({"image_id": name, "error": said.error})
        return
    try:
        answers.found[name] = read(kind, said.text)
    except Unread as error:
        answers.unread.append({"image_id": name, "why": str(error), "reply": said.text})


def _sorted(told: list[dict[str, str]]) -> list[dict[str, str]]:
    """Replies come in any order."""
    return sorted(told, key=lambda one: one["image_id"])
