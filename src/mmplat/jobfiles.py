"""The files that tell jobs what to do: suites, batches and trainings, each named by its content. Written by the plan, read by
`mmplat prepare`, `mmplat ask` and `mmplat train`.

The results folder is shared in a lab and filled from archives, so a file of it is not believed: its key is computed again, and
a model that brings code or pickles is loaded only with the consent of whoever starts the command.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from mmplat.artifacts import read_json, rewrite_json
from mmplat.conditions import catalog as conditions
from mmplat.errors import ArtifactError, ConfigError
from mmplat.recipes import TrainingJob
from mmplat.records import Batch, ModelSpec, SuiteSpec
from mmplat.suites import catalog as suites

File = TypeVar("File", Batch, TrainingJob, SuiteSpec)
MADE_BY = "mmplat plan --write"


@dataclass(frozen=True, slots=True)
class Consent:
    """What whoever starts a command allows the models of a file to bring. A grid is its author's own consent."""

    trust_remote_code: bool = False
    pickled_weights: bool = False

    @property
    def options(self) -> list[str]:
        """As words of a command line."""
        given = (("--trust-remote-code", self.trust_remote_code), ("--pickled-weights", self.pickled_weights))
        return [word for word, allowed in given if allowed]

    @property
    def environment(self) -> dict[str, str]:
        """The same as variables: a workflow puts them before its commands, whose texts stay as they are."""
        return {f"MMPLAT_{word.removeprefix('--').replace('-', '_').upper()}": "1" for word in self.options}


def needed_by(models: Iterable[ModelSpec]) -> Consent:
    """What the models need to be allowed."""
    listed = list(models)
    return Consent(
        trust_remote_code=any(model.runs_foreign_code for model in listed),
        pickled_weights=any(model.pickled_weights for model in listed),
    )


def refuse_without(consent: Consent, model: ModelSpec, source: Path | str) -> None:
    """Refuses a model that runs code on the word of a file in a results folder: it may have come from a stranger."""
    needed = needed_by([model])
    missing = [word for word in needed.options if word not in consent.options]
    if missing:
        raise ConfigError(
            f"{source} says that model {model.name!r} may run code that comes with {model.path or model.name}. The word of "
            f"a file in a results folder is not enough for that. If you trust it, add {' and '.join(missing)}; snakemake and "
            "--grid take it from the grid that you wrote."
        )


def write(path: Path, record: Batch | TrainingJob | SuiteSpec) -> None:
    """Writes what a plan wants under a name. What somebody else put there is replaced; the file's time stays, since what its
    key stands for is the same."""
    rewrite_json(path, record.model_dump(mode="json"))


def read_batch(path: Path, consent: Consent) -> Batch:
    """What `mmplat ask` is to do."""
    batch = _read(path, Batch)
    for part in batch.suites:
        _refuse_foreign_places(part.suite, path)
    refuse_without(consent, batch.model, path)
    return batch


def read_training(path: Path, consent: Consent) -> TrainingJob:
    """What `mmplat train` is to do."""
    job = _read(path, TrainingJob)
    for suite in job.suites:
        _refuse_foreign_places(suite, path)
    refuse_without(consent, job.base, path)
    return job


def read_suite(path: Path) -> SuiteSpec:
    """What `mmplat prepare` is to do."""
    spec = _read(path, SuiteSpec)
    _refuse_foreign_places(spec, path)
    return spec


def _read(path: Path, kind: type[File]) -> File:
    """A file whose content and name agree."""
    if (path.resolve().parent.parent / "archive.json").exists():
        raise ConfigError(
            f"{path} came with an archive, and nothing is run on the word of one. Write a grid of your own that asks the same."
        )
    try:
        found = kind.model_validate(read_json(path, made_by=MADE_BY))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ArtifactError(
            f"{path} is no {kind.__name__} of this version of mmplat ({where}: {first['msg']}). Run `{MADE_BY}` again."
        ) from None
    if path.name != f"{found.key}.json":
        raise ArtifactError(
            f"{path} does not hold what its name says: its content has the key {found.key}. It was changed, or written by "
            f"another version of mmplat, and nothing of it is run. `{MADE_BY}` writes it again."
        )
    return found


def _refuse_foreign_places(spec: SuiteSpec, path: Path) -> None:
    """Parameters that say where data lie are in no key, so a file must not say itself which ones these are."""
    stated, known = [spec.places], [suites.get(spec.kind).places]
    if spec.condition is not None:
        stated.append(spec.condition.places)
        known.append(conditions.get(spec.condition.kind).places)
    if stated != known:
        raise ArtifactError(
            f"{path} keeps parameters of suite {spec.name!r} out of its name that belong into it: {stated}, and this version of "
            f"mmplat keeps {known} out. Nothing of it is run. `{MADE_BY}` writes it again."
        )
