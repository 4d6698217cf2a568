"""Pools that text conditions draw from: sentences that ship with mmplat, or a file of one's own, one sentence a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from mmplat.conditions.base import Value
from mmplat.errors import ConfigError
from mmplat.ids import content_id
from mmplat.world import texts

POOL, FILE = "pool", "file"
"""Parameters: the name of a pool, or the path of a file in its place."""


def packaged(name: str) -> tuple[str, ...]:
    """Sentences of a file that ships with mmplat."""
    return _lines(Path(__file__).parent / "data" / name)


POOLS: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "facts": lambda: packaged("facts.txt"),
    "forms": lambda: packaged("forms.txt"),
    "world": texts.unrelated,
}
"""`world` speaks the two hundred words that the tiny models know: all others are one unknown word to them."""


def pool_of(params: Mapping[str, Value]) -> tuple[str, ...]:
    """The sentences that are drawn from."""
    return own_lines(params[FILE]) if params[FILE] else POOLS[str(params[POOL])]()


def pool_source(params: Mapping[str, Value]) -> dict[str, Path | str]:
    """What is read, by content: a file, or the sentences themselves."""
    return {POOL: existing(params[FILE]) if params[FILE] else content_id(list(pool_of(params)))}


def existing(path: Value) -> Path:
    """A file that a condition is told to read."""
    found = Path(str(path))
    if not found.is_file():
        raise ConfigError(f"there is no file {found}")
    return found


def own_lines(path: Value) -> tuple[str, ...]:
    """The sentences of one's own file, read anew when it changed."""
    found = existing(path)
    state = found.stat()
    return _lines(found, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _lines(path: Path, *stamp: int) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    lines = [line.strip() for line in text.splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise ConfigError(f"{path} holds no sentence. Write one a line; lines that begin with # are comments.")
    return found
