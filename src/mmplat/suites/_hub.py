"""Datasets of the Hugging Face hub, at a pinned revision: a name alone would be another benchmark after the next upload."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites._files import Row, spelled


def pinned(spec: SuiteSpec) -> dict[str, str]:
    """What names the content of a dataset: its revision. One that can move is refused."""
    name, revision = spec.params["hub"], spec.params["revision"]
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ConfigError(
            f"hub = {name!r} needs a `revision` of 40 hex digits, not {revision!r}: a branch moves. Pin it to the newest commit "
            f"that https://huggingface.co/datasets/{name}/commits/main lists."
        )
    return {"hub": f"{name}@{revision}"}


def rows(
    name: str, config: str | None, split: str, revision: str | None, columns: Sequence[str] | None = None
) -> Iterator[Row]:
    """Rows of one split, or those `columns` of it; images stay the bytes that were uploaded, classes are called by name."""
    try:
        from datasets import ClassLabel, Image, load_dataset
    except ImportError as error:
        raise _no_package(name) from error
    try:
        data = load_dataset(name, config, split=split, revision=revision)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The dataset {name!r} ({config or 'default'}, split {split!r}, revision {revision}) cannot be loaded: {error}"
        ) from error
    data = data.select_columns(list(columns)) if columns else data
    labels = {column: feature for column, feature in data.features.items() if isinstance(feature, ClassLabel)}
    names = {column: dict(enumerate(feature.names)) for column, feature in labels.items()}
    for column, feature in data.features.items():
        if isinstance(feature, Image):
            data = data.cast_column(column, Image(decode=False))
    for number, row in enumerate(data, 1):
        yield Row(spelled(row, names), f"{name}, {config or 'default'}/{split}: row {number}")


def snapshot(spec: SuiteSpec, patterns: Sequence[str]) -> Path:
    """The files of a dataset as they were uploaded, below one folder: for layouts that no table keeps."""
    name, revision = spec.params["hub"], spec.params["revision"]
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise _no_package(name) from error
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=list(patterns)))
    except (OSError, ValueError) as error:  # no connection, no such dataset, no such revision
        raise ConfigError(f"The dataset {name!r} (revision {revision}) cannot be downloaded: {error}") from error


def _no_package(name: str) -> ConfigError:
    return ConfigError(
        f"The dataset {name!r} needs the package `datasets`: install `mmplat[data]`, or download the dataset and give its "
        "folder as `path`."
    )
