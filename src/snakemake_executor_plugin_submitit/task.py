"""What an array task runs: one shell command, ended in peace when SLURM wants the node back.

Signals that reach a task: SIGTERM when SLURM is about to kill it (preemption, scancel, requeue), SIGUSR2 some time before its
time limit, and on preemption where the site sends it. submitit answers SIGUSR2: it calls `checkpoint` and requeues the job.
SLURM signals every process of a job, the command included; a person, or the local back end, may signal this one only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any

WAIT_FOR_KILL_S = 600
"""How long a job that was told to end waits for SLURM to end it. SLURM's grace times are seconds to minutes."""


class Task:
    """One shell command. Pickled by name: what runs is this file as it is when the job starts, and a text."""

    def __init__(self, command: str, *, grace_s: float) -> None:
        self.command = command
        self.grace_s = grace_s
        """How long the command has to put down its work when it is told to stop."""

    def __call__(self) -> None:
        print(self.command, flush=True)
        told_to_end: list[int] = []

        def pass_on(number: int, frame: object) -> None:
            told_to_end.append(number)
            _Running.tell()

        signal.signal(signal.SIGTERM, pass_on)
        code = _Running.start(self.command).wait()
        if code and told_to_end:
            _Running.end(self.grace_s)
            if "SLURM_JOB_ID" in os.environ:
                # It kills, and where it preempts it requeues. To fail now would end the job as FAILED instead.
                time.sleep(WAIT_FOR_KILL_S)
        if code:
            sys.exit(code)  # an exception would bury what the command said under a traceback of ours

    def checkpoint(self) -> Any:
        """Called by submitit inside its signal handler: the command keeps what it has; the same command goes on later."""
        from submitit.core.utils import DelayedSubmission

        _Running.end(self.grace_s)
        return DelayedSubmission(self)


class _Running:
    """The command of this process: a session of its own, so that all of it can be told to stop."""

    group: int | None = None

    @classmethod
    def start(cls, command: str) -> subprocess.Popen[bytes]:
        # SIGUSR2 kills a process that does not expect it, and SLURM sends it to every process of the job.
        process = subprocess.Popen(["bash", "-c", f"trap '' USR2; {command}"], start_new_session=True)
        cls.group = process.pid
        return process

    @classmethod
    def tell(cls) -> None:
        """SIGTERM to all of it."""
        if cls.group is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(cls.group, signal.SIGTERM)

    @classmethod
    def end(cls, grace_s: float) -> None:
        """SIGTERM to all of it, then wait until nobody is left or the grace is over."""
        if cls.group is None:
            return
        cls.tell()
        with contextlib.suppress(ProcessLookupError):
            deadline = time.monotonic() + grace_s
            while time.monotonic() < deadline:
                _reap(cls.group)
                os.killpg(cls.group, 0)
                time.sleep(0.1)
            os.killpg(cls.group, signal.SIGKILL)


def _reap(child: int) -> None:
    """A child that ended and was not waited for still counts as a member of its group."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
