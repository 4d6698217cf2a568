"""Which evidence belongs to a model: the identity that is written beside it, and how to recognise it without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmplat.artifacts import read_json, write_json
from mmplat.ids import content_id, folder_id
from mmplat.models.base import families
from mmplat.records import ModelSpec


def model_key(identity: Mapping[str, Any]) -> str:
    """Names the evidence folder of a model."""
    return content_id(identity)


def remember_identity(folder: Path, spec: ModelSpec, identity: Mapping[str, Any]) -> None:
    """Writes evidence.json: who gave this evidence."""
    path = folder / "evidence.json"
    if not path.exists():
        write_json(path, {"spec": spec.settings, "identity": dict(identity), "key": model_key(identity)})


def known_identity(spec: ModelSpec, folders: Iterable[Path]) -> dict[str, Any] | None:
    """The identity of `spec` as an earlier asking recorded it, if the checkpoint is still the same; None: load it.

    So a finished grid with one more decoding is decided without importing torch.
    """
    said, version = spec.settings, families.get(spec.family).version
    files = [path for folder in folders for path in sorted(folder.glob("*/evidence.json"))]
    recorded = [read_json(path, made_by="mmplat ask") for path in files]
    identities = [r["identity"] for r in recorded if r["spec"] == said and r["identity"].get("adapter") == version]
    if not identities or spec.path is None:
        return next(iter(identities), None)
    # Read once for all candidates: a checkpoint may be many gigabytes. A hub name is recognised by its pinned commit alone.
    local = checkpoint_folder(spec.path)
    revision = folder_id(local) if local else spec.revision
    return next((i for i in identities if revision is not None and i.get("revision") == revision), None)


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
