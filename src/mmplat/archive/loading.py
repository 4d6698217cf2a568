"""An archive of another lab → a campaign here. Nothing of it is trusted: neither its names, nor its sizes, nor its contents.

Files are unpacked beside the results, compared with the archive's own list, and only then moved; what is here already stays.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from mmplat.archive.packing import FORMAT, MANIFEST, Listed, Manifest, is_weights
from mmplat.archive.streams import reading
from mmplat.artifacts import Results, read_json, safe_name
from mmplat.errors import ArtifactError
from mmplat.ids import file_id

ROOMS = ("batches", "campaigns", "evidence", "suites", "trained")
NAME = re.compile(r"[A-Za-z0-9._+=-]+(/[A-Za-z0-9._+=-]+)+")
"""Names of our files: no drive, no root, no sign that a shell or another system reads in its own way."""
LARGEST_MANIFEST = 256 * 2**20
PIECE = 2**20
LAST = ("suite.json", "card.json", "decided.json", "plan.json")
"""Whose existence says that the rest is there; a plan comes after the decisions of its pairs."""
NAMED_BY_CONTENT = re.compile(r"(batches|suites|trained)/[0-9a-f]+\.json|evidence/.+/evidence\.json")
SUITE = re.compile(r"suites/[^/]+/[^/]+(?=/)")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came in."""

    campaign: str
    written: int
    present: int
    bytes: int


def load_campaign(results: Results, path: Path) -> Loaded:
    """Loads the campaign of an archive, or nothing: a file that is here with another content is a reason to refuse."""
    results.root.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".importing-", dir=results.root))
    try:
        with reading(path) as archive:
            manifest = _manifest(archive, path)
            _unpack(archive, manifest.files, staging, path)
        new = _new_files(results, manifest.files, staging, path)
        for name in sorted(new, key=_order):
            target = results.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (staging / name).replace(target)
    finally:
        shutil.rmtree(staging)
    size = sum(manifest.files[name].bytes for name in new)
    return Loaded(manifest.campaign, len(new), len(manifest.files) - len(new), size)


def _order(name: str) -> tuple[int, str]:
    last = name.rsplit("/", 1)[-1]
    return (LAST.index(last) + 1 if last in LAST else 0, name)


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


def _new_files(results: Results, files: dict[str, Listed], staging: Path, path: Path) -> list[str]:
    """What is not here yet; a file with another content under the same name would silently be one of two."""
    new, other = [], []
    for name, listed in files.items():
        target = results.root / name
        if _is_settled(results.root, staging, name):
            continue
        if not target.exists():
            new.append(name)
        elif file_id(target, length=64) != listed.sha256:
            other.append(name)
    if other:
        raise ArtifactError(
            f"{len(other)} files of {path} are here with another content, {min(other)} for one. Nothing was loaded. Load it "
            "into a results folder of its own: `mmplat import campaign FILE --results FOLDER`."
        )
    return new


def _is_settled(root: Path, staging: Path, name: str) -> bool:
    """Whether ours stays, for two labs may differ in what determines no number: where a checkpoint or a suite's data lie."""
    if NAMED_BY_CONTENT.fullmatch(name):
        return (root / name).exists()
    suite = SUITE.match(name)
    if suite is None:
        return False
    ours, theirs = (folder / suite[0] / "suite.json" for folder in (root, staging))
    return ours.exists() and theirs.exists() and _content(ours) == _content(theirs)


def _content(suite: Path) -> str:
    return str(read_json(suite, made_by="mmplat prepare")["content_id"])
