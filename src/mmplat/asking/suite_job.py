"""Asking one suite: chunks of whole samples → forwards of similar length → one table per view → parts on disk.

All views of a sample are asked together, since a reference is stored at its main view's likeliest tokens. A view that is kept at
those of several main views is asked once. A sample that fails is recorded with its reason and the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmplat.asking import columns, reduce
from mmplat.asking.outcome import Advance, Outcome, possible_views
from mmplat.asking.prefaces import NO_PREFACES, Prefaces
from mmplat.asking.reading import Reading, reading_of
from mmplat.errors import ArtifactError, IncompatibleCell, ModelError
from mmplat.evidence.files import read_evidence, write_rows
from mmplat.evidence.rows import Evidence
from mmplat.models import Ask, LoadedModel
from mmplat.preparing import load_picture
from mmplat.records import BatchSuite, Demand, Sample, ViewSpec
from mmplat.views import catalog as view_kinds

FORWARD_TOKENS = {"cpu": 2048, "cuda": 32_768}
"""Tokens (padding included) of one forward: fills a GPU; on a CPU, small enough for what passes between layers to stay
in its caches (measured with bench/grid.py: 1024 to 2048 beats 8192 by a fifth)."""
CHUNK_LOGITS = 24_000_000
"""Logits of one chunk (samples × views × vocabulary) held on the device: 96 MB. The chunk's features are held with them."""
FIRST_CHUNK = 64
CHUNK_S = 3.0
"""A chunk is not kept before all of it is asked: a slow model gets smaller ones, so that little is lost by a kill."""
FLUSH_S = 20.0
"""At most this much asking is lost when a job is killed."""
NEAR_TIE = {"float32": 1e-3, "bfloat16": 0.125, "float16": 0.02}
"""Margins that another batch size may flip, in logits."""


@dataclass(slots=True)
class SuiteJob:
    """Asking one suite: chunks of samples → forwards → parts."""

    model: LoadedModel
    part: BatchSuite
    demand: Demand
    folder: Path
    target: Path
    outcome: Outcome
    advance: Advance
    prefaces: Prefaces = NO_PREFACES
    tokens: int = 0
    """Tokens of one forward; set from the device, halved where its memory does not suffice."""
    known: tuple[float, ...] = ()
    """Temperatures that stored rows know: a row that is asked again must not know fewer, or grids would take turns."""

    def run(self, samples: list[Sample], missing: NDArray[np.bool_]) -> None:
        self.tokens = self.tokens or FORWARD_TOKENS["cpu" if self.model.device == "cpu" else "cuda"]
        stored = read_evidence(self.target, samples, self._mains)
        self.known = stored.main.lse_temperatures
        missing = possible_views(self.model, self.part, samples, missing, self.outcome, self.advance, self.prefaces)
        todo = np.flatnonzero(missing.any(axis=1)).tolist()
        pending: list[pa.Table] = []
        flushed = time.monotonic()
        try:
            for chunk in self._chunks(todo, samples):
                pending += self._chunk(chunk, samples, missing, stored)
                if time.monotonic() - flushed > FLUSH_S:
                    self._flush(pending)
                    flushed = time.monotonic()
        finally:
            # Ctrl-C and errors come through here: what was asked is kept.
            self._flush(pending)

    @property
    def _mains(self) -> list[ViewSpec]:
        """The views that something is answered from, the image first."""
        return [self.part.views[0], *(view for view in self.part.views if view.key == view.main_key)]

    def _flush(self, pending: list[pa.Table]) -> None:
        if pending:
            write_rows(self.target, pa.concat_tables(pending))
            pending.clear()

    def _chunks(self, todo: list[int], samples: list[Sample]) -> Iterator[list[int]]:
        """Whole samples with equal labels: as many as the device may hold logits of, and as are asked in a few seconds."""
        most = max(1, min(512, CHUNK_LOGITS // (len(self.part.views) * self.model.vocab_size)))
        size = min(most, FIRST_CHUNK)
        by_labels: dict[tuple[str, ...], list[int]] = {}
        for index in todo:
            by_labels.setdefault(samples[index].labels, []).append(index)
        for indices in by_labels.values():
            start = 0
            while start < len(indices):
                some = indices[start : start + size]
                began = time.monotonic()
                yield some
                start += len(some)
                in_time = int(len(some) * CHUNK_S / max(time.monotonic() - began, 1e-3))
                size = max(1, min(most, in_time, 4 * size))

    def _chunk(
        self, chunk: list[int], samples: list[Sample], missing: NDArray[np.bool_], stored: Evidence
    ) -> list[pa.Table]:
        """Asks one chunk; returns a table per view."""
        began = time.perf_counter()
        try:
            reading = reading_of(self.model, samples[chunk[0]].labels)
        except IncompatibleCell as error:
            self._none_of(chunk, samples, missing, str(error))
            return []
        asks = self._asks(chunk, samples, missing)
        if not asks:
            return []
        logits = self._each_once([one for _, _, one in asks], reading)
        asks, logits = self._numbers_only(samples, asks, logits)
        seconds = (time.perf_counter() - began) / max(len(asks), 1)
        tops = {v.key: reduce.padded_top(stored.view(v).top_ids[chunk], self.model.device) for v in self._mains}
        place = {index: row for row, index in enumerate(chunk)}
        tables = []
        for at, view in enumerate(self.part.views):
            rows = [row for row, (_, its, _) in enumerate(asks) if its == at]
            if rows:
                of = [asks[row][0] for row in rows]
                where = np.array([place[i] for i in of])
                main_key = view.main_key or self.part.views[0].key
                if view.key == main_key:
                    own, values = reduce.top_tokens(logits[rows], self.demand, stored.view(view).kept[of])
                    tops[main_key] = tops[main_key].replaced(where, own)
                    main = None
                else:  # its own likeliest tokens are for reading; what is decided from it is said at the main ones
                    own, values = reduce.top_tokens(logits[rows], Demand())
                    main = tops[main_key].rows(where)
                read = _Read(logits[rows], own, values, main, seconds)
                tables.append(self._table([samples[i] for i in of], view, reading, read))
        self.outcome.asked += len(asks)
        self.outcome.steps += _forwards(asks)
        self.outcome.seconds += time.perf_counter() - began
        self.advance(len(asks))
        return tables

    def _asks(self, chunk: list[int], samples: list[Sample], missing: NDArray[np.bool_]) -> list[tuple[int, int, Ask]]:
        """(sample index, view index, ask) of everything missing in a chunk; what cannot be asked is recorded."""
        found = []
        for index in chunk:
            sample = samples[index]
            views = [at for at in range(len(self.part.views)) if missing[index, at]]
            try:
                pictures = tuple(picture_of(self.folder, name) for name in sample.images)
            except ArtifactError as error:
                self._none_of([index], samples, missing, str(error))
                continue
            asks = [
                Ask(sample, view, pictures, self.prefaces.text(sample, view))
                for view in (self.part.views[at] for at in views)
            ]
            reason = next(filter(None, map(self.model.refuses, asks)), None)
            if reason:
                self._none_of([index], samples, missing, f"the model cannot be asked this: {reason}")
                continue
            found += [(index, at, one) for at, one in zip(views, asks, strict=True)]
        return found

    def _none_of(self, chunk: list[int], samples: list[Sample], missing: NDArray[np.bool_], error: str) -> None:
        """Records samples that cannot be asked at all."""
        for index in chunk:
            self.outcome.fail(self.part, samples[index].sample_id, "every", error)
            self.advance(int(missing[index].sum()))

    def _numbers_only(
        self, samples: list[Sample], asks: list[tuple[int, int, Ask]], logits: Any
    ) -> tuple[list[tuple[int, int, Ask]], Any]:
        """Drops samples of which a view gave NaN or +∞ (an overflow in half precision): they fail, and decide nothing."""
        odd = (logits.isnan() | logits.isposinf()).any(dim=1) | logits.isneginf().all(dim=1)
        broken = {
            asks[row][0]: (asks[row][2].view.name, "NaN" if logits[row].isnan().any() else "infinity")
            for row in odd.nonzero()[:, 0].tolist()
        }
        if not broken:
            return asks, logits
        for index, (view, said) in broken.items():
            self.outcome.fail(
                self.part,
                samples[index].sample_id,
                "every",
                f"view {view!r} made the model say {said}; try dtype float32",
            )
        rows = [row for row, (index, _, _) in enumerate(asks) if index not in broken]
        return [asks[row] for row in rows], logits[rows]

    def _each_once(self, asks: list[Ask], reading: Reading) -> Any:
        """What the model says to all asks (ask, width); those that ask the same are asked once."""
        first: dict[tuple[str, str], int] = {}
        names = [(ask.sample.sample_key, ask.view.asked) for ask in asks]
        for index, name in enumerate(names):
            first.setdefault(name, index)
        logits = self._forward([asks[index] for index in first.values()], reading)
        if len(first) == len(asks):
            return logits
        row = {name: row for row, name in enumerate(first)}
        return logits[[row[name] for name in names]]

    def _forward(self, asks: list[Ask], reading: Reading) -> Any:
        """What the model says to all asks (ask, width), in few forwards of similar length."""
        import torch

        encoded = self.model.encode(asks)
        order = sorted(range(len(asks)), key=lambda i: encoded[i].length, reverse=True)
        logits = torch.empty((len(asks), reading.width), dtype=torch.float32, device=self.model.device)
        start = 0
        while start < len(order):
            rows = max(1, self.tokens // (encoded[order[start]].length + reading.tokens_besides))
            some = order[start : start + min(rows, self.model.batch_limit or rows)]
            try:
                logits[some] = reading.run([encoded[i] for i in some])
            except torch.OutOfMemoryError:
                self._take_less(asks[some[0]], len(some))
                continue
            except RuntimeError as error:  # of CUDA, mostly: it says what, and not where
                raise ModelError(_where_it_broke([asks[i] for i in some], error)) from error
            start += len(some)
        return logits

    def _take_less(self, longest: Ask, rows: int) -> None:
        """Halves the forwards from here on: memory that did not suffice once will not suffice again."""
        import torch

        if rows == 1:
            raise ModelError(
                f"One prompt alone does not fit into the memory of {self.model.hardware}: sample {longest.sample.sample_id!r}, "
                f"view {longest.view.name!r}. Use a device with more memory, or a smaller dtype."
            )
        self.tokens //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _table(self, samples: list[Sample], view: ViewSpec, reading: Reading, read: _Read) -> pa.Table:
        """One view of a chunk in the evidence schema."""
        rows, labels = len(samples), samples[0].labels
        spellings = reading.spellings
        found = reduce.label_columns(read.logits, spellings, len(labels))
        if reading.label_tokens is not None:  # log-probabilities: what the labels hold of all that could be said
            found["label_mass"] = reduce.total_probability(read.logits)
        temperatures = reduce.temperatures_of(self.demand, self.known)
        lse, shifted = reduce.totals(read.logits, temperatures)
        margin = reduce.margins(read.values)
        return columns.table(
            {
                "sample_key": [s.sample_key for s in samples],
                "sample_id": [s.sample_id for s in samples],
                "view": view.name,
                "view_key": view.key,
                "labels": columns.same_list(labels, rows, pa.string()),
                "label_logits": columns.lists(found["label_logits"]),
                "label_mass": found["label_mass"],
                "spelling_ids": columns.same_list(spellings.ids, rows, pa.int32()),
                "spelling_of": columns.same_list(spellings.of, rows, pa.int8()),
                "spelling_logits": columns.lists(found["spelling_logits"]),
                "label_tokens": None
                if reading.label_tokens is None
                else columns.same_list(reading.label_tokens, rows, pa.int16()),
                "top_ids": columns.lists(read.top.ids.cpu().numpy().astype(np.int32), read.top.keep),
                "top_logits": columns.lists(read.values.cpu().numpy(), read.top.keep),
                "at_main": None if read.main is None else columns.lists(read.main.gather(read.logits), read.main.keep),
                "lse": lse,
                "lse_temperatures": columns.same_list(temperatures, rows, pa.float32()),
                "lse_shifted": columns.lists(shifted),
                "vocab_size": reading.width,
                "margin": margin,
                "near_tie": margin < NEAR_TIE.get(self.model.dtype, 0.0),
                "seconds": read.seconds,
                "device": self.model.hardware,
                "dtype": self.model.dtype,
            },
            rows,
        )


def _forwards(asks: list[tuple[int, int, Ask]]) -> int:
    """Rows of forwards that some asks take, those that ask the same once."""
    distinct = {(index, ask.view.asked): ask.view.kind for index, _, ask in asks}
    return sum(view_kinds.get(kind).passes for kind in distinct.values())


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of one view of some samples."""

    logits: Any  # (row, width)
    top: reduce.Top
    values: Any
    """Logits of `top`."""
    main: reduce.Top | None
    """The main view's likeliest tokens, at which a reference view is kept; None for the main view itself."""
    seconds: float
    """Per row."""


def _where_it_broke(asks: list[Ask], error: RuntimeError) -> str:
    named = ", ".join(f"{ask.sample.sample_id!r} under view {ask.view.name!r}" for ask in asks[:4])
    more = f" and {len(asks) - 4} more" if len(asks) > 4 else ""
    return (
        f"The model failed on sample {named}{more}: {' '.join(str(error).split())[:500]} What was asked before is kept. "
        "Run the same command with CUDA_LAUNCH_BLOCKING=1 for the exact place, or give the model `reference: true`."
    )


@lru_cache(maxsize=256)
def picture_of(folder: Path, name: str) -> NDArray[np.uint8]:
    """Questions about one image follow each other: it is read once."""
    return load_picture(folder, name)
