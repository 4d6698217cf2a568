"""Any CSV, TSV, JSONL or spreadsheet whose columns the user names: `--columns id=…,answer=…,gold=…`."""

from __future__ import annotations

from collections.abc import Iterable

from mmplat.errors import ConfigError
from mmplat.importing._rows import existing, optional, plain, rows_of
from mmplat.importing.base import LETTERS, Answer, Format, Given, Question, Told, catalog
from mmplat.suites._files import Row

KNOWN = ("id", "answer", "gold", "question", "image", "options")
GROUP = "group."


def read(given: Given) -> Told:
    """One file with both, or answers and annotations apart; a column that is not named is called as we call it."""
    columns = _columns(given)
    told = rows_of(existing(given.answers))
    asked = told if given.annotations is None else rows_of(existing(given.annotations))
    return [_question(row, columns) for row in asked], [_answer(row, columns) for row in told]


def _columns(given: Given) -> dict[str, str]:
    for name in given.columns:
        if name not in KNOWN and not name.startswith(GROUP):
            raise ConfigError(f"--columns names {name!r}. Allowed: {', '.join(KNOWN)}, and {GROUP}<name> for groups.")
    return {**{name: name for name in KNOWN}, **given.columns}


def _question(row: Row, columns: dict[str, str]) -> Question:
    options = tuple(one.strip() for one in optional(row, columns["options"]).split("|") if one.strip())
    groups = {name.removeprefix(GROUP): plain(row.get(column)) for name, column in _groups(columns)}
    return Question(
        plain(row.get(columns["id"])),
        plain(row.get(columns["gold"])).strip(),
        row.place,
        text=optional(row, columns["question"]),
        labels=LETTERS[: len(options)],
        options=options,
        image=optional(row, columns["image"]),
        groups=groups,
    )


def _groups(columns: dict[str, str]) -> Iterable[tuple[str, str]]:
    return [(name, column) for name, column in columns.items() if name.startswith(GROUP)]


def _answer(row: Row, columns: dict[str, str]) -> Answer:
    return Answer(plain(row.get(columns["id"])), plain(row.get(columns["answer"])), row.place)


for _name, _files in (("csv", ("*.csv", "*.tsv", "*.xlsx")), ("jsonl", ("*.jsonl", "*.json"))):
    catalog.add(_name, Format(_name, f"any {_name.upper()} with --columns id=…,answer=…,gold=…,question=…,image=…,group.x=…",
                              read, files=_files, annotated=True))  # fmt: skip
