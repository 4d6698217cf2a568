"""POPE: is an object in the picture? Three sources of images × three ways of choosing the objects that are not there.

Files: JSON lines with the suffix .json, keys question_id, image, text, label; or the hub's tables (lmms-lab/POPE).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._files import DEFAULTS, PLACES, Question, Row, chosen, embedded, images_folder, json_rows
from mmplat.suites._loading import Loader
from mmplat.suites._official import pope, pope_substring
from mmplat.suites._parsing import strict
from mmplat.suites._prompts import PROMPTS, YES_NO, bare
from mmplat.suites.base import RawSample, Suite, catalog

SOURCES = ("coco", "aokvqa", "gqa")
SPLITS = ("random", "popular", "adversarial")
ALL = "all"
WHAT = "the folder with <source>_pope_<split>.json, or a folder of Parquet files"


def published(spec: SuiteSpec) -> Mapping[str, int]:
    """Every file of POPE's repository holds 500 images × 6 questions; LLaVA's own `random` file has 2910."""
    return {f"split={split},gold={gold}": 1500 for split in _splits(spec) for gold in YES_NO}


def _splits(spec: SuiteSpec) -> tuple[str, ...]:
    split = chosen(spec, "split", (*SPLITS, ALL))
    return SPLITS if split == ALL else (split,)


def _files(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    """The question file of each split, wherever below `path` releases put it."""
    source, splits = chosen(spec, "source", SOURCES), _splits(spec)
    if path.is_file() and len(splits) > 1:
        raise ConfigError(f"{path} is one file: say which `split` it is ({', '.join(SPLITS)}), or give {WHAT}.")
    return {split: path if path.is_file() else _file(path, source, split) for split in splits}


def _file(folder: Path, source: str, split: str) -> Path:
    name = f"{source}_pope_{split}.json"
    for place in (folder / name, folder / source / name, folder / f"{name}l"):
        if place.is_file():
            return place
    raise ConfigError(f"there is no {name} in {folder} or {folder / source}. `path` is {WHAT}.")


def _questions(spec: SuiteSpec, path: Path) -> Sequence[Question]:
    """Splits by turns, so that a limit sees all of them."""
    folder = images_folder(spec)
    by_split = [
        [_question(row, split, spec, row.text("image"), (folder / row.text("image"),)) for row in json_rows(file)]
        for split, file in _files(spec, path).items()
    ]
    return [one for one in chain.from_iterable(zip_longest(*by_split)) if one is not None]


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Question]:
    """The hub has COCO's questions alone, all splits in one table."""
    wanted = _splits(spec)
    for row in rows:
        split = row.text("category", "split")
        if split in wanted:
            yield _question(row, split, spec, row.text("image_source"), embedded(row.get("image")))


def _question(row: Row, split: str, spec: SuiteSpec, image: str, images: tuple[Path | bytes, ...]) -> Question:
    stem = bare(row.text("text", "question"))
    sample = RawSample(
        sample_id=f"{split}-{row.text('question_id')}",
        question=PROMPTS[chosen(spec, "prompt", PROMPTS)].format(stem),
        stem=stem,
        labels=YES_NO,
        gold=row.text("label", "answer").strip().lower(),
        cluster=image,
        groups={"split": split},
    )
    return Question(sample, images, row.place)


LOADER = Loader(
    what=WHAT,
    hub=lambda spec: _hub.rows(spec.params["hub"], None, "test", spec.params["revision"]),
    of_table=_of_table,
    files=_files,
    questions=_questions,
)
catalog.add(
    "pope",
    Suite(
        "pope",
        "is the object in the picture? yes/no; COCO, A-OKVQA or GQA images; splits random, popular, adversarial",
        1,
        LOADER.samples,
        LOADER.count,
        defaults={"source": "coco", "split": ALL, "prompt": "short", **DEFAULTS},
        subsets=(("split",),),
        positive="yes",
        parse=strict,
        official={"official": pope, "substring": pope_substring},
        sources=LOADER.sources,
        places=PLACES,
        published=published,
    ),
)
