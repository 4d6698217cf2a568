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
    here = Path(__file__).parent
    try:
        revision = _git(here, "rev-parse", "HEAD")
        return revision, bool(_git(here, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
