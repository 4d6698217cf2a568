"""Any OpenAI-compatible chat API with images: closed models, vLLM, SGLang (docs/endpoints.md).

An endpoint is text in, text out: it makes the views that are a picture or no picture, and tells the log-probabilities of its
likeliest first tokens, or only answers that it draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmplat.models.base import Family, families
from mmplat.models.endpoint.settings import VERSION, check
from mmplat.records import ModelSpec
from mmplat.views import catalog as views

if TYPE_CHECKING:
    from mmplat.models.endpoint.client import Endpoint


def unavailable(kind: str) -> str | None:
    """What a chat message cannot carry."""
    view = views.get(kind)
    if view.preface is not None:
        return "an endpoint is asked each view by itself, and this one needs what the model wrote before"
    if view.image == "unk":
        return "an endpoint takes words and pictures, no unk token in place of a picture"
    if view.place == "inside":
        return "an endpoint shows what it says, nothing of the network behind it"
    if view.place == "pixels":
        return "an endpoint takes pictures and processes them itself, so nothing can be changed behind its processor"
    return None


def load(spec: ModelSpec) -> Endpoint:
    from mmplat.models.endpoint.client import Endpoint

    return Endpoint(spec)


FAMILY = Family(
    "endpoint",
    "any OpenAI-compatible chat API with images: closed models, vLLM, SGLang",
    load,
    version=VERSION,
    unavailable=unavailable,
    check=check,
    weightless=True,
    no_phrases="an endpoint tells probabilities of what it says itself, none of a given phrase: an open-weight model does",
)
families.add("endpoint", FAMILY)
