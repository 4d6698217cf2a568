"""Which weights learn: all but the vision tower's, or low-rank adapters; and the folder that they are written to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mmplat.errors import ModelError
from mmplat.ids import NOTES, seed_from
from mmplat.models.identity import checkpoint_folder
from mmplat.models.teaching import Teachable
from mmplat.recipes import Lora, TrainingJob
from mmplat.records import ModelSpec
from mmplat.training.processes import whole

WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json", "*.pth", "*.pt", "*.gguf", *NOTES)
"""Files of a parent that its child does not inherit."""


def begin(taught: Teachable, job: TrainingJob) -> Any:
    """Opens what learns. Returns the handle that saves an adapter; None where whole weights are saved."""
    import torch

    network, recipe = taught.model.network, job.recipe
    torch.manual_seed(seed_from(recipe.seed, "begin") % 2**63)  # adapters begin at random
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


def save(taught: Teachable, job: TrainingJob, handle: Any, folder: Path, *, first: bool) -> None:
    """The trained weights as a folder of Hugging Face: an adapter, or a checkpoint that has its parent's processor.

    Every process takes part, since each may hold a part; the first one writes.
    """
    import torch

    network, dtype = taught.model.network.eval(), getattr(torch, job.recipe.dtype)
    whole_weights = {name: whole(weight.detach()) for name, weight in (handle or network).state_dict().items()}
    if not first:
        return
    if handle is not None:
        # Without embeddings: it would look for the base to see whether they changed.
        handle.save_pretrained(folder, state_dict=whole_weights, save_embedding_layers=False)
        return
    shutil.copytree(_parent(job.base), folder, ignore=shutil.ignore_patterns(*WEIGHTS))
    network.save_pretrained(folder, state_dict=_as(dtype, whole_weights))


def _as(dtype: Any, weights: dict[str, Any]) -> dict[str, Any]:
    """Weights of another kind; two names of one weight stay so, and it is written once."""
    made: dict[int, Any] = {}
    return {name: made.setdefault(weight.data_ptr(), weight.to(dtype)) for name, weight in weights.items()}


def _parent(base: ModelSpec) -> Path:
    """The folder of a checkpoint, of a hub name as it was downloaded."""
    local = checkpoint_folder(base.path)
    if local is not None:
        return local
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(str(base.path), revision=base.revision, local_files_only=True))
