"""ScienceQA: school science with two to five options; by default the questions that have an image, as ScienceQA-IMG.

Layouts: problems.json, pid_splits.json and the images of the release, or the hub's table (derek-thomas/ScienceQA). Questions
about equal pictures depend on each other; the files do not say which are, so pictures are compared when it is prepared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._choices import SPLITS, add, asked, clustered_by_picture, is_of_split, letter_at
from mmplat.suites._files import Row, chosen, embedded, images_folder, json_object, row_of
from mmplat.suites._loading import Asked, Loader

SIZES = {
    "images": {"train": 6218, "validation": 2097, "test": 2017},
    "all": {"train": 12726, "validation": 4241, "test": 4241},
}
VAL = {"validation": "val"}
"""The release and the hub call one split by different names."""
CONTEXTS = {"none": (), "hint": ("hint",), "lecture": ("lecture",), "hint-lecture": ("hint", "lecture")}
TITLES = {"hint": "Context: {}", "lecture": "Lecture: {}"}
YOUNG = {f"grade{number}" for number in range(1, 7)}
WHAT = "the folder with problems.json and pid_splits.json, or a folder of Parquet files"


def published(spec: SuiteSpec) -> Mapping[str, int]:
    return {"": SIZES[spec.params["subset"]][spec.params["split"]]}


def _files(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    files = {name: path / name for name in ("problems.json", "pid_splits.json")}
    for file in files.values():
        if not file.is_file():
            raise ConfigError(f"there is no {file}. `path` is {WHAT}.")
    return files


def _questions(spec: SuiteSpec, path: Path) -> Sequence[Asked]:
    files, split = _files(spec, path), chosen(spec, "split", SPLITS)
    problems = json_object(files["problems.json"])
    folder = images_folder(spec, path / "images")
    return [
        _question(row, identity, (_image(folder, split, identity, row),) if row.data.get("image") else (), spec)
        for identity in json_object(files["pid_splits.json"]).get(VAL.get(split, split))
        if _is_asked(row := _problem(problems, identity), spec)
    ]


def _problem(problems: Row, identity: str) -> Row:
    if identity not in problems.data:
        raise ConfigError(f"{problems.place}: there is no problem {identity!r}, which pid_splits.json names.")
    return row_of(problems.data[identity], f"{problems.place}, problem {identity}")


def _is_asked(row: Row, spec: SuiteSpec) -> bool:
    return chosen(spec, "subset", SIZES) == "all" or bool(row.data.get("image"))


def _image(folder: Path, split: str, identity: str, row: Row) -> Path:
    """The release sorts images by split."""
    inner = Path(identity) / row.text("image")
    return next(
        (p for p in (folder / VAL.get(split, split) / inner, folder / split / inner) if p.exists()), folder / inner
    )


def _hub_rows(spec: SuiteSpec) -> Iterator[Row]:
    return _hub.rows(spec.params["hub"], None, chosen(spec, "split", SPLITS), spec.params["revision"])


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
    """The table has no ids: a question is named by its place in it."""
    for number, row in enumerate(rows, 1):
        if _is_asked(row, spec):
            yield _question(row, f"{spec.params['split']}-{number}", embedded(row.data.get("image")), spec)


def _question(row: Row, identity: str, images: tuple[Path | bytes, ...], spec: SuiteSpec) -> Asked:
    shown = CONTEXTS[chosen(spec, "context", CONTEXTS)]
    groups = {
        "subject": row.text("subject"),
        "topic": row.text("topic"),
        "grades": "1-6" if row.text("grade") in YOUNG else "7-12",
        "hint": "with" if row.data.get("hint") else "without",
    }
    return asked(
        row,
        spec,
        identity,
        row.text("question"),
        row.get("choices"),
        letter_at(row.get("answer"), row.place),
        images,
        context=[TITLES[part].format(row.text(part).strip()) for part in shown if row.data.get(part)],
        groups=groups,
    )


LOADER = Loader(what=WHAT, hub=_hub_rows, of_table=_of_table, files=_files, questions=_questions, is_read=is_of_split)
add(
    "scienceqa",
    "school science with two to five options, by default the questions with an image",
    LOADER,
    "both",
    {"split": "test", "subset": "images", "context": "hint"},
    samples=clustered_by_picture(LOADER),
    subsets=(("subject",), ("grades",), ("hint",)),
    published=published,
)
