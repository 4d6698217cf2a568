"""The nouns of mmplat as values: what rooms pass to each other and what crosses a file.

Pydantic (frozen, no unknown keys) for what is written to or read from a file; names are those of docs/architecture.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmplat.ids import content_id, file_id


class Record(BaseModel):
    """Base of everything that crosses a file or a process."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ViewSpec(Record):
    """One view of a sample: a kind and its parameters. Its name is the kind where all parameters are the default."""

    name: str
    kind: str
    version: int = 1
    params: dict[str, int | float | str] = Field(default_factory=dict)
    main: str | None = Field(None, exclude_if=lambda main: main is None)
    """What is asked by the main view at whose likeliest tokens it is kept; None: by the image."""

    @property
    def asked(self) -> str:
        """What the model is asked: views that differ in nothing else share a forward."""
        return content_id({"kind": self.kind, "params": self.params, "version": self.version})

    @property
    def key(self) -> str:
        """Identity of the view in the evidence: two spellings of one view share their evidence."""
        return self.asked if self.main is None else content_id([self.asked, self.main])

    @property
    def main_key(self) -> str | None:
        """Key of its main view, its own where it is one; None: the image."""
        return None if self.main is None else content_id([self.main, self.main])

    def seen_from(self, main: ViewSpec) -> ViewSpec:
        """This view for a method that answers from `main`, or `main` itself as such."""
        name = self.name if self.asked == main.asked else f"{self.name}@{main.name}"
        return self.model_copy(update={"name": name, "main": main.asked})


class DecodingSpec(Record):
    """How a token is chosen. Filters apply in the order of transformers: temperature, top-k, top-p."""

    name: str
    greedy: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the numbers; the name does not."""
        if self.greedy:
            return {"greedy": True}
        return {"temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p}


class MethodSpec(Record):
    """A method with its parameters bound."""

    name: str
    family: str
    version: int
    params: dict[str, float | int | str] = Field(default_factory=dict)
    kind: str = ""
    """What it is called without its parameters."""


class ConditionSpec(Record):
    """What is changed about every sample of a suite before anything is asked, with its parameters bound."""

    name: str
    kind: str
    version: int
    params: dict[str, int | float | str] = Field(default_factory=dict)
    places: tuple[str, ...] = ()
    """Parameters that say where its data lie."""
    content: str | None = None
    """What lies there, by content; None: it reads no data."""

    @property
    def settings(self) -> dict[str, Any]:
        """What determines what it makes of a sample."""
        params = {name: value for name, value in self.params.items() if name not in self.places}
        return {"kind": self.kind, "version": self.version, "params": params, "content": self.content}


class SuiteSpec(Record):
    """A suite with its parameters bound; `limit` cuts it to its first samples."""

    name: str
    kind: str
    version: int
    params: dict[str, Any] = Field(default_factory=dict)
    limit: int | None = None
    places: tuple[str, ...] = ()
    """Parameters that say where its data lie: on another machine they lie elsewhere."""
    content: str | None = None
    """What lies there, by content; None: it reads no data."""
    answers: Literal["labels", "text"] = "labels"
    """How a model answers: its labels' probabilities are read, or it writes and its text is parsed."""
    longest: int = Field(16, ge=1)
    """Tokens of a written answer at most."""
    condition: ConditionSpec | None = Field(None, exclude_if=lambda condition: condition is None)
    """What is changed about its samples; None: they are as the suite has them."""

    @property
    def settings(self) -> dict[str, Any]:
        """What determines its samples: not where its data lie, but what lies there."""
        said = self.model_dump(mode="json", exclude={"name", "places", "content", "answers", "longest", "condition"})
        said["params"] = {name: value for name, value in self.params.items() if name not in self.places}
        said |= {} if self.content is None else {"content": self.content}
        return said if self.condition is None else {**said, "condition": self.condition.settings}

    def under(self, condition: ConditionSpec) -> SuiteSpec:
        """The same samples, changed: their ids stay, so that answers can be paired."""
        return self.model_copy(update={"name": f"{self.name}@{condition.name}", "condition": condition})

    @property
    def unconditioned(self) -> SuiteSpec:
        """The suite as it is."""
        if self.condition is None:
            return self
        name = self.name.removesuffix(f"@{self.condition.name}")
        return self.model_copy(update={"name": name, "condition": None})

    @property
    def key(self) -> str:
        """Names the prepared folder."""
        return content_id(self.settings)


class Needs(Record):
    """What a model's job needs of a cluster, as its grid declares it."""

    gpus: int | None = None
    gpu_type: str | None = None
    mem_gb: float | None = None
    samples_per_s: float | None = None
    """Forward passes per second (one view of one sample each): an estimate, for sizing jobs until something was measured."""


class TrainingSpec(Record):
    """What a trained model came from, by name; what determines its weights is in its key (`recipes.TrainingJob`)."""

    key: str
    """Names the folder of its weights below results/trained/."""
    recipe: str
    base: str
    """The model that it was before."""


class ModelSpec(Record):
    """A model as the grid names it. `path` is a local folder or a hub name; `dtype: auto` follows the device."""

    name: str
    family: str
    path: str | None = None
    revision: str | None = None
    adapter: str | None = None
    """A LoRA or other PEFT adapter on top: a local folder or a hub name."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    attention: str | None = None
    """Attention implementation of transformers; None: its own choice."""
    reference: bool = False
    """For disputes: one prompt at a time, in float32."""
    trust_remote_code: bool = False
    pickled_weights: bool = False
    """Allow weights that are no safetensors."""
    params: dict[str, Any] = Field(default_factory=dict)
    device: str = "auto"
    device_map: str | None = None
    needs: Needs = Needs()
    training: TrainingSpec | None = Field(None, exclude_if=lambda training: training is None)
    """How it was fine-tuned; its weights lie where `path` or `adapter` says `trained:KEY`."""

    @property
    def settings(self) -> dict[str, Any]:
        """What determines what the model says: machine settings are in no key, and a training is named by its weights."""
        return self.model_dump(mode="json", exclude=MACHINE_SETTINGS)

    @property
    def key(self) -> str:
        return content_id(self.settings)


MACHINE_SETTINGS = {"device", "device_map", "needs", "training"}


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


@dataclass(frozen=True, slots=True)
class Cell:
    """model × suite × decoding × method × seed, by name."""

    model: str
    suite: str
    decoding: str
    method: str
    seed: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One question as prepared: what is asked, what may be answered, what is right, and which images belong to it."""

    sample_id: str
    sample_key: str
    """Hash of question, labels and image bytes: evidence is joined by it, so equal samples share their evidence."""
    cluster: str
    """Samples of one cluster (questions about one image) are not independent; intervals respect it."""
    question: str
    options: tuple[str, ...]
    labels: tuple[str, ...]
    gold: str
    images: tuple[str, ...]
    """File names below the `images/` folder of the prepared suite, named by content."""
    groups: dict[str, str] = field(default_factory=dict)
    reference: dict[str, Any] = field(default_factory=dict)
    """What an answer in words is judged by (a reference answer, the objects that are there): JSON values, shown to no model."""

    @property
    def place(self) -> int:
        """Which of the places of a suite's shards the sample has, by content; without images each sample has its own."""
        return int(content_id(self.images or [self.sample_key], length=4), 16)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Words for a model that answers in words."""

    text: str
    system: str | None = None
    image: Path | None = None
    """A picture that is shown before the words; opened when it is asked about, so that no run holds all of them."""

    @property
    def key(self) -> str:
        shown = {} if self.image is None else {"image": file_id(self.image)}
        return content_id({"text": self.text, "system": self.system, **shown})


RunStatus = Literal["done", "incomplete", "failed"]


class RunRecord(Record):
    """One cell as recorded: what was run, on what, at which cost, from which versions."""

    run_id: str
    campaign: str
    model: str
    suite: str
    decoding: str
    method: str
    seed: int
    origin: Literal["measured", "imported"] = "measured"
    """Whether mmplat asked the model, or answers were brought from elsewhere."""
    status: RunStatus
    error: str | None = None
    n: int
    """Samples that were decided."""
    n_failed: int = 0
    """Samples without evidence; they are in no metric."""
    n_near_ties: int = 0
    """Samples whose two likeliest tokens are closer than the arithmetic of the device can tell apart."""
    forward_passes: int
    """What this cell costs when it is run alone; cells of one model and suite share them."""
    seconds: float
    """Asking seconds of the views this cell uses (shared with other cells) plus its own deciding."""
    device: str
    dtype: str
    git_revision: str | None = None
    git_dirty: bool | None = None
    model_key: str
    """Identity of the model: revision, dtype, processor, template."""
    suite_key: str
    """Identity of the prepared suite."""
    evidence_key: str
    """Identity of the evidence this run was decided from."""
    settings: dict[str, Any]
    """Decoding settings and method parameters, resolved."""
    versions: dict[str, str]
    """Versions of packages and extensions behind the numbers."""


class MetricRecord(Record):
    """An aggregate of one run: `subset` is `all`, `group=value`, or `worst:group`."""

    run_id: str
    metric: str
    subset: str
    value: float | None
    """None where the metric is undefined (no positive prediction: no precision)."""
    low: float | None
    high: float | None
    n: int
