"""Who judges the written answers of a suite: an endpoint and a rubric, as a grid names them, checked while planning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mmplat.errors import ConfigError
from mmplat.models import bind as bind_model
from mmplat.records import ModelSpec, Record, SuiteSpec
from mmplat.rubrics import catalog as rubrics
from mmplat.suites import catalog as suites

DEFAULTS: Mapping[str, Any] = {"decoding": "greedy", "answer_tokens": 1024}
"""Of an endpoint's parameters, where a judge's differ from a model's: it writes a whole reply, the same one each time."""
FIXED: Mapping[str, Any] = {"answers": "sampled", "draws": 1}
WITHOUT_EFFECT = {
    *("key_env", "concurrency", "timeout_s", "max_retries"),
    *("max_tokens_spent", "max_cost", "price_in", "price_out"),
}
"""Parameters that change no reply: with others, what was judged stays judged."""
MEANINGLESS = ("answers", "draws", "top_logprobs", "system")


class JudgeEntry(BaseModel):
    """A judge: any OpenAI-compatible endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rubric: str | None = Field(None, description="what it is asked; default: the suite's own")
    params: dict[str, Any] = Field(description="of the endpoint: url, model, key_env, max_cost, … (docs/endpoints.md)")


class JudgeSpec(Record):
    """A judge with its rubric bound."""

    model: ModelSpec
    rubric: str
    version: int
    """Of the rubric."""

    @property
    def settings(self) -> dict[str, Any]:
        """What determines its judgments, as far as a grid says it."""
        return {"params": said_by(self.model), "rubric": self.rubric, "version": self.version}


def bind(entry: JudgeEntry, suite: SuiteSpec, *, where: str = "") -> JudgeSpec:
    """The judge of a suite; every mistake is told with its place in the grid."""
    own = suites.get(suite.kind).rubric
    if own is None:
        raise ConfigError(
            f"Suite {suite.name!r}{where} has a `judge`, but its answers are scored without one. Remove it; suites with a "
            f"judge: {', '.join(name for name, one in suites.items() if one.rubric)}."
        )
    rubric = rubrics.get(entry.rubric or own, where=where)
    model = bind_writer("judge", entry.params, prompted_by="rubric", where=where)
    return JudgeSpec(model=model, rubric=rubric.name, version=rubric.version)


def bind_writer(name: str, params: Mapping[str, Any], *, prompted_by: str, where: str = "") -> ModelSpec:
    """An endpoint that writes one whole reply to each prompt of ours: a judge, or whoever writes and checks questions."""
    refused = [param for param in MEANINGLESS if param in params]
    if refused:
        raise ConfigError(
            f"The {name}{where} has params.{', params.'.join(refused)}, which mean nothing for a {name}: its {prompted_by} says "
            "what it is asked, and it writes one reply. Remove them."
        )
    try:
        return bind_model(name, {"family": "endpoint", "params": {**DEFAULTS, **params, **FIXED}})
    except ConfigError as error:
        raise ConfigError(f"The {name}{where}: {error}") from error


def said_by(model: ModelSpec) -> dict[str, Any]:
    """The parameters of such an endpoint that its replies depend on."""
    return {name: value for name, value in model.params.items() if name not in WITHOUT_EFFECT}
