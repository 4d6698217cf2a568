"""MMMU: college questions of 30 subjects with up to seven images. Multiple choice is `mmmu`; short answers are `mmmu-short`.

Tables only, as the hub has them (MMMU/MMMU, one configuration per subject). Images are shown before the question, in the order of
their numbers; the markers `<image 1>` stay in the text, so that it says which is meant.
"""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import Sample, SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._files import DEFAULTS, PLACES, Question, Row, chosen, embedded
from mmplat.suites._loading import Asked, Loader
from mmplat.suites._official import mmmu, mmmu_short
from mmplat.suites._parsing import strict
from mmplat.suites.base import LeftOut, RawSample, Suite, catalog

DISCIPLINES = {
    "Art & Design": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
    "Health & Medicine": (
        *("Basic_Medical_Science", "Clinical_Medicine", "Diagnostics_and_Laboratory_Medicine", "Pharmacy"),
        "Public_Health",
    ),
    "Humanities & Social Science": ("History", "Literature", "Psychology", "Sociology"),
    "Tech & Engineering": (
        *("Agriculture", "Architecture_and_Engineering", "Computer_Science", "Electronics", "Energy_and_Power"),
        *("Materials", "Mechanical_Engineering"),
    ),
}
DISCIPLINE = {subject: discipline for discipline, subjects in DISCIPLINES.items() for subject in subjects}
CHOICE, SHORT = "mmmu", "mmmu-short"
SPLITS = ("validation", "dev")
IMAGES = [f"image_{number}" for number in range(1, 8)]
MARKER = re.compile(r"<image (\d+)>")
LETTER_ONLY = "Answer with the option's letter from the given choices directly."
WORD_ONLY = "Answer the question using a single word or phrase."


def published(spec: SuiteSpec) -> Mapping[str, int]:
    """900 of the validation split, 30 per subject: 847 multiple choice and 53 short answers."""
    if spec.params["split"] != SPLITS[0]:
        return {}
    return {"": 847 if spec.kind in CLOSED else 53}


def _hub_rows(spec: SuiteSpec) -> Iterator[Row]:
    split, name, revision = chosen(spec, "split", SPLITS), spec.params["hub"], spec.params["revision"]
    return chain.from_iterable(_hub.rows(name, subject, split, revision) for subject in sorted(DISCIPLINE))


def _of_choice(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
    for row in rows:
        if row.text("question_type") == "multiple-choice":
            yield _choice(row)
        else:
            yield LeftOut(row.text("id"), f"it asks for words, not for a letter: {SHORT} asks it")


def _of_short(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
    return (_short(row) for row in rows if row.text("question_type") != "multiple-choice")


def _choice(row: Row) -> Question:
    options = _listed(row, "options")
    letters = tuple(string.ascii_uppercase[: len(options)])
    if len(options) < 2:
        raise ConfigError(f"{row.place}: a multiple choice has options, not {options!r}.")
    lines = [f"({letter}) {option}" for letter, option in zip(letters, options, strict=True)]
    question = "\n".join([row.text("question"), *lines, LETTER_ONLY])
    return _question(row, question, labels=letters, options=options, gold=row.text("answer").strip())


def _short(row: Row) -> Question:
    answer = row.text("answer")
    answers = _listed(row, "answer") if answer.startswith("[") else (answer,)
    return _question(row, f"{row.text('question')}\n{WORD_ONLY}", reference={"answers": list(answers)})


def grade_short(text: str, sample: Sample) -> dict[str, tuple[float, float]]:
    """MMMU's own rule, and the strict one: the whole answer is one of those that are accepted."""
    answers = sample.reference["answers"]
    exact = text.strip(" .\n").casefold() in {answer.strip().casefold() for answer in answers}
    return {"accuracy": (float(exact), 1), "accuracy_official": (float(mmmu_short(text, answers)), 1)}


def _listed(row: Row, column: str) -> tuple[str, ...]:
    """Lists are spelled as Python spells them: "['a', 'b']"."""
    value = row.get(column)
    try:
        found = ast.literal_eval(value) if isinstance(value, str) else value
        return tuple(str(one) for one in found)
    except (ValueError, SyntaxError, TypeError):
        raise ConfigError(f"{row.place}: {column} is no list: {value!r}.") from None


def _question(
    row: Row,
    question: str,
    *,
    labels: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
    gold: str = "",
    reference: dict[str, object] | None = None,
) -> Question:
    identity = row.text("id")
    subject = identity.split("_", 1)[-1].rsplit("_", 1)[0]  # validation_Computer_Science_12
    images = _images(row, question)
    sample = RawSample(
        sample_id=identity,
        question=question,
        stem=row.text("question"),
        labels=labels,
        gold=gold,
        options=options,
        groups={
            "subject": subject,
            "discipline": DISCIPLINE.get(subject, "unknown"),
            "difficulty": str(row.data.get("topic_difficulty") or "unknown"),
            "images": "one" if len(images) == 1 else "several",
        },
        reference=reference or {},
    )
    return Question(sample, images, row.place)


def _images(row: Row, question: str) -> tuple[bytes, ...]:
    """The images that the text names; every image there is where it names none."""
    named = sorted({int(number) for number in MARKER.findall(question)})
    columns = [f"image_{number}" for number in named] or [name for name in IMAGES if row.data.get(name)]
    missing = [column for column in columns if not embedded(row.data.get(column))]
    if missing or not columns:
        raise ConfigError(f"{row.place}: the text names {missing or 'no image'}, and the row has no such image.")
    return tuple(image for column in columns for image in embedded(row.data[column]))


def _is_read(spec: SuiteSpec, table: Path) -> bool:
    """Files are `<subject>/validation-00000-of-00001.parquet`; one that names no split is read whole."""
    split = chosen(spec, "split", SPLITS)
    return split in table.stem or not any(other in table.stem for other in (*SPLITS, "test"))


def _loader(of_table: Callable[[Iterable[Row], SuiteSpec], Iterator[Asked]]) -> Loader:
    return Loader(
        what="a folder of Parquet files as the hub has them, `<subject>/validation-….parquet`",
        hub=_hub_rows,
        of_table=of_table,
        is_read=_is_read,
    )


CLOSED = (CHOICE,)
for _name, _summary, _of_table in (
    (CHOICE, "college questions of 30 subjects, multiple choice, several images", _of_choice),
    (SHORT, "the questions of MMMU that ask for a word or a number", _of_short),
):
    _of = _loader(_of_table)
    catalog.add(
        _name,
        Suite(
            _name,
            _summary,
            1,
            _of.samples,
            _of.count,
            defaults={"split": SPLITS[0], **DEFAULTS},
            subsets=(("discipline",), ("subject",), ("images",)),
            needs="both",
            parse=strict,
            official={"official": mmmu} if _name in CLOSED else {},
            open_ended=_name not in CLOSED,
            longest=16,
            grade=None if _name in CLOSED else grade_short,
            sources=_of.sources,
            places=PLACES,
            published=published,
        ),
    )
