"""What the token ids of some evidence say: tokens-*.json beside its parts, so that reading it needs no tokenizer.

Like the parts, a file is named by its content and never changed: jobs that ask shards of one suite write beside each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import polars as pl
import pyarrow.parquet as pq

from mmplat.artifacts import read_json, write_json_once
from mmplat.evidence.files import ROWS
from mmplat.evidence.opening import parts
from mmplat.ids import content_id


@runtime_checkable
class Speaks(Protocol):
    """A model that turns its tokens into text."""

    def say(self, tokens: Sequence[int]) -> str: ...


def write_tokens(folder: Path, texts: Mapping[int, str]) -> None:
    """Remembers the texts that are not known yet."""
    known = read_tokens(folder)
    new = {str(token): text for token, text in sorted(texts.items()) if token not in known}
    if new:
        write_json_once(folder / f"tokens-{content_id(new)}.json", new)


def read_tokens(folder: Path) -> dict[int, str]:
    """Token id → its text, as far as it is known."""
    files = (read_json(path, made_by="mmplat ask") for path in sorted(folder.glob("tokens-*.json")))
    return {int(token): text for file in files for token, text in file.items()}


def remember_tokens(folder: Path, model: object) -> None:
    """Remembers the text of every kept token of the stored rows, where the model can say it."""
    if isinstance(model, Speaks):
        known = read_tokens(folder)
        write_tokens(folder, {token: model.say([token]) for token in _kept(parts(folder, ROWS)) if token not in known})


def _kept(files: Iterable[Path]) -> list[int]:
    """Ids of the kept tokens of all rows. Where labels are scored as continuations, an id is a label's place and no token."""
    found = [
        pl.scan_parquet(path, glob=False)
        .filter(pl.col("label_tokens").is_null())
        .select(pl.col("top_ids").explode(empty_as_null=False).unique())
        .collect()["top_ids"]
        for path in files
        if "label_tokens" in pq.read_schema(path).names
    ]
    return pl.concat(found).unique().sort().to_list() if found else []
