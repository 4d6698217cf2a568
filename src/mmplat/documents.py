"""YAML files that people write: data together with the line of every value, so that each mistake is named by its place.

Numbers and truth values are read as YAML 1.2 reads them. The 1.1 rules of PyYAML make 1 of `on`, 8 of `010`, 90 of `1:30`, a
date of 2024-01-01, and text of `1e-06`. Here `on`, `yes`, `010` and `1:30` are text, which is refused where a number belongs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from mmplat.errors import ConfigError, DuplicateName
from mmplat.numbers import not_representable

Path_ = tuple[str | int, ...]
File = TypeVar("File", bound=BaseModel)


NUMBERS = {
    "int_type": "a whole number is needed, written like 50: without quotes, point or leading 0, and no yes, no, on or off",
    "float_type": "a number is needed, written like 0.7, 3 or 1e-6: without quotes, and no yes, no, on or off",
}
"""By pydantic's name of a mistake: what is allowed."""


def read_text(path: Path, *, what: str, hint: str) -> str:
    """The text of a file that a person named; `hint` says where there are some."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"There is no {what} {path}. {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The {what} {path} cannot be read: {error}.") from error


MOST_VALUES = 1_000_000
"""Of one file, aliases unfolded."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with other rules for what an unquoted word is."""


def _plain_words() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """By first character: (tag, which words). Null and merge keys stay as PyYAML has them."""
    tag = "tag:yaml.org,2002:"
    replaced = {f"{tag}{name}" for name in ("bool", "int", "float", "timestamp")}
    kept = {
        first: [one for one in rules if one[0] not in replaced]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for name, pattern, firsts in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("int", r"[-+]?(0|[1-9][0-9_]*)", "-+0123456789"),
        (
            "float",
            r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))([eE][-+]?[0-9]+)?",
            "-+.0123456789",
        ),
        ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ):
        for first in firsts:
            kept.setdefault(first, []).append((tag + name, re.compile(rf"(?:{pattern})\Z")))
    return kept


_Loader.yaml_implicit_resolvers = _plain_words()


class Document:
    """YAML data together with the line of every value."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source
        self._lines: dict[Path_, int] = {}
        self._values = 0
        try:
            node = yaml.compose(text, Loader=_Loader)
            self.data = yaml.load(text, Loader=_Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{source}:{mark.line + 1}" if mark else source
            raise ConfigError(f"{place}: this is not valid YAML: {getattr(error, 'problem', error)}.") from None
        except RecursionError:
            raise ConfigError(f"{source}: lists or mappings are nested too deeply to be read.") from None
        except ValueError as error:  # of a tag such as !!int in front of what is none, or a number of 5,000 digits
            raise ConfigError(f"{source}: a value cannot be read: {error}.") from None
        try:
            self._mark(node, ())
            self._refuse_odd_numbers(self.data, ())
        except RecursionError:
            raise ConfigError(f"{source}: an anchor (&) stands inside itself, so the file has no end.") from None

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
        self._values += 1
        if self._values > MOST_VALUES:  # aliases (*) of aliases: a few lines may stand for billions of values
            raise ConfigError(
                f"{self.source}: it holds more than {MOST_VALUES:,} values. Write fewer, or no aliases (*) of aliases."
            )
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

    def _refuse_odd_numbers(self, value: Any, path: Path_) -> None:
        """Infinity, NaN and whole numbers beyond 64 bits: no parameter means anything by them, and no table holds them."""
        if isinstance(value, (dict, list)):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                self._refuse_odd_numbers(inner, (*path, key))
            return
        refused = not_representable(value)
        if refused:
            raise ConfigError(f"{self._placed(path)} = {value!r:.40}: {refused}.")

    def _placed(self, path: Path_) -> str:
        return f"{self.source}:{self.line(path)}: {'.'.join(str(p) for p in path)}"


def validated(kind: type[File], document: Document, *, what: str) -> File:
    """The data as `kind`; every mistake on a line of its own: where, what, and what is allowed."""
    if not isinstance(document.data, dict):
        raise ConfigError(f"{document.source}: {what} is a mapping with the keys {', '.join(kind.model_fields)}.")
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError(_explain(error, kind, document)) from None


def _explain(error: ValidationError, kind: type[BaseModel], document: Document) -> str:
    tags = {"str", *(model.__name__ for model in _within(kind))}  # pydantic says which part of a union it tried
    lines: dict[str, None] = {}
    for problem in error.errors():
        path = tuple(p for p in problem["loc"] if p not in tags)
        place, spelled = f"{document.source}:{document.line(path)}", ".".join(str(p) for p in path)
        if problem["type"] == "extra_forbidden":
            lines[f"{place}: {_unknown_key(path, kind)}"] = None
        elif problem["type"] == "missing":
            lines[f"{place}: key {path[-1]!r} is missing."] = None
        elif problem["type"] == "value_error" and isinstance(problem["input"], dict):  # of several keys together
            whose = f"{spelled}: " if spelled else ""
            lines[f"{place}: {whose}{problem['msg'].removeprefix('Value error, ')}."] = None
        elif not (problem["type"] == "string_type" and isinstance(problem["input"], dict)):
            message = NUMBERS.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
            lines[f"{place}: {spelled} = {problem['input']!r}: {message}."] = None
    return "\n".join(lines)


def _unknown_key(path: Path_, kind: type[BaseModel]) -> str:
    allowed = [field.alias or name for name, field in _model_at(path[:-1], kind).model_fields.items()]
    close = get_close_matches(str(path[-1]), allowed, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown key {path[-1]!r}.{hint} Allowed: {', '.join(allowed)}."


def _model_at(path: Path_, kind: type[BaseModel]) -> type[BaseModel]:
    """The model of the mapping that lies at `path`."""
    for part in path:
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        if part in fields:
            kind = next(_models(fields[str(part)].annotation), kind)
    return kind


def _within(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and those of its fields."""
    yield kind
    for field in kind.model_fields.values():
        for model in _models(field.annotation):
            yield from _within(model)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
