"""ask: one batch → evidence. Asks what is missing, keeps what was asked, survives being killed at any moment.

Rows that exist and reach far enough are not asked again; the model is loaded only when some are missing. Each suite is asked by
a `SuiteJob` (a `RemoteJob` where the model is behind a network), under a lock, and the batch's done-marker is written last.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.artifacts import Results, write_json
from mmplat.asking.outcome import Advance, Outcome
from mmplat.asking.prefaces import NO_PREFACES, Prefaces, read_prefaces, subjects
from mmplat.asking.remote_job import RemoteJob
from mmplat.asking.suite_job import SuiteJob
from mmplat.asking.writing_job import WritingJob, missing_writings, speakers_of
from mmplat.errors import ArtifactError
from mmplat.evidence.coverage import covered
from mmplat.evidence.files import ROWS, read_evidence
from mmplat.evidence.opening import set_aside_broken
from mmplat.evidence.tokens import remember_tokens
from mmplat.evidence.written import WRITTEN
from mmplat.heartbeats import Pulse
from mmplat.locks import in_use, only_writer
from mmplat.models import RemoteModel, families
from mmplat.models.identity import known_identity, located, model_key, remember_identity
from mmplat.preparing import load_metadata, load_samples
from mmplat.provenance import packages
from mmplat.records import Batch, BatchSuite, Demand, ModelSpec, Sample, Shard, ViewSpec
from mmplat.splits import refuse_seen
from mmplat.writings import prefaces_of as written_before


def ask(batch: Batch, results: Results, *, advance: Advance = lambda n: None) -> Outcome:
    """Asks what is missing of a batch and writes its done-marker. The model is loaded only when something is missing."""
    outcome = Outcome()
    expected = {part.name: expected_rows(part, results) for part in batch.suites}
    with in_use(results), Pulse(batch, results, outcome, expected) as pulse:

        def both(rows: int) -> None:
            pulse.advance(rows)
            advance(rows)

        identity = _ask(batch, results, outcome, pulse, both)
        write_json(results.batch_done(batch.key), _marker(batch, outcome, identity))
    return outcome


def _ask(batch: Batch, results: Results, outcome: Outcome, pulse: Pulse, advance: Advance) -> dict[str, Any]:
    """Asks the suites of a batch one after the other; returns who was asked."""
    here = located(batch.model, results)
    for part in batch.suites:
        refuse_seen(batch.model, part.suite, results)
    identity, model = _known(batch, here, results), None
    if identity is None:
        pulse.begin()
        model = families.get(batch.model.family).load(here)
        pulse.hardware, identity = model.hardware, dict(model.identity)
    key = model_key(identity)
    for part in batch.suites:
        folder = results.suite(part.suite.name, part.suite.key)
        samples = _distinct(folder, part.shard)
        pulse.suite(part.name, len(samples) * (len(part.views) + len(part.writings)))
        target = results.evidence(batch.model.name, part.suite.name, key)
        with only_writer(target, what=f"Evidence of {batch.model.name} on {part.name}", places=part.shard.places):
            missing, unwritten = _absent(target, samples, part, batch.demand)
            kept = missing.size - int(missing.sum()) + unwritten.size - int(unwritten.sum())
            outcome.kept += kept
            advance(kept)
            outcome.model_keys[part.suite.name] = key
            if missing.any() or unwritten.any():
                if model is None:  # it was complete a moment ago
                    raise ArtifactError(
                        f"Evidence in {target} was removed while it was read. Run the same command again."
                    )
                remember_identity(target, batch.model, identity)
                if isinstance(model, RemoteModel):
                    RemoteJob(model, part, folder, target, results.replies, outcome, advance).run(samples, missing)
                    continue
                first = prefaces_of(model, part, folder, target, outcome, samples)
                if missing.any():
                    SuiteJob(model, part, batch.demand, folder, target, outcome, advance, first).run(samples, missing)
                    remember_tokens(target, model)
                if unwritten.any():
                    WritingJob(model, part, folder, target, outcome, advance, first).run(samples, unwritten)
    return identity


def prefaces_of(
    model: Any, part: BatchSuite, folder: Path, target: Path, outcome: Outcome, samples: list[Sample]
) -> Prefaces:
    """What some views put before the question, written where it is missing; nothing by a model that cannot write."""
    views = [*part.views, *(speakers_of(list(part.writings))[0])]
    writings = written_before(views)
    if not writings or not hasattr(model, "prefill"):
        return NO_PREFACES
    about = subjects(samples)
    missing = missing_writings(target, about, writings)
    if missing.any():
        alone = BatchSuite(suite=part.suite, views=(), writings=writings, shard=part.shard)
        WritingJob(model, alone, folder, target, outcome, lambda n: None).run(about, missing)
    return read_prefaces(target, writings)


def expected_rows(part: BatchSuite, results: Results) -> int:
    """Rows of a suite or shard, near enough until its samples are read: equal samples are asked once."""
    n: int = load_metadata(results.suite(part.suite.name, part.suite.key))["n"]
    return n * (len(part.views) + len(part.writings)) // part.shard.of


def _known(batch: Batch, here: ModelSpec, results: Results) -> dict[str, Any] | None:
    """The identity under which every row of the batch is there, so that no model needs to be loaded; else None.

    Where a row is missing, the model that is loaded says itself who it is: on another device it may be another one.
    """
    folders = [results.evidence(batch.model.name, part.suite.name, "any").parent for part in batch.suites]
    identity = known_identity(batch.model, folders, found=here)
    if identity is None:
        return None
    for part in batch.suites:
        target = results.evidence(batch.model.name, part.suite.name, model_key(identity))
        samples = _distinct(results.suite(part.suite.name, part.suite.key), part.shard)
        if any(absent.any() for absent in _absent(target, samples, part, batch.demand)):
            return None
    return identity


def _distinct(folder: Path, shard: Shard) -> list[Sample]:
    """The samples of a suite's shard, equal ones once."""
    return list({s.sample_key: s for s in load_samples(folder) if shard.holds(s)}.values())


def _absent(
    target: Path, samples: list[Sample], part: BatchSuite, demand: Demand
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which (sample, view) and which (sample, writing) must be asked.

    Where a part of the evidence cannot be used, it is set aside, and what it held is absent.
    """

    def look() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return _missing(target, samples, part.views, demand), missing_writings(target, samples, part.writings)

    try:
        return look()
    except ArtifactError:
        if not [broken for kind in (ROWS, WRITTEN) for broken in set_aside_broken(target, kind)]:
            raise
        return look()


def _missing(folder: Path, samples: list[Sample], views: tuple[ViewSpec, ...], demand: Demand) -> NDArray[np.bool_]:
    """Which (sample, view) must be asked: absent, or not reaching as far as `demand` looks."""
    if not views:
        return np.zeros((len(samples), 0), bool)
    stored = read_evidence(folder, samples, list(views))
    missing = np.empty((len(samples), len(views)), bool)
    for index, view in enumerate(views):
        rows, main = stored.view(view), stored.main_of(view)
        enough = covered(main, demand)
        if rows is not main:
            width = 0 if rows.at_main is None else (~np.isnan(rows.at_main)).sum(axis=1)
            # A main row that is asked again may keep other tokens: what its references say at them must follow.
            enough &= rows.present & ((width == main.kept) | rows.final)
        missing[:, index] = ~enough
    return missing


def _marker(batch: Batch, outcome: Outcome, identity: dict[str, Any]) -> dict[str, Any]:
    """What the done-marker says: nothing that changes when the batch is asked again and nothing is missing, but the cost."""
    return {
        "batch": batch.key,
        "model": batch.model.name,
        "identity": identity,
        "evidence": outcome.model_keys,
        "asked": outcome.asked,
        "kept": outcome.kept,
        "seconds": round(outcome.seconds, 3),
        "failures": outcome.failures,
        "versions": packages(),
    }
