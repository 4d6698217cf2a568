"""The executor: rounds of jobs in, arrays out; one look per poll for all of them; failures with their reason."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from snakemake_executor_plugin_submitit import private
from snakemake_executor_plugin_submitit.backends import Backend, Files, Refused, Unreachable, make_backend
from snakemake_executor_plugin_submitit.journal import Journal
from snakemake_executor_plugin_submitit.needs import BadNeeds, Needs, grouped, needs_of, split
from snakemake_executor_plugin_submitit.only_head import hold
from snakemake_executor_plugin_submitit.settings import ExecutorSettings
from snakemake_executor_plugin_submitit.states import LOST, Seen, Verdict

LOOKS_BEFORE_LOST = 3
"""A result that a job has just written may take a moment to reach this machine through a shared folder."""
RETRY_S = 5.0
Answer = TypeVar("Answer")


class Executor(RemoteExecutor):  # type: ignore[misc]  # Snakemake's interface carries no types
    """Snakemake jobs as submitit arrays."""

    def __post_init__(self) -> None:
        self.settings: ExecutorSettings = self.workflow.executor_settings or ExecutorSettings()
        folder = Path(self.settings.folder).absolute()
        try:
            private.take(folder, private.results_of(self.workflow))
            self._head = hold(folder / "head.lock")
            self.journal = Journal(folder / "journal.jsonl")
        except OSError as error:
            raise WorkflowError(
                f"{folder} cannot be written to: {error}. Mend that and run the same command again."
            ) from None
        self.backend: Backend = make_backend(self.settings, folder)
        self.files = Files(folder)
        self._watched: dict[str, SubmittedJobInfo] = {}
        """Everything that was submitted and has not ended. Snakemake's own list is empty while it polls."""
        self._lost: Counter[str] = Counter()
        self._memory_factor: Counter[Any] = Counter()
        self._unreachable = False

    @property
    def cores(self) -> str:
        """A job uses what SLURM gives it; the cores of this machine say nothing about a node."""
        return "all"

    def additional_general_args(self) -> str:
        """The Snakemake inside a job says what went wrong, and nothing else."""
        return "--quiet host rules progress"

    # Submitting

    def run_job(self, job: Any) -> None:
        self.run_jobs([job])

    def run_jobs(self, jobs: Sequence[Any]) -> None:
        """All jobs of a round: those that still run from before are taken up, the others become arrays."""
        for job in jobs:
            self.run_job_pre(job)
        running = self._still_there(jobs)
        for job, external in running.items():
            self.logger.info(f"Job {job.jobid} ({job.name}) goes on as {external}, which an earlier run submitted.")
            self._watch(job, external)
        fresh = [job for job in jobs if job not in running]
        for needs, group in grouped(self._needs(fresh)).items():
            for piece in split(group, self._until_answered(lambda: self.backend.largest_array)):
                self._submit(needs, piece)

    def _needs(self, jobs: Sequence[Any]) -> dict[Any, Needs]:
        """What each job asks for. A job that asks for what cannot be fails, and the others go on."""
        needs = {}
        for job in jobs:
            try:
                factor = 2 ** self._memory_factor[job]
                needs[job] = needs_of(job.name, job.threads, job.resources, memory_factor=factor)
            except BadNeeds as error:
                self.report_job_error(SubmittedJobInfo(job), msg=f"Rule {job.name}: {error}\n")
        return needs

    def _submit(self, needs: Needs, jobs: Sequence[Any]) -> None:
        try:
            ids = self._submit_patiently(needs, jobs)
        except Refused as error:
            for job in jobs:
                self.report_job_error(SubmittedJobInfo(job), msg=f"{error}\n")
            return
        self.logger.info(f"Submitted {len(ids)} × {needs.rule} as {ids[0].split('_')[0]}.")
        for job, external in zip(jobs, ids, strict=True):
            self._watch(job, external)

    def _submit_patiently(self, needs: Needs, jobs: Sequence[Any]) -> list[str]:
        """Tries again while SLURM is away. Raises Refused when it says no, or stays away."""
        commands = [self.format_job_exec(job) for job in jobs]
        deadline = time.monotonic() + self.settings.patience_s
        while True:
            name = f"{needs.rule}-{uuid.uuid4().hex[:12]}"
            try:
                self.journal.submitting(name)
                ids = self.backend.submit(commands, needs, name=name)
                self.journal.submitted(name, dict(zip(map(key_of, jobs), ids, strict=True)))
                return ids
            except OSError as error:
                refused = Refused(f"Job files could not be written to {self.files.folder}: {error}", passing=True)
            except Refused as error:
                refused = error
            if not refused.passing or time.monotonic() > deadline:
                raise refused
            self.logger.warning(f"{refused}. Trying again for {deadline - time.monotonic():.0f} s.")
            time.sleep(RETRY_S)
            self._withdraw_unconfirmed()

    def _withdraw_unconfirmed(self) -> None:
        """A submission that was broken off may have been taken all the same: its jobs must not run beside the next ones."""
        for name in sorted(self.journal.unconfirmed):
            try:
                self.backend.withdraw(name)
                self.journal.submitted(name, {})
            except (Unreachable, OSError) as error:
                self.logger.warning(f"Could not make sure that {name} was not taken: {error}. Asking again later.")

    def _watch(self, job: Any, external: str) -> None:
        info = SubmittedJobInfo(job, external_jobid=external)
        self._watched[external] = info
        self.report_job_submission(info)

    def _still_there(self, jobs: Sequence[Any]) -> dict[Any, str]:
        """Jobs that an earlier head submitted before it was killed, and that run or went well, by their ids."""
        self._withdraw_unconfirmed()
        known = {job: self.journal.jobs[key_of(job)] for job in jobs if key_of(job) in self.journal.jobs}
        if not known:
            return {}
        seen = self._until_answered(lambda: self.backend.look(list(known.values())))
        return {job: external for job, external in known.items() if seen[external].verdict is not Verdict.FAILED}

    def _until_answered(self, question: Callable[[], Answer]) -> Answer:
        """Without an answer the same work could be submitted twice, so this waits for it."""
        deadline = time.monotonic() + self.settings.patience_s
        while True:
            try:
                return question()
            except Unreachable as error:
                if time.monotonic() > deadline:
                    raise WorkflowError(
                        f"{error}. Without an answer nothing was submitted, or the same work could be done twice. Run the same "
                        "command when SLURM answers again."
                    ) from None
                self.logger.warning(f"{error}. Trying again.")
            time.sleep(RETRY_S)

    # Watching

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncIterator[SubmittedJobInfo]:
        """One look for all jobs. Where the cluster cannot be asked, all are taken to be alive."""
        async with self.status_rate_limiter:
            seen = self._look([info.external_jobid for info in active_jobs])
        for info in active_jobs:
            if not self._ended(info, seen.get(info.external_jobid, Seen("UNKNOWN"))):
                yield info

    def _look(self, jobs: Sequence[str]) -> Any:
        if not jobs:
            return {}
        try:
            seen = self.backend.look(jobs)
        except Unreachable as error:
            if not self._unreachable:
                self.logger.warning(f"{error}. Waiting until it answers again; the jobs are not touched.")
            self._unreachable = True
            return {}
        self._unreachable = False
        return seen

    def _ended(self, info: SubmittedJobInfo, seen: Seen) -> bool:
        """Reports a job that has ended. A lost one is looked for again before it is given up."""
        external = info.external_jobid
        self._lost[external] = self._lost[external] + 1 if seen.state == LOST else 0
        if seen.verdict is Verdict.ALIVE or 0 < self._lost[external] < LOOKS_BEFORE_LOST:
            return False
        self._watched.pop(external, None)
        del self._lost[external]
        try:
            self.journal.ended(key_of(info.job))
        except OSError as error:
            self.logger.warning(
                f"The end of {external} could not be noted ({error}); the next run will look for it again."
            )
        if seen.verdict is Verdict.DONE:
            self.files.forget(external)
            self.report_job_success(info)
        else:
            self._failed(info, seen)
        return True

    def _failed(self, info: SubmittedJobInfo, seen: Seen) -> None:
        external = info.external_jobid
        if seen.stuck:
            self._cancel([external])
        if seen.state == "OUT_OF_MEMORY":
            self._memory_factor[info.job] += 1
        out, err = self.files.logs(external)
        message = (
            f"Job {external} ended as {seen.explain()}.\nstdout: {out}\nstderr: {err}\nIts last words:\n"
            f"{self.files.last_words(external)}\n"
        )
        self.report_job_error(info, msg=message)

    # Ending

    def cancel_jobs(self, active_jobs: Sequence[SubmittedJobInfo]) -> None:
        """Everything that was submitted, also what Snakemake does not list at this moment."""
        self._withdraw_unconfirmed()
        self._cancel(list(self._watched))

    def _cancel(self, jobs: Sequence[str]) -> None:
        try:
            if jobs:
                self.backend.cancel(jobs)
        except Unreachable as error:
            self.logger.error(
                f"{len(jobs)} jobs could not be cancelled: {error}. To cancel them later: scancel {' '.join(jobs[:20])}"
            )


def key_of(job: Any) -> str:
    """Names a job across runs: what it makes."""
    return " ".join(sorted(map(str, job.output))) or f"{job.name} {job.jobid}"
