"""Another picture in the image's place, or none: what a question that is answered from its text should not care about.

After "Modality Interference in MLLMs" (2505.19616). There the clean reference of such questions is a picture of random pixels,
and not the missing picture: a model that was only ever shown pictures may be thrown off by their absence.

Pictures come out of a pool, so that a suite of 14,000 questions stores 300 of them and a model's eye reads each once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from mmplat.conditions import _drawing
from mmplat.conditions._drawing import Picture, Size
from mmplat.conditions.base import SEED, Condition, Value, catalog, noted
from mmplat.errors import ConfigError
from mmplat.ids import seed_from
from mmplat.image_files import UnreadableImage, open_rgb
from mmplat.samples import RawSample
from mmplat.views.unrelated import SCENES, unrelated

SIZE, SAME, SIDE = "size", "same", 336
"""A side in pixels, or that of the sample's own picture; 336, the papers' size, where it has none."""
SMALLEST = 8
PICTURES = "pictures"
FOLDER = "folder"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

Paint = Callable[[Size, int], Picture]
"""(size, number within the pool) → a picture."""


def replaced(paint: Paint, sample: RawSample, params: Mapping[str, Value], rng: np.random.Generator) -> RawSample:
    """Every picture of the sample (one, if it has none) replaced by one of the pool."""
    folder, count = str(params.get(FOLDER, "")), max(1, len(sample.images))
    if folder:
        files = images_below(Path(folder))
        drawn = [files[int(number)] for number in rng.integers(len(files), size=count)]
        names = [path.relative_to(folder).as_posix() for path in drawn]
        return noted(replace(sample, images=tuple(map(_opened, drawn))), pictures=names)
    numbers = rng.integers(int(params.get(PICTURES, 1)), size=count).tolist()
    sizes = _sizes(sample, params[SIZE])
    painted = tuple(paint(size, number) for size, number in zip(sizes, numbers, strict=True))
    return noted(replace(sample, images=painted), pictures=numbers)


def without(sample: RawSample, params: Mapping[str, Value], rng: np.random.Generator) -> RawSample:
    return noted(replace(sample, images=()), pictures=[])


def images_below(folder: Path) -> Sequence[Path]:
    """The image files of a folder, in an order that holds on every machine."""
    found = _images_below(folder, folder.stat().st_mtime_ns if folder.is_dir() else 0)
    if not found:
        raise ConfigError(f"there is no image below {folder}. Allowed: {', '.join(SUFFIXES)}")
    return found


@lru_cache(maxsize=16)
def _images_below(folder: Path, *stamp: int) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _sources(params: Mapping[str, Value]) -> dict[str, Path | str]:
    folder = Path(str(params[FOLDER]))
    return {path.relative_to(folder).as_posix(): path for path in images_below(folder)} if params[FOLDER] else {}


def refuse(params: Mapping[str, Value]) -> str | None:
    count, size = params.get(PICTURES, 1), params[SIZE]
    if not (isinstance(count, int) and count > 0):
        return f"{PICTURES} = {count!r}. Allowed: a whole number from 1"
    if size != SAME and not (isinstance(size, int) and size >= SMALLEST):
        return f"{SIZE} = {size!r}. Allowed: a whole number from {SMALLEST}, or {SAME}"
    return None


def _sizes(sample: RawSample, size: Value) -> list[Size]:
    own = [picture.shape[:2] for picture in sample.images] or [(SIDE, SIDE)]
    return [(height, width) if size == SAME else (int(size), int(size)) for height, width in own]


def _opened(path: Path) -> Picture:
    try:
        return np.asarray(open_rgb(path))
    except (UnreadableImage, FileNotFoundError) as error:
        raise ConfigError(f"Image {path} cannot be read ({error}). Mend it, or take it out of the folder.") from error


def _noise(size: Size, number: int) -> Picture:
    return _drawing.noise(size, _generator(RANDOM, number))


def _screen(size: Size, number: int) -> Picture:
    return _drawing.screen(size, _generator(SCREENS, number))


def _scene(size: Size, number: int) -> Picture:
    return np.asarray(unrelated(_drawing.flat(size, _drawing.BLACK), {}, number), np.uint8)


def _generator(name: str, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed_from(name, number)))


def _pool(name: str, summary: str, paint: Paint, **defaults: Value) -> Condition:
    """A condition whose pictures are drawn from a pool; one with a folder takes them from there."""
    return Condition(
        name,
        summary,
        "image",
        partial(replaced, paint),
        defaults={**defaults, SIZE: SAME, SEED: 0},
        refuse=refuse,
        sources=_sources if FOLDER in defaults else None,
        places=(FOLDER,) if FOLDER in defaults else (),
        images=True,
    )


def _flat(name: str, value: int) -> Condition:
    summary = f"a picture that is {name} all over"
    paint = partial(replaced, lambda size, number: _drawing.flat(size, value))
    return Condition(name, summary, "image", paint, defaults={SIZE: SAME}, refuse=refuse, images=True)


RANDOM, SCREENS = "random-pixels", "screenshots"
for _condition in (
    _pool(RANDOM, "random pixels, the clean reference of questions that need no picture", _noise, pictures=300),
    _pool(
        "irrelevant-image",
        "a picture of something else: a scene drawn by mmplat, or one of a folder",
        _scene,
        pictures=SCENES,
        folder="",
    ),
    _pool(SCREENS, "the screen of an app: drawn by mmplat, or one of a folder", _screen, pictures=64, folder=""),
    _flat("black", _drawing.BLACK),
    _flat("white", _drawing.WHITE),
    Condition("no-image", "no picture at all: an extra row, no reference", "image", without, images=False),
):
    catalog.add(_condition.name, _condition)
