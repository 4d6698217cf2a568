"""A process that gives up writing, and more memory and time than it is allowed: for good, and before it reads what people typed.

It is no wall against reading: what may be read is DuckDB's to say (`connection`).
"""

from __future__ import annotations

import ctypes
import math
import resource
import signal
import sys
import time
from pathlib import Path

NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS of linux/prctl.h
CREATE_RULESET, RESTRICT_SELF = 444, 446  # system calls of Landlock, the same on every architecture
GET_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
# Rights of linux/landlock.h: write a file (1), remove and make files, folders, links, devices and sockets (4 to 12).
WRITING = 1 << 1 | sum(1 << right for right in range(4, 13))
LINKING, TRUNCATING = 1 << 13, 1 << 14
LINKING_SINCE, TRUNCATING_SINCE = 2, 3
SLACK_S = 1.0


def forbid_writing() -> str | None:
    """No file may be made, changed or removed by this thread and those that it starts; a reason where the kernel cannot do that.

    Where it cannot, `limit` still lets no file grow. Linux has Landlock since 5.13; other systems have no such thing.
    """
    if sys.platform != "linux":
        return f"Landlock is Linux's, and this is {sys.platform}"
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(CREATE_RULESET, None, 0, GET_VERSION)
    if version < 1:
        return "this kernel is without Landlock"
    rights = WRITING
    rights |= LINKING if version >= LINKING_SINCE else 0
    rights |= TRUNCATING if version >= TRUNCATING_SINCE else 0
    ruleset = ctypes.c_uint64(rights)  # handled, and no rule allows any of it anywhere
    handle = kernel.syscall(CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0)
    if handle < 0:
        return "this kernel refuses a ruleset of Landlock"
    if kernel.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or kernel.syscall(RESTRICT_SELF, handle, 0):
        return "this kernel refuses to restrict a process by Landlock"
    return None


def limit(*, seconds: float, memory_bytes: int, threads: int) -> None:
    """From now on: no file grows, `memory_bytes` more than now are an error, and after `seconds` the process is ended."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing is then an error and not the end
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_CPU, math.ceil(time.process_time() + (seconds + SLACK_S) * threads))
    if sys.platform == "linux":  # macOS counts address space in another way, and does not enforce it
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + memory_bytes)
    # Whoever started this process ends it at its time; where they are gone, the kernel does.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + SLACK_S)


def _lower(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (wanted, wanted))
