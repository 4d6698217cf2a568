"""One head per working directory: a lock that ends with the process that holds it.

Snakemake's own lock stays behind when the head is killed, and asks for `--unlock` before the same command goes on. The profile
switches it off, and this one takes its place.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from snakemake_interface_common.exceptions import WorkflowError


def hold(path: Path) -> IO[str]:
    """Takes the lock until the returned file is closed, or its process ends in any way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise WorkflowError(
            f"Another Snakemake ({lock.read().strip() or 'unknown'}) drives this working directory. Wait for it, stop it with "
            f"Ctrl-C, or work in another one (--directory). The lock is {path}; it ends with its process."
        ) from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {os.uname().nodename}")
    lock.flush()
    return lock
