"""Answers in words → decisions: what was written is parsed, and an answer that says no label is counted as such."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.deciding.cells import Context, Decided
from mmplat.deciding.judged import ByOrder
from mmplat.decoding.filters import Answers
from mmplat.plan import Seeded
from mmplat.records import DecodingSpec
from mmplat.suites import catalog as suites
from mmplat.writings import writing_of


def written_cells(context: Context, seeded: Seeded) -> list[Decided]:
    """All decodings of one method on a suite that is answered in words."""
    return [_cell(context, seeded, decoding) for decoding in context.plan.grid.decodings]


def _cell(context: Context, seeded: Seeded, decoding: DecodingSpec) -> Decided:
    began = time.perf_counter()
    writing = writing_of(seeded.method, seeded.seed, decoding, context.pair.suite)
    assert writing is not None
    keys = pl.DataFrame({"sample_key": [s.sample_key for s in context.samples]})
    mine = context.written.filter(pl.col("writing") == writing.key)
    said = keys.join(mine, on="sample_key", how="left", maintain_order="left")
    texts = said["text"].to_list()
    rows = np.flatnonzero(said["text"].is_not_null().to_numpy())
    judged, undecided = _judged(context, writing.key, texts, rows)
    rows = np.array([row for row in rows if row not in undecided], np.int64)
    parse = suites.get(context.pair.suite.kind).parse
    probs = np.zeros((len(rows), int(context.evidence.n_labels.max())))
    for at, row in enumerate(rows):
        sample = context.samples[row]
        label = parse(texts[row], sample)
        if label is not None:
            probs[at, sample.labels.index(label)] = 1.0
    return Decided(
        seeded,
        decoding,
        rows,
        Answers(probs, 1.0 - probs.sum(axis=1)),
        float(said["seconds"].sum() or 0.0) + time.perf_counter() - began,
        undecided,
        texts=texts,
        forwards=int(said["forwards"].sum() or 0),
        judged=judged,
    )


def _judged(
    context: Context, writing: str, texts: list[str], rows: NDArray[np.int64]
) -> tuple[dict[int, ByOrder] | None, dict[int, str]]:
    """What the judge said of each sample, and why it said nothing of the others; None where there is no judge."""
    judgments = context.judgments
    if judgments is None:
        return None, {}
    found = {row: judgments.of(context.samples[row], writing, texts[row]) for row in rows.tolist()}
    undecided = {row: judgments.why_not(context.samples[row], writing) for row, one in found.items() if one is None}
    return {row: one for row, one in found.items() if one is not None}, undecided
