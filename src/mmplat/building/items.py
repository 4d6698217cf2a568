"""What the stages of a build hand to each other: one record per line of a JSON-lines file, named by the content of its image."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError, model_validator

from mmplat.artifacts import write_bytes
from mmplat.building.taxonomy import Role, SpuriousType
from mmplat.errors import ArtifactError
from mmplat.ids import canonical_json, content_id
from mmplat.records import Record
from mmplat.spurious import CORE

LETTERS = "ABCD"
Line = TypeVar("Line", bound=Record)


class Picture(Record):
    """An image with its class, as it was given."""

    image_id: str
    file: str
    """Relative to the folder of the images."""
    label: str
    """The class, as the folder or the table calls it."""
    source: str = ""


class Mistaken(Record):
    """An image that the zero-shot model takes for another class."""

    image_id: str
    image: str
    """File below `images/` of the build, scaled down: what models and reviewers are shown, and what is released."""
    label: str
    predicted: str
    similarity: float
    """Of the image with the class that was predicted; cosine."""
    similarity_label: float
    source: str = ""


class Attribute(Record):
    """Something that is seen in an image."""

    type: SpuriousType
    phrase: str


class Described(Record):
    """A mistaken image with what makes it its class, and what explains the mistake, from the strongest."""

    image: Mistaken
    core: tuple[Attribute, ...]
    spurious: tuple[Attribute, ...]


class Option(Record):
    """One answer of a question, and what it is built on."""

    text: str
    role: Role
    type: SpuriousType


class Item(Record):
    """One question about one image, with its options in the order in which they are shown."""

    about: Described
    question: str
    options: tuple[Option, ...] = Field(min_length=4, max_length=4)
    reasons: tuple[str, ...] = ()
    """Why the automatic checks reject it; empty: they found nothing."""

    @model_validator(mode="after")
    def _one_is_right(self) -> Item:
        if sum(option.role == CORE for option in self.options) != 1:
            raise ValueError("one option is built on a core attribute, the others are not")
        return self

    @property
    def item_id(self) -> str:
        return self.about.image.image_id

    @property
    def answer(self) -> str:
        """The letter of the core option."""
        return next(letter for letter, option in zip(LETTERS, self.options, strict=True) if option.role == CORE)

    @property
    def type(self) -> str:
        """The type of the strongest spurious attribute: the group that the item counts in."""
        return self.about.spurious[0].type

    @property
    def key(self) -> str:
        """What a reviewer decides on: other words are another decision."""
        return content_id([self.item_id, self.question, [option.model_dump() for option in self.options]])


def write_lines(path: Path, lines: Iterable[Record]) -> None:
    text = "".join(f"{canonical_json(line.model_dump(mode='json'))}\n" for line in lines)
    write_bytes(path, text.encode())


def lines_in(text: str) -> list[str]:
    """Lines of a JSON-lines file: other signs that Python takes for the end of a line may stand in a text."""
    return text.removesuffix("\n").split("\n") if text else []


def read_lines(path: Path, kind: type[Line], *, made_by: str) -> list[Line]:
    """The records of a file of ours; `made_by` is the command that makes it."""
    try:
        return [kind.model_validate(json.loads(line)) for line in lines_in(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. `{made_by}` makes it.") from None
    except (ValidationError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}). Delete it and run `{made_by}` again.") from error
