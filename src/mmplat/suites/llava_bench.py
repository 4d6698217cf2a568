"""LLaVA-Bench, in the wild and on COCO: open questions with a reference answer and a description of the image, for a judge.

Layouts: the JSON lines of the releases (questions, GPT-4's answers, contexts), or the hub's tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._files import DEFAULTS, PLACES, Question, Row, embedded, images_folder, json_rows
from mmplat.suites._loading import Loader
from mmplat.suites._prompts import bare
from mmplat.suites.base import RawSample, Suite, catalog


@dataclass(frozen=True, slots=True)
class Release:
    """One of the two benchmarks: how its files are called, and how many questions of each category it has."""

    name: str
    summary: str
    questions: str
    answers: str
    contexts: str
    categories: Mapping[str, int]

    @property
    def what(self) -> str:
        return f"the folder with {self.questions}, {self.answers} and {self.contexts}, or a folder of Parquet files"

    def files(self, spec: SuiteSpec, path: Path) -> dict[str, Path]:
        found = {name: path / name for name in (self.questions, self.answers, self.contexts)}
        for file in found.values():
            if not file.is_file():
                raise ConfigError(f"there is no {file}. `path` is {self.what}.")
        return found

    def published(self, spec: SuiteSpec) -> Mapping[str, int]:
        return {f"category={category}": n for category, n in self.categories.items()}

    def of_files(self, spec: SuiteSpec, path: Path) -> Sequence[Question]:
        files, folder = self.files(spec, path), images_folder(spec, path / "images")
        answers = {row.text("question_id"): row for row in json_rows(files[self.answers])}
        contexts = {row.text("image"): _context(row) for row in json_rows(files[self.contexts])}
        found = []
        for row in json_rows(files[self.questions]):
            answer, image = answers.get(row.text("question_id")), row.text("image")
            context = contexts.get(image) or contexts.get(_coco_name(image))
            if answer is None or context is None:
                missing = self.answers if answer is None else self.contexts
                raise ConfigError(f"{row.place}: question {row.text('question_id')!r} has no line in {missing}.")
            found.append(_question(row, answer.text("text"), context, (_image(folder, image),)))
        return found


def _context(row: Row) -> str:
    """What the judge is told of an image: captions, and boxes where there are some, a line each."""
    if "caption" in row.data:
        return row.text("caption")
    boxes = [f"{one['category']}: {one['bbox']}" for one in row.data.get("instances", [])]
    return "\n".join(row.get("captions")) + "\n\n" + "\n".join(boxes)


def _coco_name(image: str) -> str:
    return f"COCO_val2014_{image}"


def _image(folder: Path, name: str) -> Path:
    """Questions name 000000441147.jpg where COCO's own folder has COCO_val2014_000000441147.jpg."""
    other = folder / _coco_name(name)
    return other if other.exists() and not (folder / name).exists() else folder / name


def of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Question]:
    for row in rows:
        yield _question(row, row.text("gpt_answer"), row.text("caption"), embedded(row.get("image")))


def _question(row: Row, answer: str, context: str, images: tuple[Path | bytes, ...]) -> Question:
    first = images[0] if images else b""
    sample = RawSample(
        sample_id=row.text("question_id"),
        question=bare(row.text("text", "question")),
        labels=(),
        gold="",
        cluster=first.name if isinstance(first, Path) else row.text("image_id", "question_id"),
        groups={"category": row.text("category").removeprefix("llava_bench_")},
        reference={"answer": answer, "context": context},
    )
    return Question(sample, images, row.place)


RELEASES = (
    Release(
        "llava-bench-wild",
        "60 open questions about 24 images, for a judge",
        "questions.jsonl",
        "answers_gpt4.jsonl",
        "context.jsonl",
        {"conv": 17, "detail": 15, "complex": 28},
    ),
    Release(
        "llava-bench-coco",
        "90 open questions about 30 images of COCO, for a judge",
        "qa90_questions.jsonl",
        "qa90_gpt4_answer.jsonl",
        "caps_boxes_coco2014_val_80.jsonl",
        {"conv": 30, "detail": 30, "complex": 30},
    ),
)
for _release in RELEASES:
    _loader = Loader(
        what=_release.what,
        hub=lambda spec: _hub.rows(spec.params["hub"], None, "train", spec.params["revision"]),
        of_table=of_table,
        files=_release.files,
        questions=_release.of_files,
    )
    catalog.add(
        _release.name,
        Suite(
            _release.name,
            _release.summary,
            1,
            _loader.samples,
            _loader.count,
            defaults=DEFAULTS,
            subsets=(("category",),),
            open_ended=True,
            rubric="pair-1-10",
            small_is_good=("position_bias", "judge_failed", "hallucination_rate"),
            longest=1024,
            sources=_loader.sources,
            places=PLACES,
            published=_release.published,
        ),
    )
