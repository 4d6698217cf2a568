"""The versions behind a number: packages and the state of the repository. Read from metadata; imports nothing heavy."""

from __future__ import annotations

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("mmplat", "torch", "transformers", "numpy", "polars", "pillow")


@lru_cache(maxsize=1)
def packages() -> dict[str, str]:
    """Versions of what moves numbers, where installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def git_state() -> tuple[str | None, bool | None]:
    """(revision, uncommitted changes) of the repository this code runs from; (None, None) outside of one."""
    return state_of(Path(__file__).parent)


def state_of(package: Path) -> tuple[str | None, bool | None]:
    """The same for a folder of code. A file that was added to it (a method, say) is a change; one beside it (a grid) is none.

    A repository that merely surrounds the code, as where it is installed into somebody's `.venv`, says nothing about it.
    """
    try:
        if not _git(package, "ls-files", "."):
            return None, None
        changed = _git(package, "status", "--porcelain", "--untracked-files=no")
        added = _git(package, "ls-files", "--others", "--exclude-standard", ".")
        return _git(package, "rev-parse", "HEAD"), bool(changed or added)
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
