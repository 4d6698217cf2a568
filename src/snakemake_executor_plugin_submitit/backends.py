"""What the executor needs of a place where jobs run, and what the places have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from snakemake_executor_plugin_submitit import private
from snakemake_executor_plugin_submitit.needs import Needs
from snakemake_executor_plugin_submitit.settings import ExecutorSettings
from snakemake_executor_plugin_submitit.states import LOST, Seen, tail
from snakemake_executor_plugin_submitit.task import Task

LEAVE_S = 10
"""Seconds between the end of a command's grace and the time limit, for submitit to requeue the job."""


class Refused(Exception):
    """The cluster does not take a submission. `passing`: it may take the same one later."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class Unreachable(Exception):
    """The cluster could not be asked about jobs: nothing is known, so nothing is concluded."""


class Backend(Protocol):
    """A place where jobs run."""

    @property
    def largest_array(self) -> int: ...

    def submit(self, commands: Sequence[str], needs: Needs, *, name: str) -> list[str]:
        """One id per command. Raises Refused."""

    def withdraw(self, name: str) -> None:
        """Ends whatever runs under the name of a submission that was interrupted or not confirmed."""

    def look(self, jobs: Sequence[str]) -> Mapping[str, Seen]:
        """The state of every job; LOST where nobody knows it. Raises Unreachable."""

    def cancel(self, jobs: Sequence[str]) -> None:
        """Ends jobs."""


class Files:
    """The files that submitit keeps of a job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def logs(self, job: str) -> tuple[Path, Path]:
        """(stdout, stderr)"""
        paths = self._paths(job)
        return paths.stdout, paths.stderr

    def last_words(self, job: str) -> str:
        """The end of what a job wrote to stderr."""
        try:
            return tail(self.logs(job)[1].read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            return f"(no log: {error.strerror})"

    def outcome(self, job: str) -> Seen:
        """What a job that the cluster has forgotten left behind."""
        import pickle

        try:
            how, _ = pickle.loads(private.read(self._paths(job).result_pickle))
        except FileNotFoundError:
            return Seen(LOST)
        return Seen("COMPLETED" if how == "success" else "FAILED")

    def forget(self, job: str) -> None:
        """Deletes what a job that went well left: a million batches would leave four million files."""
        paths = self._paths(job)
        for path in (paths.submitted_pickle, paths.result_pickle, paths.stdout, paths.stderr):
            with contextlib.suppress(OSError):  # tidying up is no reason to fail
                path.unlink()

    def _paths(self, job: str) -> Any:
        from submitit.core.utils import JobPaths

        return JobPaths(self.folder, job_id=job, task_id=0)


def submit_array(
    executor: Any, commands: Iterable[str], *, grace_s: float, refused: Callable[[str], Refused]
) -> list[str]:
    """Submits through a submitit executor. What a failed submission leaves is cleared away."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    before = _unsubmitted(executor.folder)
    try:
        jobs = executor.submit_array([Task(command, grace_s=grace_s) for command in commands])
    except (FailedJobError, FailedSubmissionError, OSError) as error:
        for path in _unsubmitted(executor.folder) - before:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise
        raise refused(str(error)) from error
    return [str(job.job_id) for job in jobs]


def _unsubmitted(folder: Path) -> set[Path]:
    """Job files that carry no id yet; those of running jobs carry theirs."""
    return {*folder.glob("[0-9a-f]" * 32 + ".pkl"), *folder.glob(".submission_file_*")}


def grace(signal_delay_s: int) -> float:
    """How long a command has to put down its work after SLURM's first warning."""
    return max(signal_delay_s - LEAVE_S, signal_delay_s / 2)


def make_backend(settings: ExecutorSettings, folder: Path) -> Backend:
    """The place that the settings name."""
    if settings.backend == "local":
        from snakemake_executor_plugin_submitit.local import LocalBackend

        return LocalBackend(folder)
    from snakemake_executor_plugin_submitit.slurm import SlurmBackend

    return SlurmBackend(folder, settings)
