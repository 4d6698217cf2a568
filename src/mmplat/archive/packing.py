"""A campaign → one archive: everything that another lab needs to publish it, look at it, decide it anew and verify it.

The first member lists every file with its size and SHA-256. Not packed: locks, heartbeats, what is of this machine's store.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from mmplat.archive.holdings import holdings_of
from mmplat.archive.streams import check_suffix, writing
from mmplat.artifacts import Results, atomic
from mmplat.errors import ArtifactError, ConfigError
from mmplat.ids import file_id
from mmplat.provenance import packages
from mmplat.records import Record

FORMAT = "mmplat campaign 1"
MANIFEST = "mmplat-campaign.json"
LEFT_OUT = ("published.json", "mlflow.queued.json", "fine")


class Listed(Record):
    """One file of an archive."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(Record):
    """The first member of an archive: what it is, and every file that follows."""

    format: str
    campaign: str
    mmplat: str
    files: dict[str, Listed]


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into an archive."""

    files: int
    bytes: int


def pack_campaign(results: Results, campaign: str, path: Path) -> Packed:
    """Writes the archive whole or not at all; an existing file is kept."""
    results = results.of(campaign)
    check_suffix(path)
    if path.exists():
        raise ConfigError(f"{path} exists. Name another file, or remove it.")
    files = sorted(_files(results, campaign), key=str)
    if not any(file.name == "decided.json" for file in files):
        raise ArtifactError(
            f"Nothing of campaign {campaign!r} is decided yet. `mmplat decide` makes something to export."
        )
    named = {file.relative_to(results.root).as_posix(): file for file in files}
    listed = {name: Listed(bytes=file.stat().st_size, sha256=file_id(file, length=64)) for name, file in named.items()}
    manifest = Manifest(format=FORMAT, campaign=campaign, mmplat=packages().get("mmplat", "unknown"), files=listed)
    with atomic(path) as temporary, writing(temporary, path.name) as archive:
        _add_bytes(archive, MANIFEST, manifest.model_dump_json(indent=1).encode())
        for name, file in named.items():
            _add_file(archive, name, file, listed[name])
    return Packed(len(files), sum(one.bytes for one in listed.values()))


def _files(results: Results, campaign: str) -> Iterator[Path]:
    held = holdings_of(results, campaign)
    everything = held.folder / "decided"  # also of pairs that left the grid, which are in no store
    yield from (file for file in _below(held.folder) if everything not in file.parents and file.name not in LEFT_OUT)
    for root in (*held.decided, *held.batches, *held.suites, *held.evidence):
        yield from _below(root)
    for root in held.trained:  # how models were trained
        yield from (file for file in _below(root) if not is_weights(file.relative_to(results.root).as_posix()))


def is_weights(name: str) -> bool:
    """Weights of a trained model: needed to ask anew alone, perhaps large, and nothing to be taken from a stranger."""
    return name.startswith("trained/") and ("/model/" in name or name.endswith(".pt"))


def _below(root: Path) -> Iterator[Path]:
    """The file, or the files of the folder, without locks, heartbeats and what is set aside or half-written."""
    files = [root] if root.is_file() else [file for file in root.rglob("*") if file.is_file()]
    for file in files:
        hidden = any(part.startswith(".") for part in file.relative_to(root.parent).parts)
        if not hidden and not file.name.endswith((".heartbeat.json", ".broken")):
            yield file


def _add_file(archive: tarfile.TarFile, name: str, file: Path, listed: Listed) -> None:
    """Adds what was listed, or nothing: a campaign that is decided anew meanwhile would make an archive that nobody can load."""
    with file.open("rb") as stream:
        archive.addfile(_member(name, listed.bytes), stream)
    if file.stat().st_size != listed.bytes or file_id(file, length=64) != listed.sha256:
        raise ArtifactError(f"{file} changed while it was packed: is its campaign still running? Pack it afterwards.")


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Without times and owners, so that packing twice gives the same bytes."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member
