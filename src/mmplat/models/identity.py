"""Which evidence belongs to a model: the identity that is written beside it, and how to recognise it without torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmplat.artifacts import Results, read_json, write_json
from mmplat.errors import ModelError
from mmplat.ids import NOTES, content_id, folder_id
from mmplat.models.base import families
from mmplat.records import ModelSpec
from mmplat.sources import content_of

TRAINED = "trained:"
"""Of a path or an adapter that lies below the results folder: a path of one machine never enters a key."""
CODE_IN_RESULTS = (
    "with `trust_remote_code`, the code beside its trained weights would run, and these lie in the results folder, where others "
    "may write. Train it by a recipe with `lora`: its code is then read where its own checkpoint lies."
)


def model_key(identity: Mapping[str, Any]) -> str:
    """Names the evidence folder of a model."""
    return content_id(identity)


def remember_identity(folder: Path, spec: ModelSpec, identity: Mapping[str, Any]) -> None:
    """Writes evidence.json: who gave this evidence."""
    path = folder / "evidence.json"
    if not path.exists():
        write_json(path, {"spec": spec.settings, "identity": dict(identity), "key": model_key(identity)})


def known_identity(
    spec: ModelSpec, folders: Iterable[Path], *, found: ModelSpec | None = None
) -> dict[str, Any] | None:
    """The identity of `spec` as an earlier asking recorded it, if the checkpoint is still the same; None: load it.

    So a finished grid with one more decoding is decided without importing torch. `found` is the model as `located` here.
    """
    said, version = spec.settings, families.get(spec.family).version
    files = [path for folder in folders for path in sorted(folder.glob("*/evidence.json"))]
    recorded = [read_json(path, made_by="mmplat ask") for path in files]
    identities = [r["identity"] for r in recorded if r["spec"] == said and r["identity"].get("adapter") == version]
    if not identities or spec.path is None:
        return next(iter(identities), None)
    # Read once for all candidates: a checkpoint may be many gigabytes. A hub name is recognised by its pinned commit alone.
    here = found or spec
    local, adapter = checkpoint_folder(here.path), checkpoint_folder(here.adapter)
    revision = folder_id(local) if local else spec.revision
    tuned = folder_id(adapter) if adapter else spec.adapter
    same = (i for i in identities if i.get("revision") == revision and i.get("peft") == tuned)
    return next(same, None) if revision is not None else None


def located(spec: ModelSpec, results: Results) -> ModelSpec:
    """The model with `trained:KEY` as the folder that it means here. Only for loading: what is recorded keeps the key."""
    found: dict[str, Any] = {}
    for name in ("path", "adapter"):
        said = getattr(spec, name) or ""
        if said.startswith(TRAINED):
            key = said.removeprefix(TRAINED)
            if not re.fullmatch(r"[0-9a-f]+", key):
                raise ModelError(
                    f"Model {spec.name!r}: {said!r} names no trained model. After {TRAINED!r} stands a key."
                )
            folder = results.trained(key)
            if not (folder / "card.json").exists():
                raise ModelError(
                    f"Model {spec.name!r} is not trained yet ({folder / 'card.json'} is missing). "
                    f"`mmplat train {results.training(folder.name)}` trains it; snakemake does so before it asks."
                )
            if not (folder / "model").is_dir():
                raise ModelError(
                    f"The weights of model {spec.name!r} are not in {folder}: they were deleted, or came with no archive. Delete "
                    f"the folder, and `mmplat train {results.training(folder.name)}` trains it again."
                )
            found[name] = str(folder / "model")
    if "path" in found:
        if spec.trust_remote_code:
            raise ModelError(f"Model {spec.name!r} cannot be loaded: {CODE_IN_RESULTS}")
        found["pickled_weights"] = False  # a training writes safetensors
    return spec.model_copy(update=found) if found else spec


def checkpoint_content(spec: ModelSpec) -> str | None:
    """What lies in the local folders of a model's weights; None where there are none (a hub name has a revision).

    Files that did not change since they were last hashed are not read again.
    """
    folders = [folder for path in (spec.path, spec.adapter) if (folder := checkpoint_folder(path))]
    files = {
        f"{at}/{path.relative_to(folder).as_posix()}": path
        for at, folder in enumerate(folders)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in NOTES
    }
    return content_of(files) if files else None


def checkpoint_folder(path: str | None) -> Path | None:
    """The local folder that a path means; None for hub names and for models without weights.

    `world:NAME` is a checkpoint that ships with mmplat: a path of one machine never enters a key.
    """
    if path is None:
        return None
    if path.startswith("world:"):
        from mmplat.world import checkpoint_folder as shipped

        return shipped(path.removeprefix("world:"))
    local = Path(path).expanduser()
    return local if local.is_dir() else None
