"""The grid file: what a scientist edits. YAML → validated grid, with every mistake named by line, value and what is allowed.

It knows names, not models: an axis entry is a name, or a mapping with a name and parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmplat.conditioning import ConditionEntry, bind_for
from mmplat.decoding.configs import checked, name_of, named_settings, parse_decoding, sets
from mmplat.documents import Document, read_text, validated
from mmplat.errors import ConfigError, DuplicateName
from mmplat.judges import JudgeEntry, JudgeSpec
from mmplat.judges import bind as bind_judge
from mmplat.methods import bind as bind_method
from mmplat.models import bind as bind_model
from mmplat.numbers import Number, Parameter, Whole
from mmplat.recipes import TrainingJob, trained_name
from mmplat.recipes import bind as bind_training
from mmplat.records import DecodingSpec, ModelSpec, Needs, SuiteSpec, ViewSpec
from mmplat.suites import bind as bind_suite
from mmplat.suites import catalog as suites
from mmplat.views import bind as bind_view

LONGEST = 16
"""Tokens of an answer that says a label."""
Seed = Annotated[Whole, Field(ge=0, le=2**31 - 1)]
"""What the store holds of a seed."""


class Entry(BaseModel):
    """Base of an axis entry that is more than a name."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelEntry(Entry):
    """A model: a known name, or any name with a path."""

    name: str
    trained: str | None = Field(None, description="fine-tuned first by this recipe: of config/recipes/, or a path")
    path: str | None = Field(None, description="local checkpoint folder, or a hub name")
    family: str | None = Field(None, description="read from config.json, or known from the hub name, otherwise")
    revision: str | None = Field(None, description="commit of a hub name")
    adapter: str | None = Field(None, description="LoRA or other PEFT adapter on top: local folder or hub name")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    attention: str | None = Field(None, description="attention implementation of transformers; default: its own choice")
    reference: bool = Field(False, description="for disputes: one prompt at a time, in float32")
    trust_remote_code: bool = Field(False, description="run code that the checkpoint brings")
    pickled_weights: bool = Field(False, description="allow weights that are no safetensors")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, …; in no key")
    device_map: str | None = Field(None, description="auto: a model larger than one GPU; in no key")
    needs: Needs = Field(Needs(), description="what its jobs need of a cluster; in no key")
    params: dict[str, Any] = Field(default_factory=dict)


class SuiteEntry(Entry):
    """A suite with parameters; `as` gives it another name on the leaderboard."""

    name: str
    as_: str = Field("", alias="as")
    limit: Whole | None = Field(None, ge=1)
    answers: Literal["labels", "text"] = Field(
        "labels",
        description="labels: their probabilities are read; text: the model writes, and what it wrote is parsed",
    )
    longest: Whole | None = Field(
        None, ge=1, description=f"tokens of a written answer at most; default: the suite's own, {LONGEST} for labels"
    )
    params: dict[str, Any] = Field(default_factory=dict)
    conditions: list[str | ConditionEntry] = Field(
        default=[], description="the suite is asked as it is, and once more under each of these"
    )
    judge: JudgeEntry | None = Field(None, description="who scores its written answers, where the suite needs that")


class DecodingEntry(Entry):
    """A decoding by its settings; the name follows from them unless it is given."""

    name: str | None = None
    greedy: bool = False
    temperature: Number = 1.0
    top_k: Whole | None = None
    top_p: Number | None = None


class MethodEntry(Entry):
    """A method with parameters."""

    name: str
    params: dict[str, Parameter] = Field(default_factory=dict)


class ViewEntry(Entry):
    """A view to ask beyond what the methods need."""

    name: str
    params: dict[str, Parameter] = Field(default_factory=dict)


class GridFile(BaseModel):
    """One campaign: the product of its axes, minus what cannot be (with reasons)."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    campaign: str = Field(
        description="name of the campaign; running it again under the same name continues it",
        min_length=1,
        max_length=200,  # it names a folder
    )
    models: list[str | ModelEntry] = Field(min_length=1)
    suites: list[str | SuiteEntry] = Field(min_length=1)
    decodings: list[str | DecodingEntry] = Field(default=["greedy"], min_length=1)
    methods: list[str | MethodEntry] = Field(default=["naive"], min_length=1)
    seeds: list[Seed] = Field(default=[0], min_length=1, description="seeds of random views")
    views: list[str | ViewEntry] = Field(default=[], description="views to ask beyond what the methods need")
    limit: Whole | None = Field(None, ge=1, description="first samples of every suite only: for testing")


@dataclass(frozen=True, slots=True)
class Grid:
    """A validated grid with every name resolved."""

    campaign: str
    models: tuple[ModelSpec, ...]
    suites: tuple[SuiteSpec, ...]
    decodings: tuple[DecodingSpec, ...]
    methods: tuple[MethodEntry, ...]
    seeds: tuple[int, ...]
    views: tuple[ViewSpec, ...]
    text: str
    source: str
    judges: Mapping[str, JudgeSpec] = field(default_factory=dict)
    """Who scores the written answers of a suite, by its name."""
    trainings: Mapping[str, TrainingJob] = field(default_factory=dict)
    """How its trained models come about, by their names."""

    @property
    def cells(self) -> int:
        axes: tuple[Sequence[Any], ...] = (self.models, self.suites, self.decodings, self.methods, self.seeds)
        product = 1
        for axis in axes:
            product *= len(axis)
        return product


def load_grid(path: Path) -> Grid:
    """Reads and resolves a grid file."""
    hint = "Give one with --grid; examples lie in config/grids/."
    return parse_grid(read_text(path, what="grid file", hint=hint), source=str(path))


def parse_grid(
    text: str,
    *,
    source: str = "grid",
    contents: Mapping[str, str] | None = None,
    trainings: Mapping[str, TrainingJob] | None = None,
) -> Grid:
    """The grid that `text` spells; errors name the line in `source`.

    `contents` is what lay in the files of its suites when it was planned, by the suite's name: they may be gone by now. So may
    the recipes of its `trainings`, by the model's name.
    """
    document = Document(text, source)
    return _resolve(validated(GridFile, document, what="a grid"), document, contents or {}, trainings or {})


def json_schema() -> dict[str, Any]:
    """For editors: config/grid.schema.json is made from it."""
    return GridFile.model_json_schema()


def _resolve(
    file: GridFile, document: Document, contents: Mapping[str, str], planned: Mapping[str, TrainingJob]
) -> Grid:
    """Every name of the file looked up; the first unknown one is an error with its line."""
    found = [_model(entry, planned, document.at("models", i)) for i, entry in enumerate(file.models)]
    suites_of = [_suites(e, file.limit, contents, document, i) for i, e in enumerate(file.suites)]
    grid = Grid(
        campaign=file.campaign,
        models=tuple(model for model, _ in found),
        suites=tuple(suite for some in suites_of for suite in some),
        decodings=_decodings(file.decodings, document),
        methods=tuple(_method(e, document.at("methods", i)) for i, e in enumerate(file.methods)),
        seeds=tuple(file.seeds),
        views=tuple(_view(e, document.at("views", i)) for i, e in enumerate(file.views)),
        text=document.text,
        source=document.source,
        trainings={model.name: job for model, job in found if job is not None},
    )
    grid = replace(grid, judges=_judges(file.suites, suites_of, document))
    _no_twins("models", [spec.name for spec in grid.models], document)
    entry_of = [i for i, some in enumerate(suites_of) for _ in some]
    _no_twins("suites", [spec.name for spec in grid.suites], document, entry_of)
    _no_twins("methods", [bind_method(m.name, m.params).spec.name for m in grid.methods], document)
    _no_twins("seeds", [str(seed) for seed in grid.seeds], document)
    return grid


def _model(
    entry: str | ModelEntry, planned: Mapping[str, TrainingJob], where: str
) -> tuple[ModelSpec, TrainingJob | None]:
    """A model, and how it comes about where it is trained first."""
    if isinstance(entry, str):
        return bind_model(entry, where=where), None
    base = bind_model(entry.name, entry.model_dump(exclude={"name", "trained"}, exclude_unset=True), where=where)
    if entry.trained is None:
        return base, None
    job = planned.get(trained_name(base, entry.trained)) or bind_training(base, entry.trained, where=where)
    return job.of(base), job


def _suites(
    entry: str | SuiteEntry, limit: int | None, contents: Mapping[str, str], document: Document, index: int
) -> list[SuiteSpec]:
    """A suite as it is, then under each of its conditions."""
    entry = SuiteEntry(name=entry) if isinstance(entry, str) else entry
    limits = [n for n in (entry.limit, limit) if n is not None]
    suite = bind_suite(
        entry.name,
        entry.params,
        name=entry.as_,
        limit=min(limits, default=None),
        written=_written(entry, document.at("suites", index)),
        contents=contents,
        where=document.at("suites", index),
    )
    prefix = f"{suite.name}@"
    known = {name.removeprefix(prefix): content for name, content in contents.items() if name.startswith(prefix)}
    places = [document.at("suites", index, "conditions", j) for j in range(len(entry.conditions))]
    found = [
        bind_for(suite, one, contents=known, where=place) for one, place in zip(entry.conditions, places, strict=True)
    ]
    return [suite, *(suite.under(condition) for condition in found)]


def _written(entry: SuiteEntry, where: str) -> int | None:
    """Tokens of an answer in words; None: labels are read, or the suite says itself how long an answer may be."""
    if suites.get(entry.name, where=where).open_ended:
        return entry.longest
    if entry.answers == "text":
        return entry.longest or LONGEST
    if entry.longest is not None:
        raise ConfigError(
            f"Suite {entry.name!r}{where} has longest = {entry.longest}, and its labels are read: nothing is written. "
            "Give it `answers: text` too, or no `longest`."
        )
    return None


def _judges(
    entries: Sequence[str | SuiteEntry], suites_of: Sequence[Sequence[SuiteSpec]], document: Document
) -> dict[str, JudgeSpec]:
    return {
        suite.name: bind_judge(entry.judge, suite, where=document.at("suites", i, "judge"))
        for i, (entry, some) in enumerate(zip(entries, suites_of, strict=True))
        for suite in some
        if isinstance(entry, SuiteEntry) and entry.judge is not None
    }


def _decodings(entries: Sequence[str | DecodingEntry], document: Document) -> tuple[DecodingSpec, ...]:
    """Every entry resolved, a set as its members. What a set holds may be named beside it: it is there once."""
    alone = {i: _decoding(e, document.at("decodings", i)) for i, e in enumerate(entries) if _set_of(e) is None}
    titles = [alone[i].name if i in alone else str(e) for i, e in enumerate(entries)]
    _no_twins("decodings", titles, document)
    found: dict[str, DecodingSpec] = {}
    for i, title in enumerate(titles):
        for spec in [alone[i]] if i in alone else map(parse_decoding, sets[title]):
            found.setdefault(spec.name, spec)
    return tuple(found.values())


def _set_of(entry: str | DecodingEntry) -> tuple[str, ...] | None:
    return sets.get(entry) if isinstance(entry, str) else None


def _decoding(entry: str | DecodingEntry, where: str) -> DecodingSpec:
    if isinstance(entry, str):
        return parse_decoding(entry, where=where)
    settings = entry.model_dump(exclude={"name"})
    spec = checked(DecodingSpec(name=entry.name or name_of(**settings), **settings), where=where)
    meant = named_settings(spec.name)
    if meant is not None and meant.settings != spec.settings:
        raise DuplicateName(
            f"Decoding {spec.name!r}{where} has other settings ({spec.settings}) than its name says ({meant.settings}). Leave the "
            "name out, and it follows from the settings, or choose one that spells none."
        )
    return spec


def _method(entry: str | MethodEntry, where: str) -> MethodEntry:
    found = entry if isinstance(entry, MethodEntry) else MethodEntry(name=entry)
    bind_method(found.name, found.params, where=where)
    return found


def _view(entry: str | ViewEntry, where: str) -> ViewSpec:
    if isinstance(entry, str):
        return bind_view(entry, where=where)
    return bind_view(entry.name, entry.params, where=where)


def _no_twins(axis: str, names: list[str], document: Document, entry_of: Sequence[int] | None = None) -> None:
    """`entry_of` says which entry each name is from, where an entry stands for several."""
    entries = entry_of or range(len(names))
    for index, name in enumerate(names):
        if name in names[:index]:
            first = entries[names.index(name)]
            raise DuplicateName(
                f"{name!r}{document.at(axis, entries[index])} stands on its axis twice (first as {axis}[{first}]). "
                "Remove one, or give it another name."
            )
