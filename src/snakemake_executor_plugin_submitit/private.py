"""The folder of job files belongs to one user alone: what lies there is unpickled, here and on every node, as that user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def take(folder: Path, results: Path | None) -> None:
    """Makes the folder, or closes one that is there to others. `results` is where others may write: never in there."""
    if results is not None and folder.resolve().is_relative_to(results.resolve()):
        raise WorkflowError(
            f"The folder of job files ({folder}) lies in the results folder {results}. Job files are run as you, and results are "
            "shared. Set submitit-folder in the profile to another one that every node sees, or run in another --directory."
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(folder)  # before it is looked into, which another user's may forbid
    for path in folder.iterdir():
        _refuse_foreign(path)
    mode = folder.stat().st_mode
    if mode & OTHERS:
        folder.chmod(stat.S_IMODE(mode) & ~OTHERS)


def _refuse_foreign(path: Path) -> None:
    owner = path.lstat().st_uid
    if owner != os.getuid():
        raise WorkflowError(
            f"{path} belongs to user {owner}, and you are user {os.getuid()}. Job files are run as you, so they must be yours "
            "alone. Run in a working folder of your own (--directory), or set submitit-folder in the profile."
        )


def read(path: Path) -> bytes:
    """A file of the folder that is to be unpickled. Raises FileNotFoundError where there is none."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        if os.fstat(stream.fileno()).st_uid != os.getuid():
            raise WorkflowError(f"{path} is not yours, so it is not unpickled. Delete it, and see who writes there.")
        return stream.read()


def results_of(workflow: object) -> Path | None:
    """The results folder of a workflow that has one (workflow/rules/common.smk)."""
    root = getattr(getattr(workflow, "globals", {}).get("RESULTS"), "root", None)
    return root if isinstance(root, Path) else None
