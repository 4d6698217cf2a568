"""MMHal-Bench: 96 open questions of eight types that lead models to say what is not there, for a judge.

Layout: the JSON list of the release (`response_template.json`) beside its images, or tables with the same columns and an `image`.
An image is called as in its address (`image_src`), or by its `image_id`, as different download scripts do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites._files import DEFAULTS, PLACES, Question, Row, embedded, images_folder, json_rows
from mmplat.suites._loading import Loader
from mmplat.suites._prompts import bare
from mmplat.suites.base import RawSample, Suite, catalog

TEMPLATE = "response_template.json"
WHAT = f"the folder with {TEMPLATE}, or a folder of Parquet files"


def _file(spec: SuiteSpec, path: Path) -> Path:
    file = path / TEMPLATE if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"there is no {file}. `path` is {WHAT}.")
    return file


def of_files(spec: SuiteSpec, path: Path) -> Sequence[Question]:
    file = _file(spec, path)
    folder = images_folder(spec, file.parent / "images")
    return [_question(row, number, (_image(folder, row),)) for number, row in enumerate(json_rows(file), 1)]


def of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Question]:
    for number, row in enumerate(rows, 1):
        yield _question(row, number, embedded(row.get("image")))


def _image(folder: Path, row: Row) -> Path:
    address = PurePosixPath(urlsplit(row.text("image_src")).path)
    by_number = folder / f"{row.data.get('image_id')}{address.suffix}"
    return by_number if by_number.exists() and not (folder / address.name).exists() else folder / address.name


def _question(row: Row, number: int, images: tuple[Path | bytes, ...]) -> Question:
    """The release gives questions no ids: they are told apart by their places, as its own script does."""
    first, content = images[0] if images else b"", row.get("image_content")
    sample = RawSample(
        sample_id=f"{number:03}",
        question=bare(row.text("question")),
        labels=(),
        gold="",
        cluster=first.name if isinstance(first, Path) else row.text("image_id", "question"),
        groups={"type": row.text("question_type"), "topic": row.text("question_topic")},
        reference={
            "answer": row.text("gt_answer"),
            "context": content if isinstance(content, str) else ", ".join(map(str, content)),
        },
    )
    return Question(sample, images, row.place)


LOADER = Loader(
    what=WHAT,
    of_table=of_table,
    files=lambda spec, path: {TEMPLATE: _file(spec, path)},
    questions=of_files,
    snapshot=(TEMPLATE, "images/*"),
)
catalog.add(
    "mmhal-bench",
    Suite(
        "mmhal-bench",
        "96 open questions of eight types that lead to hallucinations, for a judge",
        1,
        LOADER.samples,
        LOADER.count,
        defaults=DEFAULTS,
        subsets=(("type",),),
        open_ended=True,
        rubric="alone-0-6",
        small_is_good=("hallucination_rate", "judge_failed"),
        longest=1024,
        sources=LOADER.sources,
        places=PLACES,
        published=lambda spec: {"": 96},
    ),
)
