"""Running what is due. A firing is recorded before it starts and after it ended, so that one that was killed is known.

One campaign runs at a time: a second process that finds one running records its own firings as skipped.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from mmplat.artifacts import Results, read_json, write_json
from mmplat.errors import ArtifactError, Busy, MmplatError
from mmplat.heartbeats import process_exists, read_heartbeat
from mmplat.locks import only_writer
from mmplat.records import Record
from mmplat.schedule import clock
from mmplat.schedule.entries import Scheduled, refuse_inside, scheduled

PATIENCE_S = 3.0
"""Two lines of a crontab may fire in one minute. The first takes the lock and claims what is due for both."""

STAMP = "%Y-%m-%dT%H-%M"

Outcome = Literal["waiting", "running", "done", "failed", "skipped", "lost"]


class Firing(Record):
    """One firing of one schedule."""

    schedule: str
    due: datetime
    outcome: Outcome
    reason: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    rows_asked: int | None = None
    """What was new: everything else was there."""
    log: Path
    host: str
    pid: int | None = None
    """Of Snakemake."""

    @property
    def bad(self) -> bool:
        return self.outcome in ("failed", "lost")

    def path(self, results: Results) -> Path:
        return results.scheduled(self.schedule) / f"{stamp(self.due)}.json"

    def write(self, results: Results, **changed: object) -> Firing:
        """Records the firing with these changes."""
        firing = self.model_copy(update=changed)
        write_json(firing.path(results), firing.model_dump(mode="json"))
        return firing


def stamp(moment: datetime) -> str:
    return moment.strftime(STAMP)


def firings(results: Results, name: str) -> list[Firing]:
    """All recorded firings of a schedule, the latest last."""
    paths = sorted(results.scheduled(name).glob("????-??-??T??-??.json"))
    return [_read(path, name) for path in paths]


def _read(path: Path, name: str) -> Firing:
    """The path of a record decides whose it is and where its log lies: what its content says of that could lead anywhere."""
    try:
        due = datetime.strptime(path.stem, STAMP)
        own = {"schedule": name, "due": due, "log": path.with_suffix(".log")}
        return Firing.model_validate({**read_json(path, made_by="mmplat schedule run-due"), **own})
    except (ValueError, TypeError) as error:
        raise ArtifactError(
            f"{path} is no record of a firing that this version of mmplat wrote ({error}). Delete it."
        ) from error


def log_of(results: Results, firing: Firing) -> Path | None:
    """The log of a firing; None where there is none, or a link leads to another file."""
    path = results.scheduled(firing.schedule) / f"{stamp(firing.due)}.log"
    inside = path.resolve().is_relative_to(results.schedule.resolve())
    return path if inside and path.is_file() else None


def run_due(
    results: Results, *, now: datetime | None = None, patience_s: float = PATIENCE_S, say: Callable[[str], None] = print
) -> list[Firing]:
    """Runs every schedule that is due, one after the other; returns what came of each, and of those that were killed."""
    moment = now or datetime.now()
    with ExitStack() as held:
        try:
            held.enter_context(_alone(results, patience_s))
        except Busy as busy:
            return [_skip(results, firing, str(busy)) for firing in _due(results, moment)]
        runs = _still_running(results)
        if runs is not None:
            return [_skip(results, firing, runs) for firing in _due(results, moment)]
        lost = list(_lost(results))
        claimed = [(entry, firing.write(results)) for entry, firing in _due_entries(results, moment)]
        return lost + [_run(results, entry, firing, say) for entry, firing in claimed]


@contextmanager
def _alone(results: Results, patience_s: float) -> Iterator[None]:
    """The lock of the schedule; whoever holds it claims at once what is due, so a short wait tells what is left."""
    deadline = time.monotonic() + patience_s
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(only_writer(results.schedule, what="The schedule"))
                break
            except Busy:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.2)
        yield


def _due(results: Results, now: datetime) -> list[Firing]:
    return [firing for _, firing in _due_entries(results, now)]


def _due_entries(results: Results, now: datetime) -> Iterator[tuple[Scheduled, Firing]]:
    """Schedules whose last due minute came after they were added and was not claimed. Missed ones count once."""
    for entry in scheduled(results):
        due = clock.latest(entry.cron, now)
        firing = Firing(
            schedule=entry.name,
            due=due,
            outcome="waiting",
            log=results.scheduled(entry.name) / f"{stamp(due)}.log",
            host=os.uname().nodename,
        )
        if due > entry.added and not firing.path(results).exists():
            yield entry, firing


def _skip(results: Results, firing: Firing, reason: str) -> Firing:
    return firing.write(results, outcome="skipped", reason=reason)


def _unfinished(results: Results) -> Iterator[Firing]:
    for entry in scheduled(results):
        yield from (one for one in firings(results, entry.name) if one.outcome in ("waiting", "running"))


def _still_running(results: Results) -> str | None:
    """A Snakemake whose `run-due` was killed, and which goes on."""
    for firing in _unfinished(results):
        if firing.pid and firing.host == os.uname().nodename and _is_snakemake(firing.pid):
            return (
                f"Snakemake of schedule {firing.schedule!r} (process {firing.pid}) still runs, begun {firing.started}"
            )
    return None


def _is_snakemake(pid: int) -> bool:
    """Process ids are used again; a command line tells which it is."""
    try:
        return b"snakemake" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return not Path("/proc/self").exists() and process_exists(pid)


def _lost(results: Results) -> Iterator[Firing]:
    """Whoever recorded these is gone: the lock is ours."""
    for firing in _unfinished(results):
        yield firing.write(results, outcome="lost", reason="it was killed, or its machine went down, before it ended")


def _run(results: Results, entry: Scheduled, firing: Firing, say: Callable[[str], None]) -> Firing:
    started = datetime.now()
    say(f"{entry.name}: due {firing.due:%Y-%m-%d %H:%M}, log {firing.log}")
    firing = firing.write(results, outcome="running", started=started)
    try:
        firing, code = _snakemake(results, entry, firing)
    except (OSError, MmplatError) as error:
        firing = firing.write(results, outcome="failed", reason=str(error), ended=datetime.now())
    except KeyboardInterrupt:
        firing.write(results, outcome="failed", reason="interrupted; the next firing goes on", ended=datetime.now())
        raise
    else:
        firing = firing.write(
            results,
            outcome="failed" if code else "done",
            exit_code=code,
            reason=f"snakemake ended with exit code {code}" if code else None,
            ended=datetime.now(),
            rows_asked=_rows_asked_since(results, started),
        )
    say(
        f"{entry.name}: {firing.outcome}"
        + (f" ({firing.reason})" if firing.reason else f", {firing.rows_asked} rows asked")
    )
    return firing


def _snakemake(results: Results, entry: Scheduled, firing: Firing) -> tuple[Firing, int]:
    """Runs Snakemake to its end; whoever ends this process ends it too, and what was asked is kept."""
    refuse_inside(results, entry)  # again: a link may lead elsewhere since it was added
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ.get('PATH', '/usr/bin:/bin')}", **entry.environment()}
    with _opened(firing.log) as log:
        process = subprocess.Popen(
            entry.command(results),
            cwd=entry.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        firing = firing.write(results, pid=process.pid)
        try:
            return firing, process.wait()
        except BaseException:
            # As Ctrl-C in a terminal, which reaches the jobs too. At SIGTERM Snakemake waits for them, however long they take.
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise


def _opened(log: Path) -> IO[bytes]:
    """To be appended to. A link that somebody placed there is not followed: it could lead into a file that is run."""
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666), "ab")


def _rows_asked_since(results: Results, started: datetime) -> int:
    beats = filter(None, map(read_heartbeat, results.heartbeats))
    since = started.astimezone(UTC)
    return sum(beat.rows_asked for beat in beats if beat.started >= since)
