"""An ask as a chat request: named by its content before any picture is encoded."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ArtifactError
from mmplat.ids import bytes_id, content_id
from mmplat.image_files import UnreadableImage, open_rgb
from mmplat.models.base import Ask
from mmplat.records import Prompt
from mmplat.views import catalog as views


@dataclass(frozen=True, slots=True)
class Request:
    """One chat completion: the pictures and the text of a user's turn, and how to answer."""

    text: str
    pictures: tuple[NDArray[np.uint8], ...]
    system: str | None
    options: dict[str, Any]
    """Model and decoding, as the API spells them."""

    @property
    def key(self) -> str:
        """Hash of all that is asked. Pictures count by their pixels, not by the bytes of a PNG encoder's version."""
        pixels = [bytes_id(f"{p.shape}:".encode() + np.ascontiguousarray(p).tobytes()) for p in self.pictures]
        return content_id({"text": self.text, "pictures": pixels, "system": self.system, **self.options}, length=32)

    @property
    def body(self) -> dict[str, Any]:
        pictures = [{"type": "image_url", "image_url": {"url": data_url(p)}} for p in self.pictures]
        user = {"role": "user", "content": [*pictures, {"type": "text", "text": self.text}]}
        system = [{"role": "system", "content": self.system}] if self.system is not None else []
        return {**self.options, "messages": [*system, user]}


def request_for(ask: Ask, system: str | None, options: dict[str, Any]) -> Request:
    """The request of a view. A view without its picture differs from the others in that part alone."""
    return Request(ask.question, _seen(ask), system, options)


def shown_by(prompt: Prompt) -> tuple[NDArray[np.uint8], ...]:
    """The picture of a prompt that has one."""
    if prompt.image is None:
        return ()
    try:
        return (np.asarray(open_rgb(prompt.image)),)
    except (UnreadableImage, FileNotFoundError) as error:
        raise ArtifactError(f"Image {prompt.image} of a prompt cannot be read ({error}).") from error


def _seen(ask: Ask) -> tuple[NDArray[np.uint8], ...]:
    kind = views.get(ask.view.kind)
    if kind.image == "drop":
        return ()
    if kind.place != "picture":
        return ask.pictures
    return tuple(kind.transform(p, ask.view.params, ask.seed + i) for i, p in enumerate(ask.pictures))


def data_url(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
