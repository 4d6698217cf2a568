"""Datasets of the Hugging Face hub, at a pinned revision: a name alone would be another benchmark after the next upload."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites._files import Row


def pinned(spec: SuiteSpec) -> dict[str, str]:
    """What names the content of a dataset: its revision. One that can move is refused."""
    name, revision = spec.params["hub"], spec.params["revision"]
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ConfigError(
            f"hub = {name!r} needs a `revision` of 40 hex digits, not {revision!r}: a branch moves. Pin it to the newest commit "
            f"that https://huggingface.co/datasets/{name}/commits/main lists."
        )
    return {"hub": f"{name}@{revision}"}


def rows(name: str, config: str | None, split: str, revision: str | None) -> Iterator[Row]:
    """Rows of one split; images stay the bytes that were uploaded."""
    try:
        from datasets import Image, load_dataset
    except ImportError as error:
        raise ConfigError(
            f"The dataset {name!r} needs the package `datasets`: install `mmplat[data]`, or download the dataset and give its "
            "folder as `path`."
        ) from error
    try:
        data = load_dataset(name, config, split=split, revision=revision)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The dataset {name!r} ({config or 'default'}, split {split!r}, revision {revision}) cannot be loaded: {error}"
        ) from error
    for column, feature in data.features.items():
        if isinstance(feature, Image):
            data = data.cast_column(column, Image(decode=False))
    for number, row in enumerate(data, 1):
        yield Row(row, f"{name}, {config or 'default'}/{split}: row {number}")
