"""A second import of a cell: what it adds to the run that the cell holds, and when it is refused.

Answers that the run lacks are added. Answers that it holds already must be the same, and must have been read by the same rules:
a run is one model's answers under one set of rules, and nothing of it is replaced unless that is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmplat.artifacts import Results
from mmplat.errors import ArtifactError, ConfigError
from mmplat.importing._scoring import Imported, Scored
from mmplat.importing._sources import Source, SourceFile
from mmplat.preparing import load_samples
from mmplat.records import Cell

CHOICES = (
    "Nothing was written. --replace puts this import in the place of that whole run; another --seed, --decoding, --method or "
    "--campaign keeps both."
)


@dataclass(frozen=True, slots=True)
class Held:
    """The run that a cell holds already."""

    run_id: str
    n: int
    cell: Cell
    settings: Mapping[str, Any]
    suite_version: str
    suite_key: str
    folder: Path

    @property
    def files(self) -> list[SourceFile]:
        """Where its results come from; runs of earlier versions tell the contents alone."""
        files = self.settings.get("files", [])
        if isinstance(files, dict):
            return [SourceFile(role, "a file without a name", content) for role, content in files.items()]
        return [SourceFile(**file) for file in files]

    @property
    def whole(self) -> bool:
        """Whether the import that wrote it came to its end."""
        return (self.folder / "decided.json").exists()

    def __str__(self) -> str:
        """Its name in messages."""
        names = [file.name for file in self.files if file.role != "annotations"]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        c = self.cell
        return (
            f"run {self.run_id} ({c.model} on {c.suite}, {c.method}, {c.decoding}, seed {c.seed}; {self.n} answers from "
            f"{', '.join(names[:3])}{more})"
        )


@dataclass(frozen=True, slots=True)
class Merged:
    """What the run holds with an import."""

    rows: list[Scored]
    files: list[SourceFile]
    new: int
    """Answers that the run did not hold."""
    known: int
    """Answers of the import that it did."""
    replaced: Held | None = None
    """The run whose place it takes."""
    unchanged: Held | None = None
    """The run that holds all of it already."""

    @property
    def n(self) -> int:
        return sum(row.answered for row in self.rows)


def held(results: Results, campaign: str, cell: Cell) -> Held | None:
    """The run of the cell; None: there is none."""
    folder = results.decided(campaign, cell.model, cell.suite)
    path = folder / "runs.parquet"
    if not path.exists():
        return None
    axes = {name: getattr(cell, name) for name in Cell.__slots__}
    found = pl.read_parquet(path.read_bytes()).join(pl.DataFrame([axes]), on=list(axes), how="semi").to_dicts()
    if not found:
        return None
    run = found[0]
    version = json.loads(run["versions"]).get("suite", "unknown")
    return Held(run["run_id"], run["n"], cell, json.loads(run["settings"]), version, run["suite_key"], folder)


def merged(results: Results, before: Held | None, imported: Imported, source: Source, *, replace: bool) -> Merged:
    """Adds an import to the run of its cell, or takes its place where that is asked for; a contradiction is refused."""
    answered = sum(row.answered for row in imported.rows)
    if before is None or replace:
        return Merged(imported.rows, list(source.files), answered, 0, replaced=before)
    _refuse_other_rules(before, imported, source)
    rows = {row.sample.sample_id: row for row in _rows(results, before)}
    _refuse_contradictions(before, rows, imported, source)
    added = [row for row in imported.rows if row.sample.sample_id not in rows or _answers(row, rows)]
    if not added and before.whole:
        return Merged(list(rows.values()), before.files, 0, answered, unchanged=before)
    rows |= {row.sample.sample_id: row for row in added}
    new = sum(row.answered for row in added)
    return Merged(list(rows.values()), sorted({*before.files, *source.files}), new, answered - new)


def _answers(row: Scored, rows: Mapping[str, Scored]) -> bool:
    """Whether a row of the import answers a question that the run holds without an answer."""
    return row.answered and not rows[row.sample.sample_id].answered


def _refuse_other_rules(before: Held, imported: Imported, source: Source) -> None:
    here = {**source.rules, "suite version": str(imported.suite.version)}
    there = {**here, **before.settings, "suite version": before.suite_version}  # earlier versions did not record labels
    differences = [f"{name} {_shown(there[name])} there and {_shown(here[name])} here" for name in here
                   if there[name] != here[name]]  # fmt: skip
    if differences:
        raise ConfigError(
            f"The cell holds {before}, which was read by other rules: {'; '.join(differences)}. Numbers of two rules do not "
            f"mix in one run. {CHOICES}"
        )


def _refuse_contradictions(before: Held, rows: Mapping[str, Scored], imported: Imported, source: Source) -> None:
    both = [(rows[row.sample.sample_id], row) for row in imported.rows if row.sample.sample_id in rows]
    other = [(there, here) for there, here in both if _contradict(there, here)]
    if other:
        there, here = other[0]
        what = (
            f"{there.text!r:.60} there and {here.text!r:.60} here"
            if there.sample == here.sample
            else f"another question: {_question(there)} there and {_question(here)} here"
        )
        names = ", ".join(sorted({file.name for file in source.files if file.role == "answers"}))
        raise ConfigError(
            f"The cell holds {before}. {len(both)} of the {len(imported.rows)} samples from {names} are in it already, "
            f"{len(other)} of them with another answer; {here.sample.sample_id} for one has {what}. {CHOICES}"
        )


def _contradict(there: Scored, here: Scored) -> bool:
    if there.sample != here.sample:
        return True
    return there.answered and here.answered and (there.text, there.label) != (here.text, here.label)


def _question(row: Scored) -> str:
    sample = row.sample
    return f"{sample.question or sample.sample_id!r:.60} (image {sample.cluster}, right: {sample.gold})"


def _shown(rule: Any) -> str:
    return (
        ", ".join(map(str, rule)) or "none" if isinstance(rule, Sequence) and not isinstance(rule, str) else str(rule)
    )


def _rows(results: Results, before: Held) -> list[Scored]:
    """What the run holds, as its files have it."""
    folder = results.suite(before.cell.suite, before.suite_key)
    path = before.folder / "predictions.parquet"
    found = pl.read_parquet(path.read_bytes()).filter(run_id=before.run_id) if path.exists() else pl.DataFrame()
    answers = {row["sample_id"]: row for row in found.iter_rows(named=True)}
    samples = {sample.sample_id: sample for sample in load_samples(folder)}
    if answers.keys() != samples.keys():
        raise ArtifactError(
            f"The cell holds {before}, and its files do not belong together: {path} has {len(answers)} answers of the run, "
            f"{folder} {len(samples)} samples. Import all of its files again with --replace."
        )
    return [Scored(samples[name], row["text"], row["answer"], row["error"]) for name, row in answers.items()]
