"""Which weights learn: all but the vision tower's, or low-rank adapters; and the folder that they are written to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mmplat.errors import ModelError
from mmplat.ids import NOTES
from mmplat.models.identity import checkpoint_folder
from mmplat.models.teaching import Teachable
from mmplat.recipes import Lora, TrainingJob
from mmplat.records import ModelSpec

WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json", "*.pth", "*.pt", "*.gguf", *NOTES)
"""Files of a parent that its child does not inherit."""


def begin(taught: Teachable, job: TrainingJob) -> Any:
    """Opens what learns. Returns the handle that saves an adapter; None where whole weights are saved."""
    network, recipe = taught.model.network, job.recipe
    if recipe.gradient_checkpointing:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    handle = None
    if recipe.lora is not None:
        handle = _with_adapters(taught, recipe.lora, job.base)
    else:
        network.requires_grad_(True)
        taught.eye.requires_grad_(False)
    network.train()
    taught.eye.eval()
    return handle


def _with_adapters(taught: Teachable, lora: Lora, base: ModelSpec) -> Any:
    """Low-rank adapters inside the network, which stays the object that is asked."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ModelError(
            "The recipe has `lora`, and peft is not installed. Run: pip install 'mmplat[adapters]'."
        ) from error
    wanted = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets or linear_layers(taught),
    )
    handle = get_peft_model(taught.model.network, wanted)
    # Where it lies on this machine is nothing that the adapter is.
    handle.peft_config["default"].base_model_name_or_path = base.path
    return handle


def linear_layers(taught: Teachable) -> list[str]:
    """Names of the linear layers inside the language model's blocks."""
    import torch

    layers = {id(module) for module in taught.mouth.modules() if isinstance(module, torch.nn.Linear)}
    layers.discard(id(taught.model.network.get_output_embeddings()))
    return [name for name, module in taught.model.network.named_modules() if id(module) in layers]


def save(taught: Teachable, job: TrainingJob, handle: Any, folder: Path) -> None:
    """The trained weights as a folder of Hugging Face: an adapter, or a checkpoint that has its parent's processor."""
    import torch

    if handle is not None:
        handle.save_pretrained(folder)
        return
    shutil.copytree(_parent(job.base), folder, ignore=shutil.ignore_patterns(*WEIGHTS))
    network = taught.model.network.eval()
    network.to(getattr(torch, job.recipe.dtype)).save_pretrained(folder)


def _parent(base: ModelSpec) -> Path:
    """The folder of a checkpoint, of a hub name as it was downloaded."""
    local = checkpoint_folder(base.path)
    if local is not None:
        return local
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(str(base.path), revision=base.revision, local_files_only=True))
