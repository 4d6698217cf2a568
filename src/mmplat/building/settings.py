"""The file that describes a build: images with classes, who pre-selects, who writes, and what is checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from mmplat.documents import Document, read_text, validated
from mmplat.errors import ConfigError
from mmplat.judges import bind_writer
from mmplat.models.identity import checkpoint_folder
from mmplat.numbers import Number, Whole
from mmplat.records import ModelSpec, Record


class Images(Record):
    """Where the images are, and what their classes are called."""

    path: str = Field(
        description="a folder with a folder per class, or a table (.csv, .parquet) with columns file, class"
    )
    root: str = Field("", description="what the files of a table are relative to; default: the table's own folder")
    names: dict[str, list[str]] = Field(
        default={},
        description="other names of classes: the first is put into prompts, all of them would give an answer away",
    )
    source: str = Field(
        "", description="the data set they are from, for the data card; a table may have a column `source`"
    )
    licence: str = Field("", description="for the data card")

    def called(self, label: str) -> list[str]:
        """Names of a class, the one for prompts first."""
        return self.names.get(label) or [label.replace("_", " ")]


class Selection(Record):
    """The zero-shot model whose mistakes are kept."""

    model: str = Field(description="CLIP or a relative of it: a local folder, or a hub name with a `revision`")
    revision: str = Field("", description="commit of a hub name, 40 hex digits")
    prompts: list[str] = Field(
        ["a photo of a {}."], min_length=1, description="{} is the class; embeddings are averaged"
    )
    limit: Whole | None = Field(None, ge=1, description="keep at most so many mistaken images, drawn by the seed")
    per_class: Whole | None = Field(None, ge=1, description="at most so many of one class")
    longest_side: Whole = Field(
        1024, ge=16, description="larger images are scaled down to it before anybody is shown them"
    )
    batch_size: Whole = Field(32, ge=1, description="in no key")
    device: str = Field("auto", description="auto, cpu, cuda, …; in no key")

    @field_validator("prompts")
    @classmethod
    def _have_a_place(cls, prompts: list[str]) -> list[str]:
        for prompt in prompts:
            if prompt.count("{}") != 1:
                raise ValueError(f"{prompt!r} needs one {{}} for the class")
        return prompts


class Writer(Record):
    """An OpenAI-compatible endpoint."""

    params: dict[str, Any] = Field(description="of the endpoint: url, model, key_env, max_cost, … (docs/endpoints.md)")


class Checks(Record):
    """What the automatic checks refuse."""

    overlap: Number = Field(
        0.6, gt=0, le=1, description="two options that share this part of their words are one option"
    )
    per_type: Whole | None = Field(
        None, ge=1, description="at most so many items of one type; default: no balance is forced"
    )
    ask: bool = Field(True, description="let the checker look for several right answers; false: text is compared alone")


class Release(Record):
    """What is released."""

    unreviewed: bool = Field(
        False, description="release what passed the checks although nobody reviewed it; the card says so"
    )


class BuildSpec(Record):
    """One benchmark from one's own images and classes."""

    build: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$",
        description="name of the build, and of its folder below spubench/ of the results",
    )
    seed: Whole = Field(0, description="of the order of options, and of what a limit keeps")
    images: Images
    select: Selection
    writer: Writer
    checker: Writer | None = Field(None, description="who looks for several right answers; default: the writer")
    check: Checks = Checks()
    release: Release = Release()

    @property
    def writes(self) -> ModelSpec:
        return bind_writer("writer", self.writer.params, prompted_by="prompt")

    @property
    def checks(self) -> ModelSpec:
        return (
            self.writes if self.checker is None else bind_writer("checker", self.checker.params, prompted_by="prompt")
        )

    def names(self, label: str) -> list[str]:
        """What a class is called, the name for prompts first."""
        return self.images.called(label)


def load_build(path: Path) -> BuildSpec:
    """The build that a file describes; every mistake is told with its line, before anything is read or asked."""
    return parse_build(read_text(path, what="build", hint="An example is config/spubench/example.yaml."), str(path))


def parse_build(text: str, source: str = "build") -> BuildSpec:
    document = Document(text, source)
    spec = validated(BuildSpec, document, what="a build")
    bind_writer("writer", spec.writer.params, prompted_by="prompt", where=document.at("writer"))
    if spec.checker is not None:
        bind_writer("checker", spec.checker.params, prompted_by="prompt", where=document.at("checker"))
    _refuse_unpinned(spec.select, document)
    _refuse_nameless(spec.images.names, document)
    return spec


def _refuse_unpinned(select: Selection, document: Document) -> None:
    """A name alone would be another encoder after the next upload, and a wrong folder would be looked up on a hub."""
    if checkpoint_folder(select.model) is not None:
        return
    where = document.at("select", "model")
    if select.model.startswith((".", "~", "/")) or select.model.count("/") != 1:
        raise ConfigError(
            f"There is no checkpoint folder {select.model!r}{where}. Give a local folder, or a hub name with a `revision`."
        )
    if not re.fullmatch(r"[0-9a-f]{40}", select.revision):
        raise ConfigError(
            f"{select.model!r}{where} needs a `revision` of 40 hex digits, not {select.revision!r}: a branch moves. Pin it to a "
            f"commit that https://huggingface.co/{select.model}/commits/main lists."
        )


def _refuse_nameless(names: dict[str, list[str]], document: Document) -> None:
    for label, found in names.items():
        if not [name for name in found if name.strip()]:
            raise ConfigError(
                f"Class {label!r}{document.at('images', 'names', label)} has no name. Give one, or remove it."
            )
