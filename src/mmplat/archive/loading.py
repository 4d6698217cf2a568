"""An archive of another lab → a campaign here. Nothing of it is trusted: neither its names, nor its sizes, nor its contents.

It becomes a guest: a results folder of its own below imported/, so that its evidence, samples and done-markers are those of its
own campaign and of no other. Files are unpacked beside the results, held against the archive's list and their own names, and
appear in one step.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from mmplat.archive.checking import refuse_unsound
from mmplat.archive.packing import FORMAT, MANIFEST, Listed, Manifest, is_weights
from mmplat.archive.streams import reading
from mmplat.artifacts import Results, safe_name, write_json
from mmplat.errors import ArtifactError
from mmplat.ids import content_id, file_id
from mmplat.locks import in_use

ROOMS = ("batches", "campaigns", "evidence", "suites", "trained")
NAME = re.compile(r"[A-Za-z0-9._+=-]+(/[A-Za-z0-9._+=-]+)+")
"""Names of our files: no drive, no root, no sign that a shell or another system reads in its own way."""
LARGEST_MANIFEST = 256 * 2**20
PIECE = 2**20
STAGING = ".importing-"
"""Begins the names of folders in which archives are unpacked."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came in."""

    campaign: str
    written: int
    present: int
    bytes: int


def load_campaign(results: Results, path: Path) -> Loaded:
    """Loads the campaign of an archive as a guest, or nothing; one that is here already is compared file by file."""
    results.root.mkdir(parents=True, exist_ok=True)
    with in_use(results):
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=results.root))
        try:
            with reading(path) as archive:
                manifest = _manifest(archive, path)
                _unpack(archive, manifest.files, staging, path)
            campaign, count = manifest.campaign, len(manifest.files)
            if (here := _place(results, campaign)) is not None:
                _refuse_other(here, manifest.files, path)
                return Loaded(campaign, 0, count, 0)
            refuse_unsound(Results(staging))
            write_json(Results(staging).archive, _about(manifest, path))
            staging.chmod(stat.S_IMODE(results.root.stat().st_mode))  # a temporary folder is private
            target = results.guest(campaign).root
            target.parent.mkdir(exist_ok=True)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return Loaded(campaign, count, 0, sum(one.bytes for one in manifest.files.values()))


def _place(results: Results, campaign: str) -> Results | None:
    """Where a campaign of that name lies already."""
    if results.guest(campaign).root.exists():
        return results.guest(campaign)
    return results if results.plan(campaign).exists() else None


def _refuse_other(here: Results, files: dict[str, Listed], path: Path) -> None:
    """A campaign that is here already stays as it is, whatever an archive of that name holds."""
    other = [
        name
        for name, listed in files.items()
        if not (here.root / name).exists() or file_id(here.root / name, length=64) != listed.sha256
    ]
    if other:
        whose = "came with an archive before" if here.archive.exists() else "is one of this results folder"
        raise ArtifactError(
            f"A campaign of that name {whose}, and {len(other)} files of {path} are not there or hold something else, "
            f"{min(other)} for one. Nothing was loaded. Load it into a results folder of its own: `mmplat import campaign FILE "
            f"--results FOLDER`{f', or delete {here.root} first' if here.archive.exists() else ''}."
        )


def _about(manifest: Manifest, path: Path) -> dict[str, Any]:
    """Of a guest: what it came with, so that nobody takes it for one's own."""
    return {
        "campaign": manifest.campaign,
        "archive": path.name,
        "content": content_id({name: listed.sha256 for name, listed in manifest.files.items()}),
        "mmplat": manifest.mmplat,
        "imported": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _manifest(archive: tarfile.TarFile, path: Path) -> Manifest:
    """The archive's own list of its files, every name of it checked before anything is written."""
    first = next(iter(archive), None)
    stream = archive.extractfile(first) if first and first.name == MANIFEST and first.size < LARGEST_MANIFEST else None
    if stream is None:
        raise ArtifactError(f"{path} is no archive of a campaign: it does not begin with {MANIFEST}.")
    try:
        said = Manifest.model_validate_json(stream.read())
    except ValidationError as error:
        raise ArtifactError(f"{path} has a {MANIFEST} that cannot be read: {error.errors()[0]['msg']}.") from error
    if said.format != FORMAT:
        raise ArtifactError(f"{path} is of the format {said.format!r}; this version of mmplat reads {FORMAT!r}.")
    own = f"campaigns/{safe_name(said.campaign)}/"
    for name in said.files:
        if not _is_ours(name) or (name.startswith("campaigns/") and not name.startswith(own)):
            raise ArtifactError(
                f"{path} lists {name!r}, which is no file of campaign {said.campaign!r}. Nothing was loaded."
            )
    return said


def _is_ours(name: str) -> bool:
    parts = name.split("/")
    plain = NAME.fullmatch(name) is not None and not any(part.startswith(".") for part in parts)
    return plain and parts[0] in ROOMS and not is_weights(name)


def _unpack(archive: tarfile.TarFile, files: dict[str, Listed], staging: Path, path: Path) -> None:
    """Writes each listed file below `staging`; whatever else the archive holds is a reason to refuse it."""
    missing = set(files)
    for member in islice(archive, 1, None):  # after the manifest
        if member.name not in missing or not member.isreg() or member.size != files[member.name].bytes:
            raise ArtifactError(f"{path} holds {member.name!r}, which is not as it lists it. Nothing was loaded.")
        stream = archive.extractfile(member)
        assert stream is not None, "a regular file has a stream"
        if _copy(stream, staging / member.name) != files[member.name].sha256:
            raise ArtifactError(f"{path} holds {member.name!r} with another content than it lists. Nothing was loaded.")
        missing.remove(member.name)
    if missing:
        raise ArtifactError(
            f"{path} lacks {len(missing)} files that it lists, {min(missing)} for one. Nothing was loaded."
        )


def _copy(stream: IO[bytes], target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("wb") as out:
        while piece := stream.read(PIECE):
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()
