"""A zero-shot image classifier (CLIP, SigLIP and their relatives, through transformers): embeddings of images and of classes.

No model of a grid: a build asks it which images it takes for something else. Safetensors only, no remote code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ModelError
from mmplat.ids import folder_id
from mmplat.models.identity import checkpoint_folder

Embeddings = NDArray[np.float32]  # (rows, width), of length 1


class ZeroShot:
    """One classifier in memory."""

    def __init__(self, path: str, *, revision: str | None = None, device: str = "auto") -> None:
        import torch
        from transformers import AutoModel, AutoProcessor
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        local = checkpoint_folder(path)
        where = str(local or path)
        options: dict[str, Any] = {"revision": None if local else revision, "trust_remote_code": False}
        self._processor = _loaded(where, "Its processor", lambda: AutoProcessor.from_pretrained(where, **options))
        network = _loaded(
            where,
            "It",
            lambda: AutoModel.from_pretrained(where, use_safetensors=True, dtype=torch.float32, **options),
        )
        if not (hasattr(network, "get_image_features") and hasattr(network, "get_text_features")):
            raise ModelError(
                f"{where} ({type(network).__name__}) embeds no images and texts. Give CLIP or a relative of it."
            )
        self._device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self._network = network.eval().to(self._device)
        self.identity = {
            "model": None if local else path,
            "revision": folder_id(local) if local else revision,
            "class": type(network).__name__,
            "dtype": "float32",
        }

    def classes(self, texts: Sequence[Sequence[str]]) -> Embeddings:
        """One embedding for each class: the mean over its prompts."""
        return np.stack([_unit(self._texts(list(prompts)).mean(axis=0, keepdims=True))[0] for prompts in texts])

    def images(self, pictures: Sequence[NDArray[np.uint8]]) -> Embeddings:
        """(height × width × 3) each."""
        given = self._processor(images=list(pictures), return_tensors="pt")
        return self._embedded(self._network.get_image_features, given)

    def _texts(self, texts: list[str]) -> Embeddings:
        # Padded to the full length: SigLIP was trained so, and CLIP reads nothing behind the end of a text.
        given = self._processor(text=texts, padding="max_length", truncation=True, return_tensors="pt")
        return self._embedded(self._network.get_text_features, given)

    def _embedded(self, embed: Callable[..., Any], given: Any) -> Embeddings:
        import torch

        with torch.inference_mode():
            said = embed(**given.to(self._device))
        features = getattr(said, "pooler_output", said)  # older families give the tensor itself
        return _unit(features.float().cpu().numpy())


def _unit(rows: NDArray[np.float32]) -> Embeddings:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def _loaded(where: str, what: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # transformers raises a dozen kinds; each means that this checkpoint cannot be used
        raise ModelError(
            f"The zero-shot model cannot be loaded from {where!r}. {what} failed: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:600]} Give a folder (or a hub name with its revision) with config.json, "
            "*.safetensors, and the files of the tokenizer and the image processor."
        ) from error
