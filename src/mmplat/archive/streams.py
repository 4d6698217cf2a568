"""The two ways an archive is compressed, by its name: .tar.gz and .tar.zst."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path

from mmplat.errors import ArtifactError, ConfigError

SUFFIXES = (".tar.zst", ".tar.gz", ".tgz")
UNREADABLE = (tarfile.TarError, OSError, EOFError, ValueError)
"""What a damaged archive raises, whichever way it is compressed."""


def check_suffix(path: Path) -> None:
    if not path.name.endswith(SUFFIXES):
        raise ConfigError(f"{path.name!r} does not say how to compress. Allowed endings: {', '.join(SUFFIXES)}.")


@contextlib.contextmanager
def writing(path: Path, name: str) -> Iterator[tarfile.TarFile]:
    """A tar stream into `path`, compressed as `name` says; equal contents give equal bytes."""
    if name.endswith(".zst"):
        import pyarrow as pa

        with pa.CompressedOutputStream(str(path), "zstd") as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
            yield archive
    else:
        with (
            path.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|") as archive,
        ):
            yield archive


@contextlib.contextmanager
def reading(path: Path) -> Iterator[tarfile.TarFile]:
    """The members of an archive, one after the other."""
    check_suffix(path)
    try:
        if path.name.endswith(".zst"):
            import pyarrow as pa

            with pa.CompressedInputStream(str(path), "zstd") as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
                yield archive
        else:
            with gzip.open(path, "rb") as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
                yield archive
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. `mmplat export campaign NAME FILE` makes an archive.") from None
    except UNREADABLE as error:
        raise ArtifactError(f"{path} cannot be read ({error}): it is damaged, or no archive of a campaign.") from error
