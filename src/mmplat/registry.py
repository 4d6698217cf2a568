"""Catalogs of extensions: one file per extension, found by itself, plus entry points for code outside the repository.

A catalog imports its room only when it is first asked, and extension modules import nothing heavy at the top, so
listing and planning stay free of torch.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from mmplat.errors import ConfigError, DuplicateName, UnknownName
from mmplat.numbers import not_a_parameter

T = TypeVar("T")
V = TypeVar("V")
log = logging.getLogger(__name__)


def with_defaults(
    kind: str, name: str, defaults: Mapping[str, V], given: Mapping[str, V] | None, *, where: str = ""
) -> dict[str, V]:
    """Parameters of an extension: `given` over `defaults`; one that it does not have is an error that lists those it has.

    What can be no value of it (a truth value, NaN) is refused here; its range is the extension's own matter.
    """
    unknown = sorted(set(given or {}) - set(defaults))
    if unknown:
        raise ConfigError(
            f"{kind.capitalize()} {name!r}{where} has no parameter {', '.join(unknown)}. "
            f"Allowed: {', '.join(defaults) or 'none'}."
        )
    for param, value in (given or {}).items():
        wrong = _no_value(value, defaults[param])
        if wrong:
            raise ConfigError(f"{kind.capitalize()} {name!r}{where} has {param} = {value!r}: {wrong}.")
    return {**defaults, **(given or {})}


def _no_value(value: object, default: object) -> str | None:
    """Why `value` cannot stand where `default` does; None: it can. A word may stand for a number, as in `size: same`."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false is allowed"
    return not_a_parameter(value)


class Registry(Generic[T]):
    """Names to extensions of one kind. `package` is the room that is searched; None for a catalog filled by hand."""

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self._package = package
        self._items: dict[str, T] = {}
        self._loaded = package is None

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files an extension under `name`."""

        def file_it(item: T) -> T:
            self.add(name, item)
            return item

        return file_it

    def add(self, name: str, item: T) -> None:
        """File `item` under `name`; a second claim to a name is an error, never a silent replacement."""
        if name in self._items:
            raise DuplicateName(
                f"Two {self.kind}s are called {name!r}: {self._items[name]!r} and {item!r}. "
                "Rename one, or uninstall the package that brings the second."
            )
        self._items[name] = item

    def get(self, name: str, *, where: str = "") -> T:
        """The extension called `name`; `where` is told to the user when there is none."""
        self._load()
        try:
            return self._items[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._items, where=where) from None

    def __contains__(self, name: str) -> bool:
        self._load()
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._items))

    def items(self) -> list[tuple[str, T]]:
        self._load()
        return sorted(self._items.items())

    def _load(self) -> None:
        if self._loaded or self._package is None:
            return
        self._loaded = True
        room = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(room.__path__):
            if not module.name.startswith("_") and module.name != "base":
                importlib.import_module(f"{self._package}.{module.name}")
        for entry in entry_points(group=self._package):
            try:
                entry.load()
            except DuplicateName:
                raise
            except Exception as error:  # a broken package of somebody else must not stop what does not need it
                log.warning("The %s extension %s cannot be loaded and is left out: %r", self.kind, entry.value, error)
