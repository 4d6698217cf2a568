"""Checkpoint → network and processor in memory: safetensors only, no remote code, offline where it is local, quiet."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmplat.errors import ModelError
from mmplat.ids import content_id, folder_id
from mmplat.models.identity import checkpoint_folder
from mmplat.records import ModelSpec


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checkpoint in memory, and what determines what it says."""

    network: Any
    processor: Any
    device: str
    hardware: str
    dtype: str
    identity: dict[str, Any]


ProcessorLoader = Callable[..., Any]


def load(spec: ModelSpec, *, family: str, version: int, processor: ProcessorLoader | None = None) -> Loaded:
    """Loads what `spec` names. `processor` loads a family's processor in its own way: (path, **options) → processor."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = _device(spec)
    dtype = _dtype(spec, device)
    local = checkpoint_folder(spec.path)
    where = str(local or spec.path)
    _expect_checkpoint(spec, local)
    options = {"revision": spec.revision, "trust_remote_code": spec.trust_remote_code}
    loaded_processor = _try(
        spec,
        where,
        "Its processor",
        lambda: (processor or AutoProcessor.from_pretrained)(where, **options),
        "The folder needs the tokenizer's and the image processor's files (tokenizer.json, preprocessor_config.json, "
        "processor_config.json).",
    )
    network = _try(
        spec,
        where,
        "It",
        lambda: AutoModelForImageTextToText.from_pretrained(
            where,
            dtype=getattr(torch, dtype),
            use_safetensors=None if spec.pickled_weights else True,
            attn_implementation=spec.attention,
            device_map=spec.device_map,
            **options,
        ),
        "Give a folder with config.json, *.safetensors, the tokenizer and the processor's files; a download that was cut "
        "off leaves broken files: fetch it again.",
    )
    revision = folder_id(local) if local else getattr(network.config, "_commit_hash", None)
    adapter = None
    if spec.adapter is not None:
        network, adapter = _with_adapter(spec, network)
    network = network.eval() if spec.device_map else network.eval().to(device)
    identity = {
        "family": family,
        "adapter": version,  # of the family's file; the fine-tuning is called peft
        "revision": revision,
        "dtype": dtype,
        "attention": network.config._attn_implementation,
        "template": content_id(loaded_processor.chat_template or ""),
        "processor": content_id(_plain_settings(getattr(loaded_processor, "image_processor", None))),
        **({"peft": adapter} if adapter else {}),
        **({"reference": True} if spec.reference else {}),
    }
    hardware = torch.cuda.get_device_name(torch.device(device)) if device.startswith("cuda") else device
    return Loaded(network, loaded_processor, device, hardware, dtype, identity)


def _device(spec: ModelSpec) -> str:
    import torch

    if spec.device != "auto":
        return spec.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _dtype(spec: ModelSpec, device: str) -> str:
    if spec.reference:
        return "float32"
    if spec.dtype != "auto":
        return spec.dtype
    return "bfloat16" if device.startswith("cuda") else "float32"


def _expect_checkpoint(spec: ModelSpec, local: Path | None) -> None:
    """A path that is meant as a folder and is none would be looked up on a hub, with a message about the network."""
    path = str(spec.path)
    if local is None and (path.startswith((".", "~", "/")) or path.count("/") != 1):
        raise ModelError(
            f"Model {spec.name!r}: there is no checkpoint folder {path!r}. Give a local folder or a hub name."
        )


def _try(spec: ModelSpec, where: str, what: str, load: Callable[[], Any], advice: str) -> Any:
    try:
        return load()
    except Exception as error:  # transformers raises a dozen kinds; each means that this checkpoint cannot be used
        raise ModelError(
            f"Model {spec.name!r} cannot be loaded from {where!r}. {what} failed: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:600].rstrip('.')}. {advice}"
        ) from error


def _with_adapter(spec: ModelSpec, network: Any) -> tuple[Any, str]:
    """The network with a fine-tuning merged into its weights, and the content of that fine-tuning."""
    try:
        from peft import PeftModel
    except ImportError as error:
        raise ModelError(
            f"Model {spec.name!r} has an adapter, and peft is not installed. Run: pip install 'mmplat[adapters]'."
        ) from error
    local = Path(str(spec.adapter)).expanduser()
    where = str(local) if local.is_dir() else str(spec.adapter)
    advice = "Give a folder with adapter_config.json and adapter_model.safetensors, made for this very architecture."
    pickled, safe = (local / f"adapter_model.{ending}" for ending in ("bin", "safetensors"))
    if pickled.exists() and not safe.exists() and not spec.pickled_weights:  # peft would take them
        raise ModelError(
            f"Model {spec.name!r}: the weights of its adapter {where!r} are no safetensors, and loading others can run code. "
            "Convert them; or, if you trust them, give the model `pickled_weights: true`."
        )
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "error", "Found missing adapter keys"
        )  # it would be loaded as if nothing had been trained
        tuned = _try(spec, where, "Its adapter", lambda: PeftModel.from_pretrained(network, where), advice)
    return tuned.merge_and_unload(), folder_id(local) if local.is_dir() else where


def _plain_settings(processor: Any) -> dict[str, Any]:
    """The settings of an image processor that change pictures; not where it came from.

    Its class is one of them, and stands in none of its files: with torchvision another one is loaded than without, which
    resizes a little differently.
    """
    if processor is None:
        return {}
    plain = (str, int, float, bool, list, tuple, dict)
    said = {k: v for k, v in processor.to_dict().items() if not k.startswith("_") and isinstance(v, plain)}
    return {**said, "class": type(processor).__name__}
