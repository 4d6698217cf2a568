"""This machine: submitit's LocalExecutor, one process per job. For laptops and for tests without SLURM."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from snakemake_executor_plugin_submitit.backends import Files, Refused, grace, submit_array
from snakemake_executor_plugin_submitit.needs import Needs
from snakemake_executor_plugin_submitit.states import LOST, Seen, Verdict

SIGNAL_DELAY_S = 30
CANCEL_S = 5.0


class LocalBackend:
    """Processes of this machine. Snakemake's `jobs` and `resources` say how many run at once."""

    largest_array = 1_000_000

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = Files(folder)

    def submit(self, commands: Sequence[str], needs: Needs, *, name: str) -> list[str]:
        from submitit import LocalExecutor

        executor = LocalExecutor(self.folder)
        executor.update_parameters(timeout_min=needs.runtime_min, signal_delay_s=SIGNAL_DELAY_S)
        if needs.gpus:
            executor.update_parameters(gpus_per_node=needs.gpus)
        return submit_array(
            executor, commands, grace_s=grace(SIGNAL_DELAY_S), refused=lambda said: Refused(said, passing=False)
        )

    def withdraw(self, name: str) -> None:
        """Nothing is taken without being confirmed here."""

    def look(self, jobs: Sequence[str]) -> Mapping[str, Seen]:
        return {job: Seen("RUNNING") if _is_controller(job) else self._outcome(job) for job in jobs}

    def _outcome(self, job: str) -> Seen:
        """A process that is gone without a result has failed: there is nobody else who could know it."""
        seen = self.files.outcome(job)
        return Seen("FAILED") if seen.state == LOST else seen

    def cancel(self, jobs: Sequence[str]) -> None:
        """The controller passes the signal on; the command keeps what it has."""
        for job in jobs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(job), signal.SIGTERM)
        deadline = time.monotonic() + CANCEL_S
        while time.monotonic() < deadline and any(s.verdict is Verdict.ALIVE for s in self.look(jobs).values()):
            time.sleep(0.1)


def _is_controller(job: str) -> bool:
    """Whether the process of that id is alive and one of submitit's, not a stranger with a used id."""
    try:
        command = Path(f"/proc/{job}/cmdline").read_bytes()
    except OSError:
        return False
    return b"submitit.local._local" in command
