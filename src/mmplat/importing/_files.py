"""What the user gave as --answers and --annotations → files, and which answers go with which questions.

A benchmark in several files numbers the questions of each from 1 (POPE's splits do): an id says nothing without its file.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.importing.base import Format, Given


@dataclass(frozen=True, slots=True)
class Chosen:
    """Files to import."""

    given: list[Given]
    left_out: list[Path]
    """Files of questions, found in a folder or by a pattern, that no file of answers goes with."""


def choose(
    form: Format, answers: Sequence[Path], annotations: Sequence[Path] = (), columns: Mapping[str, str] | None = None
) -> Chosen:
    """Files, folders and patterns → one `Given` per file of answers."""
    if annotations and not form.annotated:
        raise ConfigError(
            f"Files of the format {form.name!r} hold their questions themselves: leave --annotations away."
        )
    question_files = _expanded(form, annotations, "--annotations")
    # A folder may hold both: what holds the questions is found in it as answers too.
    answer_files = [
        path for path in _expanded(form, answers, "--answers") if path in answers or path not in question_files
    ]
    if not answer_files:
        raise ConfigError(
            f"--answers {answers[0]}: there are no files but those of --annotations. Name those with answers."
        )
    questions_of = _questions_of(
        answer_files,
        question_files,
        in_order=not _is_expanded(answer_files, answers) and not _is_expanded(question_files, annotations),
    )
    left_out = [path for path in question_files if path not in questions_of]
    if named := [path for path in left_out if path in annotations]:
        raise ConfigError(
            f"--annotations {named[0]}: no file of answers goes with it. Give its answers too, or leave it away. The answers "
            f"go with {', '.join(sorted({str(path) for path in questions_of}))}."
        )
    given = [Given(path, questions, columns or {}) for path, questions in zip(answer_files, questions_of, strict=True)]
    return Chosen(given, left_out)


def _expanded(form: Format, paths: Sequence[Path], option: str) -> list[Path]:
    """Every file once, in the order given; those of a folder or pattern by name."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _files(form, path, option):
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _files(form: Format, path: Path, option: str) -> list[Path]:
    if not path.exists() and glob.has_magic(str(path)):
        matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
        if not matches:
            raise ConfigError(f"{option} {path}: no file fits this pattern.")
        return [file for match in matches for file in _files(form, match, option)]
    if not path.is_dir() or not form.files:
        return [path]
    inside = {file for pattern in form.files for file in path.glob(pattern)}
    files = sorted(file for file in inside if file.is_file() and not file.name.startswith("."))
    if not files:
        raise ConfigError(
            f"{option} {path}: the folder holds no {' or '.join(form.files)}, which is what {form.name} reads. Name the "
            "files, or give a pattern in quotes."
        )
    return files


def _is_expanded(files: Sequence[Path], paths: Sequence[Path]) -> bool:
    return any(file not in paths for file in files)


def _questions_of(answer_files: Sequence[Path], question_files: Sequence[Path], *, in_order: bool) -> list[Path | None]:
    """The file of questions of each file of answers: by its name, else by the order in which both were given."""
    if len(question_files) < 2:
        return [next(iter(question_files), None)] * len(answer_files)
    marks = _marks(question_files)
    named = [_named_alike(path, marks) for path in answer_files]
    if in_order and len(answer_files) == len(question_files) and not any(named):
        return list(question_files)
    for path, questions in zip(answer_files, named, strict=True):
        if questions is None:
            raise ConfigError(
                f"--answers {path}: which of "
                f"{', '.join(file.name for file in question_files)} it answers is not clear from its name. "
                f"Name it after one of them (with {' or '.join(_shown(mark) for mark in marks.values())} in the name), or "
                "give as many files of answers as of questions, one by one and in the same order. A file that answers several of "
                "them is cut into one for each."
            )
    return named


def _marks(question_files: Sequence[Path]) -> dict[Path, frozenset[str]]:
    """What tells these files apart: coco_pope_random.json and coco_pope_popular.json → random, popular."""
    for words in (
        [_words(path.stem) for path in question_files],
        [_words(path.parent.name, path.stem) for path in question_files],
    ):
        shared = frozenset.intersection(*words)
        marks = [one - shared for one in words]
        if all(marks) and len(set(marks)) == len(marks):
            break
    return dict(zip(question_files, marks, strict=True))


def _named_alike(path: Path, marks: Mapping[Path, frozenset[str]]) -> Path | None:
    """The questions whose mark the file's name holds, or else its folder's name; None: there is none, or there are several."""
    for words in (_words(path.stem), _words(path.parent.name, path.stem)):
        fitting = {file: mark for file, mark in marks.items() if mark and mark <= words}
        longest = max(map(len, fitting.values()), default=0)
        best = [file for file, mark in fitting.items() if len(mark) == longest]
        if best:
            return best[0] if len(best) == 1 else None
    return None


def _words(*names: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W_]+", " ".join(names).casefold()))


def _shown(mark: frozenset[str]) -> str:
    return "-".join(sorted(mark)) or "nothing more"
