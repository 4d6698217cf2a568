"""SEED-Bench, its image part: nine types of questions about one picture, four options. What asks about videos is left out.

Layouts: SEED-Bench.json and the folder SEED-Bench-image of the release, or the hub's table (lmms-lab/SEED-Bench).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.samples import LeftOut
from mmplat.suites import _hub
from mmplat.suites._choices import add, asked, one_file
from mmplat.suites._files import Row, embedded, images_folder, json_object, row_of
from mmplat.suites._loading import Asked, Loader

TYPES = (
    *("Scene Understanding", "Instance Identity", "Instance Attributes", "Instance Location", "Instances Counting"),
    *("Spatial Relation", "Instance Interaction", "Visual Reasoning", "Text Understanding"),
)
"""Types 1 to 9; those from 10 on are about videos."""
OPTIONS = ("choice_a", "choice_b", "choice_c", "choice_d")
WHAT = "SEED-Bench.json or its folder, or a folder of Parquet files"


def published(spec: SuiteSpec) -> Mapping[str, int]:
    return {"": 14232}


def _files(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    return {"questions": one_file(path, ["SEED-Bench.json"], WHAT)}


def _questions(spec: SuiteSpec, path: Path) -> Sequence[Asked]:
    file = _files(spec, path)["questions"]
    folder = images_folder(spec, file.parent / "SEED-Bench-image")
    rows = [row_of(data, f"{file}: question {n}") for n, data in enumerate(json_object(file).get("questions"), 1)]
    return [_question(row, (folder / row.text("data_id"),), spec) for row in rows]


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
    """The table has a list of images: one for a picture, frames for a video."""
    for row in rows:
        yield _question(row, tuple(image for one in row.data.get("image") or () for image in embedded(one)), spec)


def _question(row: Row, images: tuple[Path | bytes, ...], spec: SuiteSpec) -> Asked:
    identity, kind = row.text("question_id"), row.text("question_type_id")
    if row.text("data_type") != "image":
        return LeftOut(identity, "it asks about a video")
    if not kind.isdecimal() or not 1 <= int(kind) <= len(TYPES):
        raise ConfigError(
            f"{row.place}: question_type_id = {kind!r} is unknown. Of images there are 1 to {len(TYPES)}."
        )
    return asked(
        row,
        spec,
        identity,
        row.text("question"),
        [row.text(option) for option in OPTIONS],
        row.text("answer").strip(),
        images,
        cluster=row.text("data_id"),
        groups={"type": TYPES[int(kind) - 1]},
    )


add(
    "seed-bench",
    "nine types of questions about one image, four options",
    Loader(
        what=WHAT,
        hub=lambda spec: _hub.rows(spec.params["hub"], None, "test", spec.params["revision"]),
        of_table=_of_table,
        files=_files,
        questions=_questions,
        parts=2,
    ),
    "both",
    {},
    subsets=(("type",),),
    published=published,
)
