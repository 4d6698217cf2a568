"""Heartbeats: what the job of a batch says of itself every few seconds, in a file beside the batch. No database, no network.

`mmplat status` reads them, and so does the sizing of jobs: the last heartbeat of a batch stays, with what asking it cost.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from pydantic import ValidationError

from mmplat.artifacts import Results, write_json
from mmplat.errors import ArtifactError
from mmplat.records import Batch, Record

log = logging.getLogger(__name__)

EVERY_S = 5.0
STALE_AFTER = timedelta(seconds=45)
"""Nine beats: a shared folder may show a file late, and the clocks of two nodes differ by seconds."""

State = Literal["running", "finished", "failed", "stopped"]


class Cost(Record):
    """What asking a batch took on one kind of device; loading the model is not in it."""

    hardware: str
    steps: int
    """Rows of forwards as the plan foresees them (`writings.py`)."""
    seconds: float


class Heartbeat(Record):
    """One job's last word."""

    batch: str
    model: str
    model_key: str
    state: State
    host: str
    pid: int
    slurm_job: str | None = None
    log: str | None = None
    """The file that its words go to, where they go to one."""
    suite: str | None = None
    """What it is asking now."""
    rows_done: int = 0
    """Asked, known already, or failed with a reason."""
    rows_total: int
    rows_asked: int = 0
    """Asked by this job."""
    rows_per_s: float | None = None
    started: datetime
    updated: datetime
    peak_memory_mb: int | None = None
    peak_gpu_memory_mb: int | None = None
    costs: tuple[Cost, ...] = ()
    """Of every job of this batch so far, this one included."""
    error: str | None = None

    def alive(self, now: datetime) -> bool:
        """Whether the job still runs, as far as one can see: it says so, lately, and a process of this machine is there."""
        if self.state != "running" or now - self.updated > STALE_AFTER:
            return False
        return self.host != os.uname().nodename or process_exists(self.pid)


def read_heartbeat(path: Path) -> Heartbeat | None:
    """None where there is none, or one of another version: nothing is decided from heartbeats."""
    try:
        return Heartbeat.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValidationError, json.JSONDecodeError, UnicodeDecodeError):
        return None


class Counts(Protocol):
    """What asking counts as it goes on."""

    @property
    def asked(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def seconds(self) -> float: ...


class Pulse:
    """Writes the heartbeat of one batch while it is asked.

    A thread writes it, since loading a model or one large chunk may take minutes. It begins when something must be asked:
    a batch whose evidence is there leaves the last heartbeat, and what it says of the cost, as it is.
    """

    def __init__(self, batch: Batch, results: Results, counts: Counts, rows: dict[str, int]) -> None:
        self.hardware = "unknown"
        self._path, self._counts, self._rows, self._done = results.heartbeat(batch.key), counts, dict(rows), 0
        earlier = read_heartbeat(self._path)
        now = datetime.now(UTC)
        self._said = Heartbeat(
            batch=batch.key,
            model=batch.model.name,
            model_key=batch.model.key,
            state="running",
            host=os.uname().nodename,
            pid=os.getpid(),
            slurm_job=slurm_job(),
            log=log_file(),
            rows_total=sum(rows.values()),
            started=now,
            updated=now,
            costs=earlier.costs if earlier else (),
        )
        self._suite: str | None = None
        self._asking_since = 0.0
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """The first beat; the thread goes on from here."""
        if self._thread is None:
            self._write("running")
            self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            self._thread.start()

    def suite(self, name: str, rows: int) -> None:
        """From here on `name` is asked; `rows` is the exact number where only an estimate was known."""
        self._suite, self._rows[name] = name, rows
        self._asking_since = self._asking_since or time.monotonic()

    def advance(self, rows: int) -> None:
        self._done += rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        if isinstance(error, Exception):
            self._write("failed", str(error) or type(error).__name__)
        elif self._thread is not None:
            self._write("finished" if error is None else "stopped")

    def _beat(self) -> None:
        while not self._end.wait(EVERY_S):
            self._write("running")

    def _write(self, state: State, error: str | None = None) -> None:
        """A heartbeat that cannot be written is not worth a batch: the next one may."""
        try:
            write_json(self._path, self._now(state, error).model_dump(mode="json"))
        except (OSError, ArtifactError) as problem:
            log.warning("The heartbeat %s cannot be written: %s", self._path, problem)

    def _now(self, state: State, error: str | None) -> Heartbeat:
        asked, steps = self._counts.asked, self._counts.steps
        # An endpoint answers many at once, and its seconds are counted at the end.
        seconds = self._counts.seconds or (time.monotonic() - self._asking_since if asked else 0.0)
        return self._said.model_copy(
            update={
                "state": state,
                "error": error,
                "suite": self._suite,
                "rows_done": self._done,
                "rows_total": sum(self._rows.values()),
                "rows_asked": asked,
                "rows_per_s": round(asked / seconds, 3) if seconds else None,
                "updated": datetime.now(UTC),
                "peak_memory_mb": _peak_memory_mb(),
                "peak_gpu_memory_mb": _peak_gpu_memory_mb(),
                "costs": _with(self._said.costs, Cost(hardware=self.hardware, steps=steps, seconds=round(seconds, 3))),
            }
        )


def slurm_job() -> str | None:
    """The SLURM job that this process belongs to, as squeue shows it: a task of an array carries the array's id."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def log_file() -> str | None:
    """The file that standard error goes to, as Snakemake redirects it; None for a terminal, a pipe, or where no one can tell."""
    try:
        path = Path(os.readlink(f"/proc/self/fd/{sys.__stderr__.fileno()}")) if sys.__stderr__ else None
    except (OSError, ValueError):
        return None
    return str(path) if path and path.is_file() else None


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # signal 0 asks, and does nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True


def _with(costs: tuple[Cost, ...], more: Cost) -> tuple[Cost, ...]:
    """`costs` and `more`, one per kind of device."""
    if not more.steps:
        return costs
    same = [c for c in (*costs, more) if c.hardware == more.hardware]
    total = Cost(hardware=more.hardware, steps=sum(c.steps for c in same), seconds=sum(c.seconds for c in same))
    return (*(c for c in costs if c.hardware != more.hardware), total)


def _peak_memory_mb() -> int | None:
    """Not getrusage: what it says begins with the size of the process that started this one."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peaks[0]) // 1024 if peaks else None


def _peak_gpu_memory_mb() -> int | None:
    """Of this process, where it runs a model on a GPU. torch is never imported for this, and may be half imported just now."""
    cuda = sys.modules.get("torch.cuda")
    begun = getattr(cuda, "is_initialized", None)
    return int(cuda.max_memory_allocated()) // 2**20 if cuda and begun and begun() else None
