"""SLURM: arrays through submitit, one squeue for all jobs, sacct only for what squeue has forgotten."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from snakemake_executor_plugin_submitit.backends import Files, Refused, Unreachable, grace, submit_array
from snakemake_executor_plugin_submitit.needs import Needs
from snakemake_executor_plugin_submitit.settings import ExecutorSettings
from snakemake_executor_plugin_submitit.states import SACCT, SQUEUE, Seen, parse

PASSING = re.compile(
    r"unable to contact slurm controller|socket timed out|zero bytes|communication|connection (refused|reset|timed out)"
    r"|resource temporarily unavailable|submit ?limit|slurm backup controller|not responding|transport endpoint"
    r"|connect failure|no space left",
    re.IGNORECASE,
)
"""What sbatch says when the same submission may be taken later: the controller is away or busy, or a limit is reached."""
PIECE = 500
"""Job ids on one command line."""
NO_LIMIT = 1_000_000


class SlurmBackend:
    """A SLURM cluster."""

    def __init__(self, folder: Path, settings: ExecutorSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.files = Files(folder)
        self._sacct = True
        _forget_outer_job()

    @cached_property
    def largest_array(self) -> int:
        """MaxArraySize of the site: its largest index is one less, so this is also a number of tasks."""
        if self.settings.max_array_size:
            return self.settings.max_array_size
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _output("scontrol", "show", "config"), re.MULTILINE)
        return max(1, int(found.group(1))) if found else 1001

    def submit(self, commands: Sequence[str], needs: Needs, *, name: str) -> list[str]:
        """One sbatch for all commands."""
        from submitit import SlurmExecutor

        executor = SlurmExecutor(self.folder, max_num_timeout=self.settings.timeouts)
        parameters = needs.sbatch(
            signal_delay_s=self.settings.signal_delay_s, parallel=self.settings.array_parallelism or NO_LIMIT
        )
        executor.update_parameters(job_name=name, **parameters)
        return submit_array(executor, commands, grace_s=grace(parameters["signal_delay_s"]), refused=_refused)

    def withdraw(self, name: str) -> None:
        """A submission that timed out may have been taken all the same: none of its tasks has its files, so none has run."""
        _output("scancel", f"--name={name}", f"--user={os.getuid()}")

    def look(self, jobs: Sequence[str]) -> Mapping[str, Seen]:
        """All jobs of the user in one question, which is the cheapest one that a controller can be asked."""
        listed = parse(_output("squeue", *SQUEUE, f"--user={os.getuid()}"))
        forgotten = [job for job in jobs if job not in listed]
        accounted = self._accounts(forgotten)
        left = {job: accounted.get(job) or self.files.outcome(job) for job in forgotten}
        return {job: listed.get(job) or left[job] for job in jobs}

    def cancel(self, jobs: Sequence[str]) -> None:
        for start in range(0, len(jobs), PIECE):
            _output("scancel", *jobs[start : start + PIECE])

    def _accounts(self, jobs: Sequence[str]) -> Mapping[str, Seen]:
        """What accounting knows about jobs that squeue has forgotten; nothing where a site keeps no accounts."""
        if not jobs or not self._sacct:
            return {}
        try:
            return {
                job: seen
                for start in range(0, len(jobs), PIECE)
                for job, seen in parse(
                    _output("sacct", *SACCT, f"--jobs={','.join(jobs[start : start + PIECE])}")
                ).items()
            }
        except Unreachable:
            self._sacct = False
            return {}


def _refused(message: str) -> Refused:
    said = message.strip() or "sbatch failed and said nothing"
    return Refused(f"SLURM does not take the jobs: {said}", passing=bool(PASSING.search(said)))


def _output(*command: str) -> str:
    """What a SLURM command prints. Raises Unreachable where it fails, hangs or is missing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"`{command[0]}` did not answer: {error}") from error
    if done.returncode:
        raise Unreachable(f"`{' '.join(command[:4])}` failed: {done.stderr.strip()[:500]}")
    return done.stdout


def _forget_outer_job() -> None:
    """Snakemake itself may run in a job. What SLURM tells that job would be taken for wishes of the jobs it submits."""
    if "SLURM_JOB_ID" in os.environ:
        for name in [n for n in os.environ if n.startswith(("SLURM_", "SBATCH_", "SRUN_")) and n != "SLURM_CONF"]:
            del os.environ[name]
