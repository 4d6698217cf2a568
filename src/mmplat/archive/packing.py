"""A campaign → one archive: everything that another lab needs to publish it, look at it, decide it anew and verify it.

The first member lists every file with its size and SHA-256. Not packed: locks, heartbeats, what is of this machine's store.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmplat import __version__
from mmplat.archive.holdings import holdings_of
from mmplat.archive.streams import check_suffix, writing
from mmplat.artifacts import Results, atomic
from mmplat.errors import ArtifactError, ConfigError
from mmplat.ids import file_id

FORMAT = "mmplat campaign 1"
MANIFEST = "mmplat-campaign.json"
DIGEST = 64
"""Hex digits of a whole SHA-256."""
LEFT_OUT = ("published.json", "mlflow.queued.json", "fine")


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into an archive."""

    files: int
    bytes: int


def pack_campaign(results: Results, campaign: str, path: Path) -> Packed:
    """Writes the archive whole or not at all; an existing file is kept."""
    check_suffix(path)
    if path.exists():
        raise ConfigError(f"{path} exists. Name another file, or remove it.")
    files = sorted(_files(results, campaign), key=str)
    if not any(file.name == "decided.json" for file in files):
        raise ArtifactError(f"Nothing of campaign {campaign!r} is decided yet. `mmplat decide` makes something to export.")
    named = {file.relative_to(results.root).as_posix(): file for file in files}
    listed = {name: {"bytes": file.stat().st_size, "sha256": file_id(file, length=DIGEST)} for name, file in named.items()}
    said = {"format": FORMAT, "campaign": campaign, "mmplat": __version__, "files": listed}
    with atomic(path) as temporary, writing(temporary, path.name) as archive:
        _add_bytes(archive, MANIFEST, json.dumps(said, indent=1, sort_keys=True).encode())
        for name, file in named.items():
            with file.open("rb") as stream:
                archive.addfile(_member(name, file.stat().st_size), stream)
    return Packed(len(files), sum(one["bytes"] for one in listed.values() if isinstance(one["bytes"], int)))


def _files(results: Results, campaign: str) -> Iterator[Path]:
    held = holdings_of(results, campaign)
    own = (file for file in held.folder.rglob("*") if not any(held.folder / "decided" == p for p in file.parents))
    roots = [*own, *held.decided, *held.batches, *held.suites, *held.evidence]
    for root in roots:
        for file in root.rglob("*") if root.is_dir() and root not in held.folder.parents else [root]:
            if file.is_file() and _is_packed(file, held.folder):
                yield file


def _is_packed(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder.parents[1]).parts)
    left_out = file.parent == folder and file.name in LEFT_OUT
    return not (hidden or left_out or file.name.endswith((".heartbeat.json", ".broken", ".lock")))


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Without times and owners, so that packing twice gives the same bytes."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member
