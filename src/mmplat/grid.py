"""The grid file: what a scientist edits. YAML → validated grid, with every mistake named by line, value and what is allowed.

It knows names, not models: an axis entry is a name, or a mapping with a name and parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmplat.decoding.configs import checked, name_of, parse_decoding, sets
from mmplat.errors import ConfigError, DuplicateName
from mmplat.judges import JudgeEntry, JudgeSpec
from mmplat.judges import bind as bind_judge
from mmplat.methods import bind as bind_method
from mmplat.models import bind as bind_model
from mmplat.records import DecodingSpec, ModelSpec, Needs, SuiteSpec, ViewSpec
from mmplat.suites import bind as bind_suite
from mmplat.views import bind as bind_view

Path_ = tuple[str | int, ...]


class Entry(BaseModel):
    """Base of an axis entry that is more than a name."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelEntry(Entry):
    """A model: a known name, or any name with a path."""

    name: str
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
    limit: int | None = Field(None, ge=1)
    answers: Literal["labels", "text"] = Field(
        "labels",
        description="labels: their probabilities are read; text: the model writes, and what it wrote is parsed",
    )
    longest: int = Field(16, ge=1, description="tokens of a written answer at most")
    params: dict[str, Any] = Field(default_factory=dict)
    judge: JudgeEntry | None = Field(None, description="who scores its written answers, where the suite needs that")


class DecodingEntry(Entry):
    """A decoding by its settings; the name follows from them unless it is given."""

    name: str | None = None
    greedy: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None


class MethodEntry(Entry):
    """A method with parameters."""

    name: str
    params: dict[str, float | int | str] = Field(default_factory=dict)


class ViewEntry(Entry):
    """A view to ask beyond what the methods need."""

    name: str
    params: dict[str, float | int | str] = Field(default_factory=dict)


class GridFile(BaseModel):
    """One campaign: the product of its axes, minus what cannot be (with reasons)."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    campaign: str = Field(
        description="name of the campaign; running it again under the same name continues it", min_length=1
    )
    models: list[str | ModelEntry] = Field(min_length=1)
    suites: list[str | SuiteEntry] = Field(min_length=1)
    decodings: list[str | DecodingEntry] = Field(default=["greedy"], min_length=1)
    methods: list[str | MethodEntry] = Field(default=["naive"], min_length=1)
    seeds: list[int] = Field(default=[0], min_length=1, description="seeds of random views")
    views: list[str | ViewEntry] = Field(default=[], description="views to ask beyond what the methods need")
    limit: int | None = Field(None, ge=1, description="first samples of every suite only: for testing")


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

    @property
    def cells(self) -> int:
        axes: tuple[Sequence[Any], ...] = (self.models, self.suites, self.decodings, self.methods, self.seeds)
        product = 1
        for axis in axes:
            product *= len(axis)
        return product


def load_grid(path: Path) -> Grid:
    """Reads and resolves a grid file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no grid file {path}. Give one with --grid; examples lie in config/grids/."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The grid file {path} cannot be read: {error}.") from error
    return parse_grid(text, source=str(path))


def parse_grid(text: str, *, source: str = "grid", contents: Mapping[str, str] | None = None) -> Grid:
    """The grid that `text` spells; errors name the line in `source`.

    `contents` is what lay in the files of its suites when it was planned, by the suite's name: they may be gone by now.
    """
    document = _Document(text, source)
    try:
        file = GridFile.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError(_explain(error, document)) from None
    return _resolve(file, document, contents or {})


def json_schema() -> dict[str, Any]:
    """For editors: config/grid.schema.json is made from it."""
    return GridFile.model_json_schema()


class _Document:
    """YAML data together with the line of every value."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source
        self._lines: dict[Path_, int] = {}
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self.data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{source}:{mark.line + 1}" if mark else source
            raise ConfigError(f"{place}: this is not valid YAML: {getattr(error, 'problem', error)}.") from None
        if not isinstance(self.data, dict):
            raise ConfigError(f"{source}: a grid is a mapping with the keys {', '.join(GridFile.model_fields)}.")
        self._mark(node, ())

    def line(self, path: Iterable[str | int]) -> int:
        """Line of the value at `path`, or of the nearest thing around it."""
        known = tuple(path)
        while known and known not in self._lines:
            known = known[:-1]
        return self._lines.get(known, 1)

    def at(self, *path: str | int) -> str:
        """` in config/grid.yaml:7 (methods[2])`, to be put behind a name."""
        spelled = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
        return f" in {self.source}:{self.line(path)} ({spelled})"

    def _mark(self, node: yaml.Node | None, path: Path_) -> None:
        if node is None:
            return
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*path, str(key.value))
                if here in self._lines:
                    raise DuplicateName(
                        f"{self.source}:{key.start_mark.line + 1}: key {key.value!r} is given twice "
                        f"(first in line {self._lines[here]}). Keep one."
                    )
                self._mark(value, here)
                self._lines[here] = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._mark(value, (*path, index))


def _explain(error: ValidationError, document: _Document) -> str:
    """One line per mistake: where, what, which values are allowed."""
    lines: dict[str, None] = {}
    for problem in error.errors():
        path = tuple(p for p in problem["loc"] if not isinstance(p, str) or p not in _UNION_TAGS)
        place = f"{document.source}:{document.line(path)}"
        if problem["type"] == "extra_forbidden":
            lines[f"{place}: {_unknown_key(path)}"] = None
        elif problem["type"] == "missing":
            lines[f"{place}: key {path[-1]!r} is missing."] = None
        elif not (problem["type"] == "string_type" and isinstance(problem["input"], dict)):
            spelled = ".".join(str(p) for p in path)
            lines[f"{place}: {spelled} = {problem['input']!r}: {problem['msg']}."] = None
    return "\n".join(lines)


_ENTRIES: dict[str, type[BaseModel]] = {
    "models": ModelEntry,
    "suites": SuiteEntry,
    "decodings": DecodingEntry,
    "methods": MethodEntry,
    "views": ViewEntry,
}
_NESTED: dict[str | int, type[BaseModel]] = {"judge": JudgeEntry, "needs": Needs}
"""Mappings within an entry."""
_UNION_TAGS = {"str", *(entry.__name__ for entry in _ENTRIES.values())}


def _unknown_key(path: Path_) -> str:
    model = _NESTED.get(path[-2]) or _ENTRIES.get(str(path[0])) if len(path) > 1 else None
    allowed = [field.alias or name for name, field in (model or GridFile).model_fields.items()]
    close = get_close_matches(str(path[-1]), allowed, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown key {path[-1]!r}.{hint} Allowed: {', '.join(allowed)}."


def _resolve(file: GridFile, document: _Document, contents: Mapping[str, str]) -> Grid:
    """Every name of the file looked up; the first unknown one is an error with its line."""
    grid = Grid(
        campaign=file.campaign,
        models=tuple(_model(e, document.at("models", i)) for i, e in enumerate(file.models)),
        suites=tuple(_suite(e, file.limit, contents, document.at("suites", i)) for i, e in enumerate(file.suites)),
        decodings=_decodings(file.decodings, document),
        methods=tuple(_method(e, document.at("methods", i)) for i, e in enumerate(file.methods)),
        seeds=tuple(file.seeds),
        views=tuple(_view(e, document.at("views", i)) for i, e in enumerate(file.views)),
        text=document.text,
        source=document.source,
    )
    grid = replace(grid, judges=_judges(file.suites, grid.suites, document))
    for axis in ("models", "suites"):
        _no_twins(axis, [spec.name for spec in getattr(grid, axis)], document)
    _no_twins("methods", [bind_method(m.name, m.params).spec.name for m in grid.methods], document)
    _no_twins("seeds", [str(seed) for seed in grid.seeds], document)
    return grid


def _model(entry: str | ModelEntry, where: str) -> ModelSpec:
    if isinstance(entry, str):
        return bind_model(entry, where=where)
    return bind_model(entry.name, entry.model_dump(exclude={"name"}, exclude_unset=True), where=where)


def _suite(entry: str | SuiteEntry, limit: int | None, contents: Mapping[str, str], where: str) -> SuiteSpec:
    entry = SuiteEntry(name=entry) if isinstance(entry, str) else entry
    limits = [n for n in (entry.limit, limit) if n is not None]
    written = entry.longest if entry.answers == "text" else None
    return bind_suite(
        entry.name,
        entry.params,
        name=entry.as_,
        limit=min(limits, default=None),
        written=written,
        contents=contents,
        where=where,
    )


def _judges(
    entries: Sequence[str | SuiteEntry], suites: Sequence[SuiteSpec], document: _Document
) -> dict[str, JudgeSpec]:
    return {
        suite.name: bind_judge(entry.judge, suite, where=document.at("suites", i, "judge"))
        for i, (entry, suite) in enumerate(zip(entries, suites, strict=True))
        if isinstance(entry, SuiteEntry) and entry.judge is not None
    }


def _decodings(entries: Sequence[str | DecodingEntry], document: _Document) -> tuple[DecodingSpec, ...]:
    """Every entry resolved, a set as its members. What a set holds may be named beside it: it is there once."""
    alone = {i: _decoding(e, document.at("decodings", i)) for i, e in enumerate(entries) if _set_of(e) is None}
    titles = [alone[i].name if i in alone else str(e) for i, e in enumerate(entries)]
    _no_twins("decodings", titles, document)
    found: dict[str, DecodingSpec] = {}
    for i, title in enumerate(titles):
        for spec in [alone[i]] if i in alone else map(parse_decoding, sets[title]):
            if found.setdefault(spec.name, spec) != spec:
                raise DuplicateName(
                    f"{spec.name!r}{document.at('decodings', i)} has other settings than the one of that name "
                    "in a set. Give it another name."
                )
    return tuple(found.values())


def _set_of(entry: str | DecodingEntry) -> tuple[str, ...] | None:
    return sets.get(entry) if isinstance(entry, str) else None


def _decoding(entry: str | DecodingEntry, where: str) -> DecodingSpec:
    if isinstance(entry, str):
        return parse_decoding(entry, where=where)
    settings = entry.model_dump(exclude={"name"})
    return checked(DecodingSpec(name=entry.name or name_of(**settings), **settings), where=where)


def _method(entry: str | MethodEntry, where: str) -> MethodEntry:
    found = entry if isinstance(entry, MethodEntry) else MethodEntry(name=entry)
    bind_method(found.name, found.params, where=where)
    return found


def _view(entry: str | ViewEntry, where: str) -> ViewSpec:
    if isinstance(entry, str):
        return bind_view(entry, where=where)
    return bind_view(entry.name, entry.params, where=where)


def _no_twins(axis: str, names: list[str], document: _Document) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise DuplicateName(
                f"{name!r}{document.at(axis, index)} stands on its axis twice (first as {axis}[{names.index(name)}]). "
                "Remove one, or give it another name."
            )
