"""MMLU: 57 subjects with four options, answered from text alone.

Layouts: the released folder (`<split>/<subject>_<split>.csv`, six columns and no header), or the hub's table of all subjects
(cais/mmlu). Subjects take turns, so that a limit sees all of them.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._choices import add, asked, by_turns, is_of_split
from mmplat.suites._files import Row, chosen, text_of
from mmplat.suites._loading import Asked, Loader

SIZES = {"test": 14042, "validation": 1531, "dev": 285}
VAL = {"validation": "val"}
"""The release and the hub call one split by different names."""
OPTIONS = ("A", "B", "C", "D")
COLUMNS = ("question", *OPTIONS, "answer")
WHAT = "the released folder, its `test/` with <subject>_test.csv, or a folder of Parquet files"
SUBJECTS = {
    "STEM": (
        *("abstract_algebra", "astronomy", "college_biology", "college_chemistry", "college_computer_science"),
        *("college_mathematics", "college_physics", "computer_security", "conceptual_physics"),
        *("electrical_engineering", "elementary_mathematics", "high_school_biology", "high_school_chemistry"),
        *("high_school_computer_science", "high_school_mathematics", "high_school_physics"),
        *("high_school_statistics", "machine_learning"),
    ),
    "humanities": (
        *("formal_logic", "high_school_european_history", "high_school_us_history", "high_school_world_history"),
        *("international_law", "jurisprudence", "logical_fallacies", "moral_disputes", "moral_scenarios", "philosophy"),
        *("prehistory", "professional_law", "world_religions"),
    ),
    "social sciences": (
        *("econometrics", "high_school_geography", "high_school_government_and_politics", "high_school_macroeconomics"),
        *("high_school_microeconomics", "high_school_psychology", "human_sexuality", "professional_psychology"),
        *("public_relations", "security_studies", "sociology", "us_foreign_policy"),
    ),
    "other": (
        *("anatomy", "business_ethics", "clinical_knowledge", "college_medicine", "global_facts", "human_aging"),
        *("management", "marketing", "medical_genetics", "miscellaneous", "nutrition", "professional_accounting"),
        *("professional_medicine", "virology"),
    ),
}
CATEGORY = {subject: category for category, subjects in SUBJECTS.items() for subject in subjects}


def published(spec: SuiteSpec) -> Mapping[str, int]:
    return {"": SIZES[spec.params["split"]]}


def _files(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    """The file of each subject by its subject."""
    split = chosen(spec, "split", SIZES)
    suffix = f"_{VAL.get(split, split)}.csv"
    folders = (path, path / suffix[1:-4], path / "data" / suffix[1:-4])
    found = next((files for folder in folders if (files := sorted(folder.glob(f"*{suffix}")))), None)
    if found is None:
        raise ConfigError(f"there is no <subject>{suffix} in {path}. `path` is {WHAT}.")
    return {file.name.removesuffix(suffix): file for file in found}


def _questions(spec: SuiteSpec, path: Path) -> Sequence[Asked]:
    return _in_turns((row for subject, file in _files(spec, path).items() for row in _of_csv(file, subject)), spec)


def _of_csv(file: Path, subject: str) -> Iterator[Row]:
    lines = csv.reader(text_of(file).splitlines(keepends=True), strict=True)
    try:
        for cells in lines:
            place = f"{file}:{lines.line_num}"
            if len(cells) != len(COLUMNS):
                raise ConfigError(
                    f"{place}: a line has {', '.join(COLUMNS)}, not {len(cells)} cells. Is the file cut off?"
                )
            yield Row({"subject": subject, **dict(zip(COLUMNS, cells, strict=True))}, place)
    except csv.Error as error:
        raise ConfigError(
            f"{file}:{lines.line_num}: this is no CSV ({error}). Is the file cut off? Get it again."
        ) from None


def _hub_rows(spec: SuiteSpec) -> Iterator[Row]:
    return _hub.rows(spec.params["hub"], "all", chosen(spec, "split", SIZES), spec.params["revision"])


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
    return iter(_in_turns(map(_of_hub, rows), spec))


def _of_hub(row: Row) -> Row:
    """The table has its options in a list, and calls answers by letter, or counts them from 0 where their names are lost."""
    options, answer = row.get("choices"), row.get("answer")
    if len(options) != len(OPTIONS):
        raise ConfigError(f"{row.place}: a question has four options, not {list(options)!r:.80}.")
    gold = OPTIONS[answer] if type(answer) is int and 0 <= answer < len(OPTIONS) else answer
    return Row({**row.data, **dict(zip(OPTIONS, options, strict=True)), "answer": gold}, row.place)


def _in_turns(rows: Iterable[Row], spec: SuiteSpec) -> list[Asked]:
    by_subject: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_subject[row.text("subject")].append(row)
    return list(
        by_turns(
            [_question(row, subject, number, spec) for number, row in enumerate(of_one, 1)]
            for subject, of_one in by_subject.items()
        )
    )


def _question(row: Row, subject: str, number: int, spec: SuiteSpec) -> Asked:
    if subject not in CATEGORY:
        raise ConfigError(f"{row.place}: the subject {subject!r} is none of MMLU's {len(CATEGORY)}. `path` is {WHAT}.")
    groups = {"subject": subject, "category": CATEGORY[subject]}
    options = [row.text(letter) for letter in OPTIONS]
    identity, gold = f"{subject}/{number}", row.text("answer").strip()
    return asked(row, spec, identity, row.text("question"), options, gold, groups=groups)


add(
    "mmlu",
    "knowledge of 57 subjects with four options, from text alone",
    Loader(what=WHAT, hub=_hub_rows, of_table=_of_table, files=_files, questions=_questions, is_read=is_of_split),
    "text",
    {"split": "test"},
    subsets=(("category",), ("subject",)),
    published=published,
)
