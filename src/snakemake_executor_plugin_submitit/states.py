"""What SLURM says about jobs, as values: parsing squeue and sacct, and what each state means for the workflow. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

LOST = "LOST"
"""Our word for a job that SLURM no longer knows and that left no result."""

MEANING = {
    "FAILED": "its command failed: the reason is in the log of the rule and below",
    "TIMEOUT": "it reached its time limit. Raise `runtime` of the rule, or ask for smaller batches",
    "OUT_OF_MEMORY": "it used more memory than it had asked for. A retry asks for twice as much; raise `mem_mb` of the rule",
    "NODE_FAIL": "its node died. A retry runs elsewhere",
    "BOOT_FAIL": "its node did not boot. A retry runs elsewhere",
    "PREEMPTED": "a job of higher priority took its place, and this site does not requeue. A retry goes on where it stopped",
    "CANCELLED": "somebody cancelled it (scancel, or an administrator)",
    "DEADLINE": "it could not end before its deadline",
    "REVOKED": "another cluster of the federation took it",
    LOST: "SLURM no longer knows it, and it left no result: it died without a word",
}
"""Why a job ended, and what to do next. Everything that is neither here nor COMPLETED is still alive."""

STUCK = {"launch failed requeued held", "DependencyNeverSatisfied", "BadConstraints", "JobHeldAdmin"}
"""Reasons for which a pending job waits for a person: reported as a failure instead of waiting for ever."""


class Verdict(Enum):
    """What a state means for the workflow."""

    ALIVE = "alive"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Seen:
    """One job as SLURM shows it."""

    state: str
    reason: str = ""
    node: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.state == "COMPLETED":
            return Verdict.DONE
        if self.state in MEANING or self.stuck:
            return Verdict.FAILED
        return Verdict.ALIVE

    @property
    def stuck(self) -> bool:
        return self.state in {"PENDING", "REQUEUE_HOLD", "SPECIAL_EXIT"} and self.reason.strip("()") in STUCK

    def explain(self) -> str:
        """One sentence for people: the state, where, and what it means."""
        where = f" on {self.node}" if self.node else ""
        why = f" ({self.reason})" if self.reason not in {"", "None"} else ""
        if self.stuck:
            return f"{self.state}{why}: it would wait for ever; it was cancelled. Mend the cause and run the same command again"
        return f"{self.state}{where}{why}: {MEANING[self.state]}"


SQUEUE = ("--noheader", "--array", "--states=all", "--format=%i|%T|%N|%r")
SACCT = ("--noheader", "--allocations", "--parsable2", "--format=JobID,State,NodeList,Reason")


def parse(text: str) -> dict[str, Seen]:
    """Lines `id|state|nodes|reason`, of squeue or sacct, by job id (`12`, or `12_3` in an array)."""
    seen = {}
    for line in text.splitlines():
        job, state, node, reason = (part.strip() for part in line.split("|", 3))
        # sacct says "CANCELLED by 1000".
        seen[job] = Seen(state.split()[0], reason, "" if node == "None assigned" else node)
    return seen


def tail(text: str, lines: int = 12) -> str:
    """The last lines of a log, for a message."""
    return "\n".join(text.rstrip().splitlines()[-lines:])
