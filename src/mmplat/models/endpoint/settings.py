"""What a grid says of an endpoint (`params`), checked while planning. It holds the name of a key's variable, never a key."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mmplat.decoding import parse_decoding
from mmplat.errors import ConfigError
from mmplat.numbers import Number, Whole
from mmplat.records import DecodingSpec, ModelSpec

VERSION = 1
OPENAI = "api.openai.com"


class Settings(BaseModel):
    """The parameters of one endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """Base URL of the API, up to and with `/v1`."""
    model: str
    """What the endpoint calls the model."""
    key_env: str | None = None
    """Name of the environment variable that holds the key. OPENAI_API_KEY goes to OpenAI alone unless it is named here."""
    system: str | None = None
    answers: Literal["auto", "logprobs", "sampled"] = "auto"
    top_logprobs: Whole = Field(20, ge=2)
    draws: Whole = Field(10, ge=1)
    decoding: str = "sample"
    """How answers are drawn where no log-probabilities are told."""
    answer_tokens: Whole = Field(8, ge=1)
    """The longest drawn answer."""
    concurrency: Whole = Field(8, ge=1)
    max_retries: Whole = Field(6, ge=0)
    timeout_s: Number = Field(60.0, gt=0)
    max_tokens_spent: Whole | None = Field(None, ge=1)
    max_cost: Number | None = Field(None, gt=0)
    price_in: Number | None = Field(None, ge=0)
    price_out: Number | None = Field(None, ge=0)
    """Money for a million prompt tokens and a million answer tokens, in the currency of `max_cost`."""

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        """A URL is written into files and logs, so what could be a secret has no place in it."""
        # An @ behind the host is that of a password with a slash in it.
        if "@" in url or "?" in url or "#" in url:
            raise ValueError("no user name, password or query belongs there: name a variable in `key_env`")
        try:
            found = urlsplit(url)
            known = found.scheme in ("http", "https") and found.hostname and (found.port or 1)
        except ValueError:  # it repeats what it could not read
            known = False
        if not known:
            raise ValueError("a URL such as https://api.openai.com/v1 or http://localhost:8000/v1 is needed")
        return url.rstrip("/")

    @field_validator("key_env")
    @classmethod
    def _name_of_a_variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
            # Whoever puts the key itself here must not read it back from a log; some keys are words of letters and digits.
            raise ValueError("the name of an environment variable is needed, in capitals, not the key itself")
        return name

    @field_validator("decoding")
    @classmethod
    def _can_be_asked_for(cls, name: str) -> str:
        try:
            spec = parse_decoding(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if spec.top_k is not None:
            raise ValueError("chat APIs know no top_k: use 'greedy', 'sample', t<temperature>, p<top_p>")
        return name

    @model_validator(mode="after")
    def _cost_needs_prices(self) -> Settings:
        if self.max_cost is not None and (self.price_in is None or self.price_out is None):
            raise ValueError("max_cost needs price_in and price_out (money for a million tokens)")
        return self

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def variable(self) -> str | None:
        """Where the key is. A key of OpenAI's is not sent to a host that the grid merely names."""
        return self.key_env or ("OPENAI_API_KEY" if self.host == OPENAI else None)

    @property
    def drawn(self) -> DecodingSpec:
        return parse_decoding(self.decoding)


CHECKPOINT = ("path", "revision", "adapter", "dtype", "attention", "reference", "trust_remote_code", "pickled_weights")


def settings_of(spec: ModelSpec) -> Settings:
    """The settings of a model; every mistake in them is told at once, by its name and without its value."""
    try:
        return Settings.model_validate(spec.params)
    except ValidationError as error:
        lines = [_said(list(one["loc"]), one["type"], one["msg"]) for one in error.errors()]
        raise ConfigError(
            f"Model {spec.name!r} (family endpoint): {'; '.join(lines)}. Allowed params: {', '.join(Settings.model_fields)}; "
            "url and model are needed. See docs/endpoints.md."
        ) from None


def check(spec: ModelSpec) -> None:
    """Refuses, while planning, what an endpoint has not or does not know."""
    settings_of(spec)
    fields = ModelSpec.model_fields
    given = [name for name in CHECKPOINT if getattr(spec, name) != fields[name].default]
    if given:
        raise ConfigError(
            f"Model {spec.name!r} is an endpoint and has no {', '.join(given)}: what it runs is decided where it is served. "
            "Remove them, or record them in the model's name."
        )


def _said(place: list[int | str], kind: str, message: str) -> str:
    name = f"params.{place[0]}" if place else "params"
    if kind == "extra_forbidden":
        return f"{name} is unknown"
    return f"{name}: {message.removeprefix('Value error, ')}"
