"""Answers in words of one suite: chunks of samples → the stepper → parts on disk, beside the rows of the same evidence."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmplat.asking.beams import search
from mmplat.asking.outcome import Advance, Outcome, why_no_view
from mmplat.asking.prefaces import NO_PREFACES, Prefaces
from mmplat.asking.stepper import Speaker, Spoken, speak
from mmplat.asking.suite_job import FLUSH_S, picture_of
from mmplat.errors import ArtifactError, ModelError
from mmplat.evidence.written import SCHEMA, read_written, write_written
from mmplat.methods import Method
from mmplat.models import Ask
from mmplat.records import BatchSuite, Sample, ViewSpec, Writing
from mmplat.views import bind as bind_view
from mmplat.writings import forwards_of, method_of

STREAM_TOKENS = {"cpu": 16_384, "cuda": 262_144}
"""Tokens of all caches that go on together: what a step reads. Halved where the device's memory does not suffice."""


def missing_writings(folder: Path, samples: list[Sample], writings: tuple[Writing, ...]) -> NDArray[np.bool_]:
    """Which (sample, writing) are not on disk."""
    keys = [writing.key for writing in writings]
    stored = set(read_written(folder, keys, ("sample_key", "writing")).iter_rows())
    return np.array([[(s.sample_key, key) not in stored for key in keys] for s in samples], bool).reshape(
        len(samples), len(keys)
    )


@dataclass(slots=True)
class WritingJob:
    """Writing the answers of one suite."""

    model: Any
    part: BatchSuite
    folder: Path
    target: Path
    outcome: Outcome
    advance: Advance
    prefaces: Prefaces = NO_PREFACES
    tokens: int = 0
    """Tokens of all caches at once."""

    def run(self, samples: list[Sample], missing: NDArray[np.bool_]) -> None:
        if not hasattr(self.model, "prefill"):
            raise ModelError("Models of this family write no answers. Use `answers: labels` in the grid's suite.")
        self.tokens = self.tokens or STREAM_TOKENS["cpu" if self.model.device == "cpu" else "cuda"]
        pending: list[pa.Table] = []
        flushed = time.monotonic()
        try:
            possible = self._possible(samples, missing)
            searched = np.array([method_of(writing).search is not None for writing in self.part.writings], bool)
            for rows, writings in chain.from_iterable(
                self._rounds(samples, possible & some) for some in (~searched, searched)
            ):
                pending.append(self._round([samples[row] for row in rows], writings))
                if time.monotonic() - flushed > FLUSH_S:
                    self._flush(pending)
                    flushed = time.monotonic()
        finally:
            self._flush(pending)

    def _flush(self, pending: list[pa.Table]) -> None:
        if pending:
            write_written(self.target, pa.concat_tables(pending))
            pending.clear()

    def _possible(self, samples: list[Sample], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`missing` without answers that listen to a view which cannot be made of the sample."""
        possible = missing.copy()
        known = {(f["suite"], f["sample_id"], f["view"]) for f in self.outcome.failures}
        for at, writing in enumerate(self.part.writings):
            for view, row in product(method_of(writing).views, np.flatnonzero(missing[:, at])):
                reason = why_no_view(view, samples[row], self.prefaces)
                if reason:
                    possible[row, at] = False
                    failure = (self.part.suite.name, samples[row].sample_id, view.name)
                    if failure not in known:
                        known.add(failure)
                        self.outcome.fail(self.part, samples[row].sample_id, view.name, reason)
        self.advance(int(missing.sum() - possible.sum()))
        return possible

    def _rounds(self, samples: list[Sample], missing: NDArray[np.bool_]) -> Iterator[tuple[list[int], list[Writing]]]:
        """Samples that lack the same answers, as many at a time as the caches have room for."""
        alike: dict[bytes, list[int]] = {}
        for row in range(len(samples)):
            if missing[row].any():
                alike.setdefault(missing[row].tobytes(), []).append(row)
        for rows in alike.values():
            wanted = [w for w, absent in zip(self.part.writings, missing[rows[0]], strict=True) if absent]
            while rows:
                if not self._can_be_asked(samples[rows[0]], len(wanted)):
                    rows = rows[1:]
                    continue
                size = self._room(samples[rows[0]], wanted)
                count = max(1, math.floor(size))
                taken, rows = rows[:count], rows[count:]
                some = [taken[0], *(row for row in taken[1:] if self._can_be_asked(samples[row], len(wanted)))]
                parts = math.ceil(1 / size) if size < 1 else 1  # too many ways of writing for one sample at once
                for part in np.array_split(np.arange(len(wanted)), min(parts, len(wanted))):
                    yield some, [wanted[index] for index in part]

    def _room(self, sample: Sample, writings: list[Writing]) -> float:
        """How many samples like this one go on together: a view's prompt is held once where rows can share it."""
        if self.model.batch_limit:
            return float(self.model.batch_limit)
        prompt = self.model.encode([self._ask(sample, bind_view("image"))])[0].length
        rows = sum(method_of(writing).rows for writing in writings)
        views, own = len(speakers_of(writings)[0]), self.model.own_caches
        held = prompt * (own * rows + (1 - own) * views) + rows * max(writing.longest for writing in writings)
        return float(self.tokens / held)

    def _can_be_asked(self, sample: Sample, answers: int) -> bool:
        """Records why a sample cannot be asked, unless its rows have told so already."""
        try:
            reason = self.model.refuses(self._ask(sample, bind_view("image")))
        except ArtifactError as error:
            reason = str(error)
        if reason is None:
            return True
        self._failed([sample], reason, answers)
        return False

    def _failed(self, samples: list[Sample], reason: str, answers: int) -> None:
        known = {(f["suite"], f["sample_id"]) for f in self.outcome.failures}
        for sample in samples:
            self.advance(answers)
            if (self.part.suite.name, sample.sample_id) not in known:
                self.outcome.fail(self.part, sample.sample_id, "every", reason)

    def _ask(self, sample: Sample, view: ViewSpec) -> Ask:
        pictures = tuple(picture_of(self.folder, name) for name in sample.images)
        return Ask(sample, view, pictures, self.prefaces.text(sample, view))

    def _round(self, samples: list[Sample], writings: list[Writing]) -> pa.Table:
        """Writes some answers to some samples; on half of the samples at a time where memory does not suffice."""
        import torch

        began = time.perf_counter()
        views, speakers = speakers_of(writings)
        asks = [[self._ask(sample, view) for sample in samples] for view in views]
        try:
            tell = speak if speakers[0].search is None else search
            spoken = tell(self.model, asks, speakers, max(writing.longest for writing in writings))
        except torch.OutOfMemoryError:
            return self._in_halves(samples, writings)
        seconds = (time.perf_counter() - began) / (len(samples) * len(writings))
        self.outcome.asked += len(samples) * len(writings)
        self.outcome.steps += len(samples) * forwards_of(writings)
        self.outcome.seconds += time.perf_counter() - began
        self.advance(len(samples) * len(writings))
        tables = [
            self._table(samples, writing, speaker, said, seconds)
            for writing, speaker, said in zip(writings, speakers, spoken, strict=True)
        ]
        return pa.concat_tables(tables)

    def _in_halves(self, samples: list[Sample], writings: list[Writing]) -> pa.Table:
        import torch

        if len(samples) == 1 and len(writings) == 1:
            raise ModelError(
                f"One answer alone does not fit into the memory of {self.model.hardware}: sample {samples[0].sample_id!r}. "
                "Use a device with more memory, a smaller dtype, or fewer tokens (`longest`)."
            )
        self.tokens //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(samples) > 1:
            half = len(samples) // 2
            parts = [(samples[:half], writings), (samples[half:], writings)]
        else:
            half = len(writings) // 2
            parts = [(samples, writings[:half]), (samples, writings[half:])]
        return pa.concat_tables([self._round(*part) for part in parts])

    def _table(
        self, samples: list[Sample], writing: Writing, speaker: Speaker, spoken: list[Spoken], seconds: float
    ) -> pa.Table:
        """One way of writing, in the schema of written answers; an answer that is no numbers is a failure, not a row."""
        method = method_of(writing)
        broken = [s for s, one in zip(samples, spoken, strict=True) if not math.isfinite(sum(one.logprobs))]
        self._failed(
            broken,
            f"NaN or infinity came up while it was written by method {method.spec.name!r}; try dtype float32, and parameters "
            "of the method nearer to its defaults",
            0,
        )
        fine = [(s, one) for s, one in zip(samples, spoken, strict=True) if math.isfinite(sum(one.logprobs))]
        columns = {
            "sample_key": [s.sample_key for s, _ in fine],
            "sample_id": [s.sample_id for s, _ in fine],
            "writing": [writing.key] * len(fine),
            "text": [self.model.say(one.tokens) for _, one in fine],
            "tokens": [one.tokens for _, one in fine],
            "logprobs": [one.logprobs for _, one in fine],
            "margins": [one.margins for _, one in fine],
            "stopped": [one.stopped for _, one in fine],
            "forwards": [_forwards(one, method) + self.prefaces.forwards(s, method.views) for s, one in fine],
            "seconds": [seconds] * len(fine),
            "device": [self.model.hardware] * len(fine),
            "dtype": [self.model.dtype] * len(fine),
        }
        return pa.table(columns, schema=SCHEMA)


def speakers_of(writings: list[Writing]) -> tuple[list[ViewSpec], list[Speaker]]:
    """The views that some ways of writing listen to, and the ways as the stepper takes them."""
    methods = [method_of(writing) for writing in writings]
    views = list({view.asked: view for method in methods for view in method.views}.values())
    place = {view.asked: index for index, view in enumerate(views)}
    speakers = []
    shared: dict[Any, Any] = {}  # one function per method and views, so that the stepper combines their rows together
    for writing, method in zip(writings, methods, strict=True):
        assert method.combine is not None
        listens = tuple(place[view.asked] for view in method.views)
        combine = shared.setdefault((method.spec.name, listens), method.combine)
        speakers.append(Speaker(listens, combine, writing.decoding, writing.seed, method.search))
    return views, speakers


def _forwards(one: Spoken, method: Method) -> int:
    return method.forwards(len(one.tokens)) if one.forwards is None else one.forwards
