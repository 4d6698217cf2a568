"""What a job is told: which views of which samples to ask, how far to look, and what to write."""

from __future__ import annotations

from pydantic import Field

from mmplat.ids import content_id
from mmplat.records.axes import MACHINE_SETTINGS, DecodingSpec, MethodSpec, ModelSpec, SuiteSpec, ViewSpec
from mmplat.records.base import Record
from mmplat.records.questions import Sample


class Demand(Record):
    """How much of a next-token row the decisions of a grid need, so that each of them is exact."""

    top_k: int = 256
    """Keep at least this many of the largest logits."""
    min_beta: float | None = None
    """Keep every token whose logit is at least the largest plus log(min_beta): what a plausibility mask may let through."""
    nuclei: tuple[tuple[float, float], ...] = ()
    """(temperature, top_p) pairs whose nucleus must lie inside what is kept."""
    temperatures: tuple[float, ...] = ()
    """Temperatures at which the log-sum-exp of the whole row is needed."""


PLACES = 2**16
"""Samples are spread over this many places by a hash of their images; a shard is a range of places."""


class Shard(Record):
    """The part `index` of `of` of a suite.

    Where a sample lies depends on its images alone: questions about one image stay together, and whatever the number of
    parts, two shards that hold a common sample have a common place, which one lock can guard.
    """

    index: int = 0
    of: int = Field(1, ge=1, le=PLACES)

    @property
    def places(self) -> range:
        return range(self.index * PLACES // self.of, (self.index + 1) * PLACES // self.of)

    def holds(self, sample: Sample) -> bool:
        return self.of == 1 or sample.place in self.places

    def __str__(self) -> str:
        return f" {self.index + 1}/{self.of}" if self.of > 1 else ""


class Writing(Record):
    """One way of answering in words: a method, a decoding and a seed."""

    method: MethodSpec
    decoding: DecodingSpec
    seed: int
    longest: int

    @property
    def key(self) -> str:
        """Names its answers: two spellings of one way share them."""
        method = self.method.model_dump(exclude={"name"})
        return content_id([method, self.decoding.settings, self.seed, self.longest])


class BatchSuite(Record):
    """One suite inside a batch, or a shard of it: what to ask, the main view first."""

    suite: SuiteSpec
    views: tuple[ViewSpec, ...]
    writings: tuple[Writing, ...] = ()
    """Answers to be written, where the suite is answered in words."""
    shard: Shard = Shard()

    @property
    def name(self) -> str:
        return f"{self.suite.name}{self.shard}"


class Batch(Record):
    """The evidence that one job gathers: one model load, many suites and views."""

    model: ModelSpec
    suites: tuple[BatchSuite, ...]
    demand: Demand

    @property
    def key(self) -> str:
        said = self.model_dump(mode="json", exclude={"model": MACHINE_SETTINGS})
        for part, one in zip(said["suites"], self.suites, strict=True):
            part["suite"] = {
                k: v for k, v in part["suite"].items() if k not in ("places", "content")
            } | one.suite.settings
        return content_id(said)
