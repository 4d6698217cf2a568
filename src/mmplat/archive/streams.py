"""The two ways an archive is compressed, by its name: .tar.gz and .tar.zst."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from mmplat.errors import ArtifactError, ConfigError

SUFFIXES = (".tar.zst", ".tar.gz", ".tgz")
UNREADABLE = (tarfile.TarError, OSError, EOFError, pa.ArrowException)
"""What a damaged archive raises, whichever way it is compressed."""


def check_suffix(path: Path) -> None:
    if not path.name.endswith(SUFFIXES):
        raise ConfigError(f"{path.name!r} does not say how to compress. Allowed endings: {', '.join(SUFFIXES)}.")


@contextlib.contextmanager
def writing(path: Path, name: str) -> Iterator[tarfile.TarFile]:
    """A tar stream into `path`, compressed as `name` says; equal contents give equal bytes."""
    with contextlib.ExitStack() as stack:
        if name.endswith(".zst"):
            packed = stack.enter_context(pa.CompressedOutputStream(str(path), "zstd"))
        else:
            raw = stack.enter_context(path.open("wb"))
            packed = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
        yield stack.enter_context(tarfile.open(fileobj=packed, mode="w|"))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[tarfile.TarFile]:
    """The members of an archive, one after the other."""
    check_suffix(path)
    try:
        with contextlib.ExitStack() as stack:
            if path.name.endswith(".zst"):
                packed = stack.enter_context(pa.CompressedInputStream(str(path), "zstd"))
            else:
                packed = stack.enter_context(gzip.open(path, "rb"))
            yield stack.enter_context(tarfile.open(fileobj=packed, mode="r|"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. `mmplat export campaign NAME FILE` makes an archive.") from None
    except UNREADABLE as error:
        if getattr(error, "errno", None):  # of the disk, not of what is in the archive
            raise ArtifactError(f"{path} cannot be unpacked: {error}. Nothing was loaded.") from error
        raise ArtifactError(f"{path} cannot be read ({error}): it is damaged, or no archive of a campaign.") from error
