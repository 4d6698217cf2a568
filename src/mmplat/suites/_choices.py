"""Multiple choice: how a question and its options are laid out, and the sample that comes of them.

Options are lettered from A in the order given, whatever a file calls them: a letter is one token of every tokenizer.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Literal, TypeVar

from mmplat.errors import ConfigError
from mmplat.ids import bytes_id
from mmplat.records import SuiteSpec
from mmplat.samples import LeftOut, RawSample
from mmplat.suites._files import DEFAULTS, PLACES, Question, Row, chosen
from mmplat.suites._loading import Asked, Loader
from mmplat.suites._official import first_letter, first_letter_to_d
from mmplat.suites._parsing import strict
from mmplat.suites.base import Suite, catalog

LETTER_ONLY = "Answer with the option's letter from the given choices directly."
SPLITS = ("train", "validation", "test")
NAMED_SPLITS = (*SPLITS, "val", "dev", "auxiliary_train")
MOST = len(string.ascii_uppercase)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Layout:
    """Templates of what a model reads: before the options, each of them, and after them."""

    head: str
    option: str
    tail: str

    def question(self, asked: str, options: Sequence[str]) -> str:
        lines = [self.option.format(letter, option) for letter, option in zip(letters(options), options, strict=True)]
        return "".join([self.head.format(asked), *lines, self.tail])


LAYOUTS = {
    "letter": Layout("{}\n", "{}. {}\n", LETTER_ONLY),  # LLaVA 1.5, lmms-eval
    "interference": Layout(
        "Question:\n{}\nOption:\n", "{}: {}\n", ""
    ),  # Modality Interference, its final newline included
}


def letters(options: Sized) -> tuple[str, ...]:
    return tuple(string.ascii_uppercase[: len(options)])


def asked(
    row: Row,
    spec: SuiteSpec,
    identity: str,
    stem: str,
    options: Sequence[str],
    gold: str,
    images: tuple[Path | bytes, ...] = (),
    *,
    context: Sequence[str] = (),
    **more: Any,
) -> Asked:
    """A question with options; `context` stands before it, and is no part of the bare question."""
    stem, options = stem.strip(), tuple(str(option).strip() for option in options)
    if not 2 <= len(options) <= MOST:
        raise ConfigError(f"{row.place}: a multiple choice has 2 to {MOST} options, not {list(options)!r:.80}.")
    if not stem or not all(options):
        return LeftOut(identity, "its question or one of its options is empty")
    layout = LAYOUTS[chosen(spec, "prompt", LAYOUTS)]
    question = layout.question("\n".join([*context, stem]), options)
    # Where an option or the context repeats the bare question, it has no place of its own.
    alone = stem if question.count(stem) == 1 else ""
    return Question(
        RawSample(identity, question, letters(options), gold, options=options, stem=alone, **more), images, row.place
    )


def letter_at(index: Any, place: str) -> str:
    """Answers that are counted from 0."""
    if type(index) is not int or not 0 <= index < MOST:
        raise ConfigError(f"{place}: the answer {index!r} is no number of an option, counted from 0.")
    return string.ascii_uppercase[index]


def by_turns(groups: Iterable[Iterable[Item]]) -> Iterator[Item]:
    """One of each group after the other, so that a limit sees all of them."""
    nothing = object()
    turns = chain.from_iterable(zip_longest(*groups, fillvalue=nothing))
    return (one for one in turns if one is not nothing)  # type: ignore[misc]


def one_file(path: Path, names: Sequence[str], what: str) -> Path:
    """`path` itself, or the first of `names` below it."""
    found = path if path.is_file() else next((path / name for name in names if (path / name).is_file()), None)
    if found is None:
        raise ConfigError(f"there is no {' and no '.join(names)} in {path}. `path` is {what}.")
    return found


def is_of_split(spec: SuiteSpec, table: Path) -> bool:
    """Tables of the hub are `test-00000-of-00001.parquet` or `test/0000.parquet`; what names no split is read whole."""
    of_name = next((split for split in NAMED_SPLITS if table.stem.startswith(split)), None)
    of_folder = table.parent.name if table.parent.name in NAMED_SPLITS else None
    said = of_name or of_folder
    return said is None or said == spec.params["split"] or not spec.params["split"]


def clustered_by_picture(loader: Loader) -> Callable[[SuiteSpec], Iterator[RawSample | LeftOut]]:
    """Samples of which those about equal pictures depend on each other, where the files do not say which are equal."""

    def samples(spec: SuiteSpec) -> Iterator[RawSample | LeftOut]:
        for sample in loader.samples(spec):
            if isinstance(sample, RawSample) and sample.images:
                picture = sample.images[0]
                sample = replace(sample, cluster=bytes_id(str(picture.shape).encode() + picture.tobytes()))
            yield sample

    return samples


def add(
    name: str,
    summary: str,
    loader: Loader,
    needs: Literal["image", "text", "both"],
    defaults: Mapping[str, Any],
    places: Sequence[str] = (),
    **more: Any,
) -> None:
    """Registers a multiple-choice suite; what differs between them is said, what they share stands here."""
    suite = Suite(
        **{"name": name, "summary": summary, "version": 1, "samples": loader.samples, **more},
        count=loader.count,
        defaults={"prompt": "letter", **defaults, **DEFAULTS},
        images=needs != "text",
        needs=needs,
        parse=strict,
        official={"interference": first_letter if needs == "image" else first_letter_to_d},
        sources=loader.sources,
        places=(*PLACES, *places),
    )
    catalog.add(name, suite)
