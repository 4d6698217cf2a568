"""Asking one suite of a remote model: many requests at once → rows of whole samples → parts on disk.

A sample's rows are made when all of its views have come, since a reference is kept at the main view's tokens. The model keeps
every reply as it comes, so a job that is killed pays nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmplat.asking.outcome import Advance, Outcome, possible_views
from mmplat.asking.suite_job import FLUSH_S, picture_of
from mmplat.asking.told import cut_off, row_of, token_ids
from mmplat.errors import ArtifactError
from mmplat.evidence.files import SCHEMA, read_evidence, write_rows
from mmplat.evidence.rows import Evidence
from mmplat.evidence.tokens import write_tokens
from mmplat.models import Ask, Failure, RemoteModel, Reply
from mmplat.records import BatchSuite, Sample, ViewSpec
from mmplat.suites import catalog as suites


@dataclass(slots=True)
class Waiting:
    """A sample some of whose views are still being asked."""

    sample: Sample
    left: int
    main_ids: dict[str, list[int]]
    """Tokens of each main view, by its key, as soon as its row is there."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """By the key of the view."""


@dataclass(slots=True)
class RemoteJob:
    """Asking one suite of a model behind a network."""

    model: RemoteModel
    part: BatchSuite
    folder: Path
    target: Path
    replies: Path
    outcome: Outcome
    advance: Advance
    rows: list[dict[str, Any]] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    """Of the told tokens."""
    flushed: float = 0.0

    def run(self, samples: list[Sample], missing: NDArray[np.bool_]) -> None:
        began = self.flushed = time.monotonic()
        views = self.part.views
        mains = [views[0], *(view for view in views if view.key == view.main_key)]
        stored = read_evidence(self.target, samples, mains)
        missing = possible_views(self.model, self.part, samples, missing, self.outcome, self.advance)
        waiting = {
            samples[i].sample_key: Waiting(samples[i], int(missing[i].sum()), _ids(stored, mains, i))
            for i in np.flatnonzero(missing.any(axis=1)).tolist()
        }
        try:
            for ask, reply in self.model.answer(self._asks(samples, missing), self.replies):
                self._take(waiting[ask.sample.sample_key], ask, reply)
        finally:
            # Ctrl-C, a spent budget and errors come through here: what was asked is kept.
            self._flush()
            self.outcome.seconds += time.monotonic() - began

    def _asks(self, samples: list[Sample], missing: NDArray[np.bool_]) -> Iterator[Ask]:
        """Everything missing, sample by sample; a sample whose image cannot be read is recorded and left out."""
        for index in np.flatnonzero(missing.any(axis=1)):
            sample = samples[index]
            try:
                pictures = tuple(picture_of(self.folder, name) for name in sample.images)
            except ArtifactError as error:
                self.outcome.fail(self.part, sample.sample_id, "every", str(error))
                self.advance(int(missing[index].sum()))
                continue
            for at in np.flatnonzero(missing[index]):
                yield Ask(sample, self.part.views[at], pictures)

    def _take(self, waiting: Waiting, ask: Ask, reply: Reply | Failure) -> None:
        """One reply; with the last of its sample, the sample's rows."""
        waiting.left -= 1
        self.advance(1)
        label = cut_off(reply, ask.sample.labels) if isinstance(reply, Reply) else None
        if isinstance(reply, Failure):
            self.outcome.fail(self.part, ask.sample.sample_id, ask.view.name, reply.error)
        elif label is not None:
            self.outcome.fail(self.part, ask.sample.sample_id, ask.view.name, _several_tokens(label))
        else:
            waiting.replies[ask.view.key] = reply
            self.texts.update(zip(token_ids(reply), (text for text, _ in reply.told), strict=True))
        if not waiting.left:
            self._finish(waiting)

    def _finish(self, waiting: Waiting) -> None:
        """The rows of a sample. Where a main view failed, its references have nothing to be kept at."""
        hardware, parse = self.model.hardware, suites.get(self.part.suite.kind).parse
        for view in self.part.views:
            main_key = view.main_key or self.part.views[0].key
            leads = view.key == main_key
            if view.key in waiting.replies and (leads or main_key in waiting.main_ids):
                at = None if leads else waiting.main_ids[main_key]
                row = row_of(waiting.sample, view, waiting.replies[view.key], at, hardware, parse)
                self._keep(row)
                if leads:
                    waiting.main_ids[main_key] = row["top_ids"]

    def _keep(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.outcome.asked += 1
        self.outcome.steps += 1
        if time.monotonic() - self.flushed > FLUSH_S:
            self._flush()

    def _flush(self) -> None:
        self.flushed = time.monotonic()
        if self.rows:
            write_rows(self.target, pa.Table.from_pylist(self.rows, schema=SCHEMA))
            self.rows.clear()
            write_tokens(self.target, self.texts)


def _ids(stored: Evidence, mains: list[ViewSpec], index: int) -> dict[str, list[int]]:
    """Tokens of those main views of a sample that have a row, by key."""
    found = {view.key: stored.view(view).top_ids[index] for view in mains if stored.view(view).present[index]}
    return {key: ids[ids >= 0].tolist() for key, ids in found.items()}


def _several_tokens(label: str) -> str:
    return (
        f"the answer begins with a part of label {label!r}: it is several tokens here, and one token tells no label. Use labels "
        "that are one token (yes/no, option letters), or `answers: sampled` in params"
    )
