"""What a grid names, with parameters bound: views, decodings, methods, conditions, suites, models. What determines their numbers is
in their keys."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mmplat.ids import content_id
from mmplat.numbers import Number, Whole
from mmplat.records.base import Record


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

    gpus: Whole | None = Field(None, ge=0)
    gpu_type: str | None = None
    mem_gb: Number | None = Field(None, gt=0)
    samples_per_s: Number | None = Field(None, gt=0)
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
    def runs_foreign_code(self) -> bool:
        """Whether loading it runs code of a checkpoint, or of a hub that its attention implementation names."""
        return self.trust_remote_code or "/" in (self.attention or "")

    @property
    def settings(self) -> dict[str, Any]:
        """What determines what the model says: machine settings are in no key, and a training is named by its weights."""
        return self.model_dump(mode="json", exclude=MACHINE_SETTINGS)

    @property
    def key(self) -> str:
        return content_id(self.settings)


MACHINE_SETTINGS = {"device", "device_map", "needs", "training"}
