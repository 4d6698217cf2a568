"""OpenBookQA and ARC-Challenge: questions of science exams, answered from text alone.

Layouts: the JSON lines of the releases, or the hub's tables (allenai/openbookqa, allenai/ai2_arc). OpenBookQA's fact is not
shown: it is half of the answer. ARC calls its options A to E or 1 to 4 and has three to five of them; here they are A, B, C, ….
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._choices import add, asked, is_of_split, letters, one_file
from mmplat.suites._files import Row, chosen, json_rows, row_of
from mmplat.suites._loading import Asked, Loader


@dataclass(frozen=True, slots=True)
class Exam:
    """One of AI2's sets of questions."""

    config: str
    """What the hub calls it."""
    places: tuple[str, ...]
    """Where its release has the file of a split."""
    splits: Mapping[str, tuple[str, int]]
    """What the release calls each split, and how many questions it has."""

    @property
    def what(self) -> str:
        return (
            f"{self.places[-1].format(self.splits['test'][0])}, the folder of the release, or a folder of Parquet files"
        )

    def files(self, spec: SuiteSpec, path: Path) -> dict[str, Path]:
        split, _ = self.splits[chosen(spec, "split", self.splits)]
        return {"questions": one_file(path, [place.format(split) for place in self.places], self.what)}

    def questions(self, spec: SuiteSpec, path: Path) -> Sequence[Asked]:
        return [_question(row, spec) for row in json_rows(self.files(spec, path)["questions"])]

    def hub(self, spec: SuiteSpec) -> Iterator[Row]:
        return _hub.rows(spec.params["hub"], self.config, chosen(spec, "split", self.splits), spec.params["revision"])

    def published(self, spec: SuiteSpec) -> Mapping[str, int]:
        return {"": self.splits[spec.params["split"]][1]}


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
    return (_question(row, spec) for row in rows)


def _question(row: Row, spec: SuiteSpec) -> Asked:
    stem, texts, names = _parts(row)
    answer = row.text("answerKey").strip()
    gold = dict(zip(names, letters(names), strict=True)).get(answer)
    if gold is None:
        raise ConfigError(f"{row.place}: the answer {answer!r} is none of {', '.join(names)}.")
    groups = {"options": str(len(texts))}
    return asked(row, spec, row.text("id"), stem, texts, gold, groups=groups)


def _parts(row: Row) -> tuple[str, list[str], list[str]]:
    """The question, its options, and what they are called: a list of objects in the releases, an object of lists on the hub."""
    question = row.get("question_stem", "question")
    if isinstance(question, Mapping):
        inner = Row(question, row.place)
        choices = [row_of(one, row.place) for one in inner.get("choices")]
        return inner.text("stem"), [one.text("text") for one in choices], [one.text("label") for one in choices]
    columns = row_of(row.get("choices"), row.place)
    return str(question), list(columns.get("text")), list(columns.get("label"))


for _name, _summary, _exam in (
    (
        "openbookqa",
        "elementary science with four options, from text alone",
        Exam(
            "main",
            ("Data/Main/{}.jsonl", "{}.jsonl"),
            {"train": ("train", 4957), "validation": ("dev", 500), "test": ("test", 500)},
        ),
    ),
    (
        "arc-challenge",
        "science exams that retrieval fails on, three to five options, from text alone",
        Exam(
            "ARC-Challenge",
            ("ARC-Challenge/ARC-Challenge-{}.jsonl", "ARC-Challenge-{}.jsonl"),
            {"train": ("Train", 1119), "validation": ("Dev", 299), "test": ("Test", 1172)},
        ),
    ),
):
    _loader = Loader(
        what=_exam.what,
        hub=_exam.hub,
        of_table=_of_table,
        files=_exam.files,
        questions=_exam.questions,
        is_read=is_of_split,
    )
    add(_name, _summary, _loader, "text", {"split": "test"}, published=_exam.published)
