"""VLMEvalKit's result tables, TSV or XLSX: index, question, answer, prediction, and options A, B, C …"""

from __future__ import annotations

from mmplat.importing._rows import IMAGE, groups_of, needed, optional, rows_of
from mmplat.importing.base import LETTERS, Answer, Format, Given, Question, Told, catalog
from mmplat.suites._files import Row

GROUPS = ("category", "split", "l2-category")


def read(given: Given) -> Told:
    rows = rows_of(given.answers)
    return list(map(_question, rows)), list(map(_answer, rows))


def _question(row: Row) -> Question:
    options = tuple(optional(row, letter) for letter in LETTERS if optional(row, letter))
    return Question(
        needed(row, "index"),
        needed(row, "answer").strip(),
        row.place,
        text=optional(row, "question"),
        labels=LETTERS[: len(options)],
        options=options,
        image=optional(row, *IMAGE) if "image_path" in row.data else "",
        groups=groups_of(row.data, GROUPS),
    )


def _answer(row: Row) -> Answer:
    said = (
        row.data["prediction"] if "prediction" in row.data else row.get("prediction")
    )  # the latter says what there is
    return Answer(needed(row, "index"), str(said or ""), row.place, error=None if said is not None else "no prediction")


catalog.add("vlmevalkit", Format("vlmevalkit", "a result table of VLMEvalKit, .tsv or .xlsx (index, question, answer, prediction)",
                                 read, files=("*.tsv", "*.xlsx")))  # fmt: skip
