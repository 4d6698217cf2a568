"""MM-SpuBench's files: a folder of images and annotation.json, joined by the images' names and never by their order.

What cannot be asked is collected with its reason: one error says how many and names the first, or, with `malformed: leave-out`,
suite.json lists them all. What only its authors' file could tell (which keys beside question, choices and answer it has) is probed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.samples import LeftOut
from mmplat.spurious import CORE, ROLES, TYPES, type_named
from mmplat.suites._files import LEAVE_OUT, REFUSE, Row, chosen, embedded, json_rows

LETTERS = ("A", "B", "C", "D")
ANNOTATIONS = "annotation.json"
IMAGE_FOLDERS = ("data/images", "images", "data", ".")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
PATTERNS = (ANNOTATIONS, "data/*", "images/*")
"""What is read of the hub's repository."""

IMAGE_KEYS = ("image", "image_id", "file_name", "id")
ID_KEYS = ("id", "image_id", "image", "file_name")
TYPE_KEYS = ("type", "category", "spurious_type")
CHOICE_KEYS, CLASS_KEYS, SOURCE_KEYS = ("choices", "options"), ("class", "class_name"), ("source", "source_dataset")
ATTRIBUTES = ("core_attributes", "spurious_attributes")

_LETTERED = re.compile(r"\s*\(?([A-D])[).:]\s+")
_ANSWER = re.compile(r"\s*\(?([A-D])(?:[).:].*)?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """One annotated image."""

    identity: str
    stem: str
    """Name of its image, without folder and suffix."""
    picture: Path | bytes
    place: str
    question: str
    options: tuple[str, ...]
    """Without letters."""
    lines: tuple[str, ...]
    """With letters, as they are shown."""
    answer: int
    kind: str
    """One of the nine types."""
    groups: Mapping[str, str]
    attributes: Mapping[str, tuple[str, ...]]
    """core_attributes and spurious_attributes, where the annotations have them."""
    roles: tuple[str, ...]
    """Of the options; empty where the annotations do not say."""
    klass: str | None


Read = Item | LeftOut


class Odd(Exception):
    """Why one row cannot be asked; the others can."""


@dataclass(frozen=True, slots=True)
class Unread:
    """An annotation that cannot be asked."""

    left_out: LeftOut
    place: str


def annotation_file(path: Path) -> Path:
    """The annotation file below `path`, or `path` itself."""
    file = path / ANNOTATIONS if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"there is no {file}. `path` is the folder that holds {ANNOTATIONS}, or the file itself.")
    return file


def of_folder(spec: SuiteSpec, path: Path) -> list[Read]:
    """Every annotation with its image, and what has no partner."""
    file = annotation_file(path)
    folder = _image_folder(spec, file.parent)
    pictures, rows = _pictures(folder), json_rows(file)
    named = [(row, _stem(row.get(*IMAGE_KEYS))) for row in rows]
    found = _checked([_read(row, stem, pictures.get(stem, folder / f"{stem}.jpg")) for row, stem in named], rows, spec)
    asked = {stem for _, stem in named}
    unasked = [LeftOut(stem, "no question asks about this image") for stem in pictures if stem not in asked]
    return [*found, *unasked]


def of_table(rows: Iterable[Row], spec: SuiteSpec) -> list[Read]:
    """The same from a table whose rows hold image and annotation."""
    rows = list(rows)
    return _checked([_read(row, _stem(row.get(*ID_KEYS)), _embedded(row)) for row in rows], rows, spec)


def _embedded(row: Row) -> bytes:
    found = embedded(row.get("image"))
    if not found:
        raise ConfigError(f"{row.place}: its image is {row.data['image']!r:.60}, and not the bytes of one.")
    return found[0]


def _image_folder(spec: SuiteSpec, root: Path) -> Path:
    if spec.params["images"]:
        folder = Path(spec.params["images"])
        if not folder.is_dir():
            raise ConfigError(f"images = {str(folder)!r} is no folder. Give the folder that holds the images.")
        return folder
    return next(folder for name in IMAGE_FOLDERS if (folder := root / name).is_dir())


def _pictures(folder: Path) -> dict[str, Path]:
    """Images by the name that annotations call them; two files of one name would be a guess."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in SUFFIXES:
            other = found.setdefault(_stem(file.name), file)
            if other != file:
                raise ConfigError(
                    f"{other} and {file} are both called {_stem(file.name)!r}. Keep the one that belongs here."
                )
    return found


def _stem(name: Any) -> str:
    """`17`, `"000017"`, `"data/images/000017.png"` and a table's image cell all name the image 000017."""
    name = str(name["path"] if isinstance(name, dict) else name)
    file = Path(name)
    bare = file.stem if file.suffix.lower() in SUFFIXES else file.name
    return bare.zfill(6) if bare.isdecimal() else bare


def _checked(found: Sequence[Item | Unread], rows: Sequence[Row], spec: SuiteSpec) -> list[Read]:
    """Rows that cannot be asked are refused together, or left out one by one."""
    _refuse_no_types(rows)
    odd = [one for one in found if not isinstance(one, Item)]
    if odd and chosen(spec, "malformed", (REFUSE, LEAVE_OUT)) == REFUSE:
        first = odd[0].left_out
        raise ConfigError(
            f"{len(odd)} of {len(rows)} annotations cannot be asked. The first is {first.sample_id!r} in {odd[0].place}: "
            f"{first.reason}. Mend the file, or go on without them: `malformed: {LEAVE_OUT}` lists them in suite.json."
        )
    return [one if isinstance(one, Item) else one.left_out for one in found]


def _refuse_no_types(rows: Sequence[Row]) -> None:
    keys = list(dict.fromkeys(key for row in rows for key in row.data))
    if rows and not set(TYPE_KEYS) & set(keys):
        raise ConfigError(
            f"{rows[0].place}: no annotation has the type of its spurious cue ({', '.join(TYPE_KEYS)}). The keys found are "
            f"{', '.join(keys)}."
        )


def _read(row: Row, stem: str, picture: Path | bytes) -> Item | Unread:
    """One annotation, or why it cannot be asked."""
    identity = _stem(row.get(*ID_KEYS))
    try:
        options, lines = lettered(_texts(row, *CHOICE_KEYS))
        answer = _answer(row, options)
        source = _first(row, *SOURCE_KEYS)
        kind = _kind(row)
        return Item(
            identity=identity,
            stem=stem,
            picture=picture,
            place=row.place,
            question=str(_needed(row, "question")).strip(),
            options=options,
            lines=lines,
            answer=answer,
            kind=kind,
            groups={"type": kind} if source is None else {"type": kind, "source": str(source)},
            attributes={name: _phrases(row, name) for name in ATTRIBUTES if row.data.get(name)},
            roles=_roles(row, answer),
            klass=_class(row),
        )
    except Odd as odd:
        return Unread(LeftOut(identity, str(odd)), row.place)


def lettered(options: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(options without letters, lines with letters). Where all four bring their letters, they are shown as they are."""
    if len(options) != len(LETTERS):
        raise Odd(f"it has {len(options)} options, not {len(LETTERS)}")
    found = [_LETTERED.match(option) for option in options]
    if not all(found):
        bare = tuple(option.strip() for option in options)
        return _different(bare), tuple(f"{letter}. {option}" for letter, option in zip(LETTERS, bare, strict=True))
    letters = "".join(match[1] for match in found if match)
    if letters != "".join(LETTERS):
        raise Odd(f"its options are lettered {letters}")
    bare = tuple(option[match.end() :].strip() for option, match in zip(options, found, strict=True) if match)
    return _different(bare), tuple(option.strip() for option in options)


def _different(options: tuple[str, ...]) -> tuple[str, ...]:
    if len({option.casefold() for option in options}) < len(options):
        raise Odd("two of its options are the same")
    return options


def _answer(row: Row, options: Sequence[str]) -> int:
    """A letter, alone or with its option behind it; or an option word for word."""
    said = str(_needed(row, "answer"))
    letter = _ANSWER.fullmatch(said)
    if letter:
        return LETTERS.index(letter[1])
    if said.strip() in options:
        return options.index(said.strip())
    raise Odd(f"its answer {said!r:.60} is neither a letter from A to D nor one of its options")


def _kind(row: Row) -> str:
    said = str(_needed(row, *TYPE_KEYS))
    kind = type_named(said)
    if kind is None:
        raise Odd(f"its type {said!r} is none of {', '.join(TYPES)}, nor an abbreviation of one (docs/spurious.md)")
    return kind


def _roles(row: Row, answer: int) -> tuple[str, ...]:
    """What the options speak for; the right one speaks for the core."""
    roles = tuple(row.data.get("roles") or ())
    if roles and (len(roles) != len(LETTERS) or not set(roles) <= set(ROLES)):
        raise Odd(f"its roles are {list(roles)}, and not one of {', '.join(ROLES)} for each option")
    if roles and roles[answer] != CORE:
        raise Odd(f"its right option has the role {roles[answer]!r}, not {CORE!r}")
    return roles


def _class(row: Row) -> str | None:
    klass = _first(row, *CLASS_KEYS)
    return None if klass is None else str(klass)


def _phrases(row: Row, name: str) -> tuple[str, ...]:
    """Each phrase once, in its order; one phrase may stand without a list."""
    value = row.data[name]
    return tuple(dict.fromkeys(phrase.strip() for phrase in ([value] if isinstance(value, str) else _texts(row, name))))


def _texts(row: Row, *keys: str) -> list[str]:
    value = _needed(row, *keys)
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise Odd(f"its {' or '.join(keys)} are {value!r:.60}, and no list of texts")
    return value


def _needed(row: Row, *keys: str) -> Any:
    found = _first(row, *keys)
    if found is None:
        raise Odd(f"it has no {' or '.join(map(repr, keys))}; it has {', '.join(map(repr, row.data))}")
    return found


def _first(row: Row, *keys: str) -> Any:
    return next((row.data[key] for key in keys if row.data.get(key) is not None), None)
