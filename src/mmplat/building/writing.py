"""write: one question per image, one option built on its strongest core attribute and three on its strongest spurious ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from mmplat.building import prompts
from mmplat.building._asking import Said, ask
from mmplat.building.describing import DESCRIBE, DISTRACTORS
from mmplat.building.items import Described, Item, Option, read_lines, write_lines
from mmplat.building.stages import Advance, Build, Outcome, Stage
from mmplat.ids import seed_from
from mmplat.judges import said_by
from mmplat.records import Prompt
from mmplat.spurious import CORE, SPURIOUS

Text = Annotated[str, Field(min_length=1, max_length=300)]


class SaidQuestion(Said):
    question: Text
    core: Text
    spurious: list[Text] = Field(min_length=DISTRACTORS, max_length=DISTRACTORS)


def _settings(build: Build) -> Mapping[str, Any]:
    return {"writer": said_by(build.spec.writes), "seed": build.spec.seed, **prompts.WRITE.said}


def _write(build: Build, advance: Advance) -> Outcome:
    model = build.spec.writes
    lines = read_lines(build.lines("describe"), Described, made_by="mmplat spubench describe")
    described = {one.image.image_id: one for one in lines}
    asked = {name: _prompt(build, one) for name, one in described.items()}
    answers = ask(model, asked, SaidQuestion, build.results, lambda done, total: advance("write", done, total))
    items = [_item(described[name], said, build.spec.seed) for name, said in sorted(answers.found.items())]
    write_lines(build.lines("write"), items)
    counts = {"asked": len(asked), "written": len(items), "unread": len(answers.unread)}
    return answers.outcome(build.lines("write"), counts, model, prompts.WRITE)


def _prompt(build: Build, one: Described) -> Prompt:
    """The words alone: the attributes say what is seen."""
    label, predicted = (build.spec.names(name)[0] for name in (one.image.label, one.image.predicted))
    misled: dict[str, str] = {}
    for number, attribute in enumerate(one.spurious[:DISTRACTORS], 1):
        misled |= {f"spurious_{number}": attribute.phrase, f"type_{number}": attribute.type}
    return prompts.WRITE.about(None, label=label, predicted=predicted, core=one.core[0].phrase, **misled)


def _item(about: Described, said: SaidQuestion, seed: int) -> Item:
    """The options in an order that the seed draws for this image alone."""
    core = Option(text=said.core, role=CORE, type=about.core[0].type)
    spurious = [
        Option(text=text, role=SPURIOUS, type=attribute.type)
        for text, attribute in zip(said.spurious, about.spurious, strict=False)
    ]
    options = [core, *spurious]
    order = np.random.default_rng(seed_from("options", seed, about.image.image_id)).permutation(len(options))
    return Item(about=about, question=said.question, options=tuple(options[n] for n in order))


WRITE = Stage("write", 1, _settings, _write, after=DESCRIBE.name)
