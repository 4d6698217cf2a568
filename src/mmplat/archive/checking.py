"""What came in an archive, held against its own names: nothing here trusts what another lab, or a stranger, wrote.

Whatever is named by its content is named again. Evidence, samples and images are opened as deciding would open them. Code of
other people (`trust_remote_code`, pickled weights) comes with no archive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from mmplat.artifacts import Results, read_json
from mmplat.documents import Document
from mmplat.errors import ArtifactError, MmplatError
from mmplat.evidence.files import ROWS
from mmplat.evidence.judged import JUDGED
from mmplat.evidence.opening import Kind, defect_of
from mmplat.evidence.written import WRITTEN
from mmplat.ids import content_id, file_id
from mmplat.jobfiles import Consent, read_batch, read_suite, read_training
from mmplat.models.identity import model_key
from mmplat.preparing import load_picture, load_samples, sample_key, samples_id
from mmplat.records import IMPORTED, SuiteSpec, measured_run_id

FOREIGN_CODE = ("trust_remote_code", "pickled_weights")
OFF = ("none", "false", "no", "off", "n", "f", "0")
"""How a document may say that an option is off: whatever else it says counts as on."""
MADE_BY = "mmplat export campaign"


def refuse_unsound(staged: Results) -> None:
    """Raises ArtifactError for the first file that is not what its name says, or that would run foreign code."""
    for path in sorted(path for path in staged.root.rglob("*") if path.is_file()):
        name = path.relative_to(staged.root).as_posix()
        try:
            reason = _defect(path, name)
        except MmplatError as error:
            reason = f"is refused: {error}".removesuffix(".")
        except (
            ValidationError,
            OSError,
            pl.exceptions.PolarsError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            reason = f"cannot be understood ({type(error).__name__}: {error})"
        if reason:
            raise ArtifactError(f"{name} {reason}. Nothing was loaded.")


def _defect(path: Path, name: str) -> str | None:
    for fits, check in CHECKS:
        if fits(name) and (reason := check(path)):
            return reason
    return None


def _foreign_code(path: Path) -> str | None:
    """Batches, trainings and plans say how models are loaded; a plan says it also in the text of its grid."""
    content = read_json(path, made_by=MADE_BY)
    documents = [content]
    if isinstance(content, dict) and isinstance(content.get("grid_text"), str):
        documents.append(Document(content["grid_text"], "its grid_text").data)
    options = [option for document in documents for option in _switched_on(document)]
    return f"asks for {options[0]}, which no archive may: it would run code of its makers" if options else None


def _switched_on(document: Any) -> Iterator[str]:
    """The options in FOREIGN_CODE that a document sets to anything but no, at any depth."""
    waiting, seen = [document], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or not isinstance(value, (dict, list)):
            continue
        seen.add(id(value))  # an alias of YAML may stand in many places
        if isinstance(value, dict):
            yield from (name for name in FOREIGN_CODE if str(value.get(name)).lower() not in OFF)
        waiting += value.values() if isinstance(value, dict) else value


def _job(read: Callable[[Path], object]) -> Callable[[Path], str | None]:
    """A file that tells a job what to do, as the job would read it: named by its content, and without foreign code."""

    def check(path: Path) -> str | None:
        read(path)
        return None

    return check


def _done(path: Path) -> str | None:
    key = path.name.removesuffix(".done.json")
    return None if read_json(path, made_by=MADE_BY)["batch"] == key else "is the done-marker of another batch"


def _identity(path: Path) -> str | None:
    content = read_json(path, made_by=MADE_BY)
    keys = {path.parent.name, content["key"], model_key(content["identity"])}
    return None if len(keys) == 1 else "is of another model than its folder"


def _tokens(path: Path) -> str | None:
    key = path.stem.removeprefix("tokens-")
    return None if content_id(read_json(path, made_by=MADE_BY)) == key else "holds other tokens than its name says"


def _suite(path: Path) -> str | None:
    """A prepared suite: its specification, its samples one by one, and every image by its pixels."""
    metadata, samples = read_json(path, made_by=MADE_BY), load_samples(path.parent)
    if (
        metadata["params"].get("origin") == IMPORTED
    ):  # no specification, no images, and no evidence is joined by its keys
        return None
    spec = SuiteSpec.model_validate({name: metadata[name] for name in SuiteSpec.model_fields if name in metadata})
    if {spec.key, metadata["key"]} != {path.parent.name}:
        return "is of another suite than its folder"
    if samples_id(samples) != metadata["content_id"]:
        return "lists other samples than lie beside it"
    for sample in samples:
        if sample.sample_key != sample_key(sample):
            return f"holds sample {sample.sample_id!r} under the name of another one"
    for name in sorted({name for sample in samples for name in sample.images}):
        load_picture(path.parent, name)
    return None


def _part(kind: Kind) -> Callable[[Path], str | None]:
    return lambda path: defect_of(path, kind)


def _decided(path: Path) -> str | None:
    """Tables of a pair: those that decided.json vouches for, with run ids of this campaign alone."""
    marker = read_json(path, made_by=MADE_BY)
    for name, digest in marker.get("files", {}).items():
        if file_id(path.parent / name, length=64) != digest:
            return f"vouches for another {name} than lies beside it"
    runs = pl.read_parquet((path.parent / "runs.parquet").read_bytes())
    if set(runs["campaign"]) - {marker["campaign"]}:
        return "lies beside runs of another campaign"
    wrong = [run["run_id"] for run in runs.iter_rows(named=True) if not _is_named_by_content(run)]
    return f"lies beside run {wrong[0]!r}, which has another name than its content" if wrong else None


def _is_named_by_content(run: dict[str, Any]) -> bool:
    """Whether a run that was measured has the id that deciding gives it: nobody's run can be replaced by one of its name."""
    if run.get("origin", "measured") == IMPORTED:
        return True
    return (
        measured_run_id({**run, **{name: json.loads(run[name]) for name in ("settings", "versions")}}) == run["run_id"]
    )


def _in(room: str, ends: str) -> Callable[[str], bool]:
    return lambda name: name.startswith(f"{room}/") and name.endswith(ends)


def _is_batch(name: str) -> bool:
    return name.startswith("batches/") and name.endswith(".json") and not name.endswith(".done.json")


def _is_specification(room: str) -> Callable[[str], bool]:
    return lambda name: name.startswith(f"{room}/") and name.count("/") == 1


def _is_part(prefix: str) -> Callable[[str], bool]:
    return lambda name: name.startswith("evidence/") and name.rsplit("/", 1)[-1].startswith(f"{prefix}-")


CHECKS: tuple[tuple[Callable[[str], bool], Callable[[Path], str | None]], ...] = (
    (_in("campaigns", "/plan.json"), _foreign_code),
    (_in("campaigns", "/decided.json"), _decided),
    (_is_batch, _foreign_code),
    (_is_batch, _job(lambda path: read_batch(path, Consent()))),
    (_in("batches", ".done.json"), _done),
    (_is_specification("trained"), _foreign_code),
    (_is_specification("trained"), _job(lambda path: read_training(path, Consent()))),
    (_is_specification("suites"), _job(read_suite)),
    (_in("suites", "/suite.json"), _suite),
    (_in("evidence", "/evidence.json"), _identity),
    (_is_part("tokens"), _tokens),
    *((_is_part(kind.prefix), _part(kind)) for kind in (ROWS, WRITTEN, JUDGED)),
)
"""Which files of an archive are held against what."""
