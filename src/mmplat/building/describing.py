"""describe: core and spurious attributes of every mistaken image, each of one of the nine types, as the writer sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from mmplat.building import prompts
from mmplat.building._asking import Said, ask
from mmplat.building.items import Attribute, Described, Mistaken, read_lines, write_lines
from mmplat.building.selecting import SELECT
from mmplat.building.stages import Advance, Build, Outcome, Stage
from mmplat.building.taxonomy import SpuriousType
from mmplat.judges import said_by
from mmplat.records import Prompt

DISTRACTORS = 3


class SaidAttribute(Said):
    type: SpuriousType
    phrase: Annotated[str, Field(min_length=1, max_length=120)]


class SaidAttributes(Said):
    core: list[SaidAttribute] = Field(min_length=1, max_length=5)
    spurious: list[SaidAttribute] = Field(min_length=DISTRACTORS, max_length=9)

    @model_validator(mode="after")
    def _said_once(self) -> SaidAttributes:
        """A phrase that both makes the class and misleads says nothing of either."""
        phrases = [one.phrase.casefold() for one in (*self.core, *self.spurious)]
        if len(set(phrases)) < len(phrases):
            raise ValueError("a phrase is given twice")
        return self


def _settings(build: Build) -> Mapping[str, Any]:
    return {"writer": said_by(build.spec.writes), **prompts.DESCRIBE.said}


def _describe(build: Build, advance: Advance) -> Outcome:
    model = build.spec.writes
    images = {
        one.image_id: one for one in read_lines(build.lines("select"), Mistaken, made_by="mmplat spubench select")
    }
    asked = {name: _prompt(build, one) for name, one in images.items()}
    answers = ask(model, asked, SaidAttributes, build.results, lambda done, total: advance("describe", done, total))
    described = [_described(images[name], said) for name, said in sorted(answers.found.items())]
    write_lines(build.lines("describe"), described)
    counts = {"asked": len(asked), "described": len(described), "unread": len(answers.unread)}
    return answers.outcome(build.lines("describe"), counts, model, prompts.DESCRIBE)


def _prompt(build: Build, one: Mistaken) -> Prompt:
    label, predicted = (build.spec.names(name)[0] for name in (one.label, one.predicted))
    return prompts.DESCRIBE.about(build.picture(one.image), label=label, predicted=predicted)


def _described(image: Mistaken, said: SaidAttributes) -> Described:
    core, spurious = (
        tuple(Attribute(type=one.type, phrase=one.phrase) for one in group) for group in (said.core, said.spurious)
    )
    return Described(image=image, core=core, spurious=spurious)


DESCRIBE = Stage("describe", 1, _settings, _describe, after=SELECT.name)
