"""read: images with class labels, from a folder per class or a table. Equal images are one; two classes for one are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmplat.building.items import Picture, write_lines
from mmplat.building.settings import Images
from mmplat.building.stages import Advance, Build, Outcome, Stage
from mmplat.errors import ArtifactError, ConfigError
from mmplat.ids import file_id
from mmplat.image_files import open_rgb
from mmplat.sources import content_of

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
FILE, LABEL, SOURCE = "file", "class", "source"
TABLES = {".csv", ".parquet"}
Listed = tuple[str, str, str]
"""File (relative to the root), class, source."""


def opened(path: Path) -> Image:
    """An image as people see it: upright, in colours."""
    try:
        return open_rgb(path, upright=True)
    except FileNotFoundError:
        raise ArtifactError(
            f"{path} is gone since it was listed. `mmplat spubench read` lists what is there."
        ) from None


def root_of(images: Images) -> Path:
    """What the listed files are relative to."""
    place = Path(images.path)
    return Path(images.root) if images.root else place if place.is_dir() else place.parent


def listed(images: Images) -> list[Listed]:
    """Every image with its class, in a stable order."""
    place = Path(images.path)
    if not place.exists():
        raise ConfigError(
            f"images.path = {images.path!r} does not exist. Give {Images.model_fields['path'].description}."
        )
    found = list(_of_folder(place, images) if place.is_dir() else _of_table(place, images))
    if len({label for _, label, _ in found}) < 2:
        raise ConfigError(
            f"{place} holds {len(found)} images of {len({label for _, label, _ in found})} classes; a mistaken image needs "
            f"two classes at least. Give {Images.model_fields['path'].description}; images end in {', '.join(sorted(SUFFIXES))}."
        )
    _refuse_odd_names(images, sorted({label for _, label, _ in found}))
    return sorted(found)


def _of_folder(place: Path, images: Images) -> Iterator[Listed]:
    for path in place.rglob("*"):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        inside = path.relative_to(place).parts
        if len(inside) < 2:
            raise ConfigError(f"{path} lies in no class's folder. Move it into one, or give a table with its class.")
        yield path.relative_to(place).as_posix(), inside[0], images.source


def _of_table(place: Path, images: Images) -> Iterator[Listed]:
    rows = _rows(place)
    missing = [column for column in (FILE, LABEL) if rows and column not in rows[0]]
    if missing:
        raise ConfigError(
            f"{place} has no column {' or '.join(map(repr, missing))}; it has {', '.join(map(repr, rows[0]))}. Needed are "
            f"{FILE} and {LABEL}; {SOURCE} may be there."
        )
    for number, row in enumerate(rows, 1):
        if not row[FILE] or not row[LABEL]:
            raise ConfigError(
                f"{place}: row {number} has no {FILE if not row[FILE] else LABEL}. Complete or remove it."
            )
        yield row[FILE], row[LABEL], row.get(SOURCE) or images.source


def _rows(place: Path) -> list[dict[str, str]]:
    """All cells as text: a class called 7 or 007 keeps its name."""
    import polars as pl

    if place.suffix.lower() not in TABLES:
        raise ConfigError(
            f"{place} is no table that can be read: {', '.join(sorted(TABLES))}, or a folder of class folders."
        )
    try:
        if place.suffix.lower() == ".csv":
            return pl.read_csv(place, infer_schema=False, glob=False).to_dicts()
        return pl.read_parquet(place, glob=False).cast(pl.String).to_dicts()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError(f"{place} cannot be read ({error}). Is it UTF-8, and whole?") from error


def _refuse_odd_names(images: Images, labels: list[str]) -> None:
    unknown = sorted(set(images.names) - set(labels))
    if unknown:
        raise ConfigError(
            f"images.names names {len(unknown)} classes that no image has, such as {unknown[0]!r}. Classes: "
            f"{', '.join(labels[:10])}{' …' if len(labels) > 10 else ''}."
        )
    called = Counter(images.called(label)[0] for label in labels)
    twice = [name for name, count in called.items() if count > 1]
    if twice:
        raise ConfigError(
            f"Two classes are called {twice[0]!r}, so nothing tells them apart. Rename one in images.names."
        )


def _settings(build: Build) -> Mapping[str, Any]:
    """Files count by their content and by what they are called, not by where the folder lies."""
    rows, root = listed(build.spec.images), root_of(build.spec.images)
    _refuse_missing([root / file for file, _, _ in rows])
    return {"rows": rows, "files": content_of({file: root / file for file, _, _ in rows})}


def _refuse_missing(paths: list[Path]) -> None:
    absent = [path for path in paths if not path.is_file()]
    if absent:
        raise ConfigError(
            f"{len(absent)} of {len(paths)} images are missing; the first is {absent[0]}. Is images.root the right folder?"
        )


def _read(build: Build, advance: Advance) -> Outcome:
    rows, root = listed(build.spec.images), root_of(build.spec.images)
    found: dict[str, Picture] = {}
    for number, (file, label, source) in enumerate(rows, 1):
        picture = Picture(image_id=file_id(root / file), file=file, label=label, source=source)
        first = found.setdefault(picture.image_id, picture)
        if first.label != label:
            raise ConfigError(
                f"{root / file} is the same image as {first.file}, and one is {label!r}, the other {first.label!r}. Remove one."
            )
        advance("read", number, len(rows))
    pictures = sorted(found.values(), key=lambda one: one.image_id)
    write_lines(build.lines("read"), pictures)
    classes = Counter(one.label for one in pictures)
    counts = {
        "images": len(pictures),
        "duplicates": len(rows) - len(pictures),
        "classes": dict(sorted(classes.items())),
    }
    return Outcome(file_id(build.lines("read")), counts)


READ = Stage("read", 1, _settings, _read)
