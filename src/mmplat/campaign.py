"""How far a campaign is, read from its files: what runs, what waits, what failed, and when it may be done.

A batch's done-marker says that it was asked; until then its heartbeat says what became of its job. No database is asked, so
this may be called at any moment and from anywhere that sees the results folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from mmplat.artifacts import Results, read_json
from mmplat.batching import Job, Rate, rate_from
from mmplat.costs import rates_of
from mmplat.heartbeats import Heartbeat, read_heartbeat
from mmplat.plan import Plan

BatchStatus = Literal["running", "lost", "failed", "stopped", "waiting", "done"]
"""lost: its job fell silent without a last word, as a killed one does. stopped: it was told to end, and will go on."""


@dataclass(frozen=True, slots=True)
class BatchState:
    """One batch, now."""

    key: str
    model: str
    suites: tuple[str, ...]
    status: BatchStatus
    rows_done: int
    rows_total: int | None
    """None where nobody knows before the suite is prepared."""
    seconds_left: float | None
    """By the rate of this job, or of its model elsewhere, or by the estimate of the plan; None: nobody knows."""
    heartbeat: Heartbeat | None


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A model that is trained before it is asked."""

    model: str
    trained: bool
    steps: int
    """That it has taken so far."""

    def __str__(self) -> str:
        return f"{self.model} ({self.steps} steps taken)" if self.steps else self.model


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of one campaign."""

    campaign: str
    trainings: tuple[TrainingState, ...]
    batches: tuple[BatchState, ...]
    pairs: int
    decided: int
    failures: tuple[str, ...]
    """One line per sample that could not be asked."""
    now: datetime
    unjudged: tuple[str, ...] = ()
    """One line per sample whose answers a judge could not be asked about."""

    def count(self, status: BatchStatus) -> int:
        return Counter(batch.status for batch in self.batches)[status]

    def with_status(self, *statuses: BatchStatus) -> list[BatchState]:
        return [batch for batch in self.batches if batch.status in statuses]

    @property
    def untrained(self) -> list[TrainingState]:
        return [one for one in self.trainings if not one.trained]

    @property
    def fine(self) -> bool:
        return self._complete and not self.failures and not self.unjudged

    @property
    def rows_done(self) -> int:
        return sum(batch.rows_done for batch in self.batches)

    @property
    def rows_total(self) -> int | None:
        known = [batch.rows_total for batch in self.batches if batch.rows_total is not None]
        return sum(known) if len(known) == len(self.batches) else None

    @property
    def rows_per_s(self) -> float:
        """Of all jobs that run now."""
        beats = [batch.heartbeat for batch in self.with_status("running")]
        return sum(beat.rows_per_s or 0.0 for beat in beats if beat)

    @property
    def expected_end(self) -> datetime | None:
        """If as many jobs go on running as now; None where nothing runs or some batch may take any time."""
        running = self.with_status("running")
        left = [batch.seconds_left for batch in self.batches if batch.status != "done"]
        known = [seconds for seconds in left if seconds is not None]
        if not running or len(known) < len(left):
            return None
        longest = max(batch.seconds_left or 0.0 for batch in running)
        return self.now + timedelta(seconds=max(sum(known) / len(running), longest))

    @property
    def _complete(self) -> bool:
        """Everything is decided, whatever failed in it."""
        return self.count("done") == len(self.batches) and self.decided == self.pairs

    @property
    def _how_far(self) -> str:
        return (
            f"{self.count('done')} of {len(self.batches)} batches asked, {self.decided} of {self.pairs} pairs decided."
        )

    @property
    def verdict(self) -> str:
        rest = "Everything else is done." if self._complete else self._how_far
        if self.failures:
            return (
                f"Campaign {self.campaign!r}: {len(self.failures)} samples could not be asked and are in no metric; the first: "
                f"{self.failures[0]} {rest} Mend the cause, then run the same snakemake command with `--forcerun ask`: only "
                "what failed is asked."
            )
        if self.unjudged and self._complete:
            return (
                f"Campaign {self.campaign!r}: answers to {len(self.unjudged)} samples could not be judged, and their runs are "
                f"incomplete; the first: {self.unjudged[0]} {rest} Mend the cause, then run the same snakemake command with "
                "`--forcerun judge`: only what failed is judged."
            )
        failed = [batch for batch in self.with_status("failed") if batch.heartbeat]
        why = f" Batch {failed[0].key} failed: {failed[0].heartbeat.error}" if failed and failed[0].heartbeat else ""
        if self.untrained:
            why += f" Not trained yet: {', '.join(map(str, self.untrained))}."
        return (
            f"Campaign {self.campaign!r} is not complete: {self._how_far}{why} Run the same snakemake command again: it "
            "continues."
        )

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        end = self.expected_end
        return {
            "campaign": self.campaign,
            "now": self.now.isoformat(),
            "fine": self.fine,
            "counts": {status: self.count(status) for status in get_args(BatchStatus)},
            "trainings": [asdict(one) for one in self.trainings],
            "pairs": self.pairs,
            "decided": self.decided,
            "rows_done": self.rows_done,
            "rows_total": self.rows_total,
            "rows_per_s": round(self.rows_per_s, 3),
            "expected_end": None if end is None else end.isoformat(),
            "failures": list(self.failures),
            "unjudged": list(self.unjudged),
            "batches": [_batch_json(batch) for batch in self.batches],
        }


def _batch_json(batch: BatchState) -> dict[str, Any]:
    said = None if batch.heartbeat is None else batch.heartbeat.model_dump(mode="json")
    return {**{k: v for k, v in asdict(batch).items() if k != "heartbeat"}, "heartbeat": said}


def progress_of(plan: Plan, results: Results, *, now: datetime | None = None) -> Progress:
    """Reads the done-markers and heartbeats of a plan."""
    now = now or datetime.now(UTC)
    results = results.of(plan.grid.campaign)
    files = [(job, _files(job, results)) for job in plan.jobs]
    rate = rate_from(rates_of(said.beat for _, said in files if said.beat))
    decided = [results.decided(plan.grid.campaign, p.model.name, p.suite.name) / "decided.json" for p in plan.pairs]
    return Progress(
        campaign=plan.grid.campaign,
        trainings=tuple(_training(name, job.key, results) for name, job in plan.grid.trainings.items()),
        batches=tuple(_state(job, _expected(plan, job), said, rate, now) for job, said in files),
        pairs=len(decided),
        decided=sum(path.exists() for path in decided),
        failures=_failures(said.marker for _, said in files if said.marker),
        now=now,
        unjudged=_unjudged(plan, results),
    )


def taken_over(plan: Plan, results: Results) -> str | None:
    """Which campaign this grid would take the place of, and what would leave the leaderboard; None: it is its own, or new.

    Nobody means that who copied a grid and kept its name; whoever shrinks a grid of their own does.
    """
    path = results.plan(plan.grid.campaign)
    there = read_json(path, made_by="mmplat plan --write") if path.exists() else {}
    before = {(pair["model"], pair["suite"]) for pair in there.get("pairs", [])}
    gone = before - {(pair.model.name, pair.suite.name) for pair in plan.pairs}
    if not gone or there.get("source") == plan.grid.source:
        return None
    return (
        f"Campaign {plan.grid.campaign!r} was planned from {there.get('source')}: {len(gone)} of its {len(before)} pairs of a "
        "model and a suite are not in this grid, and leave the leaderboard when it is published (their files stay). To keep "
        "both, give one of the grids another `campaign`."
    )


def _training(model: str, key: str, results: Results) -> TrainingState:
    """Its losses have a line for each step."""
    folder = results.trained(key)
    losses = folder / "losses.jsonl"
    steps = len(losses.read_bytes().splitlines()) if losses.exists() else 0
    return TrainingState(model, (folder / "card.json").exists(), steps)


@dataclass(frozen=True, slots=True)
class _Files:
    """What the files of a batch say."""

    marker: dict[str, Any] | None
    beat: Heartbeat | None


def _files(job: Job, results: Results) -> _Files:
    marker = results.batch_done(job.key)
    asked = read_json(marker, made_by="mmplat ask") if marker.exists() else None
    return _Files(asked, read_heartbeat(results.heartbeat(job.key)))


@dataclass(frozen=True, slots=True)
class _Expected:
    """What asking all of a batch comes to; near enough for shards, whose samples were not counted."""

    rows: int
    steps: int
    """Forwards: a written answer is one row and many of these."""


def _expected(plan: Plan, job: Job) -> _Expected | None:
    """None where a suite is not prepared yet and does not know its size before."""
    rows = steps = 0
    for part in job.batch.suites:
        pair = plan.pair(job.batch.model.name, part.suite.name)
        if pair.n is None:
            return None
        rows += pair.n * (len(part.views) + len(part.writings)) // part.shard.of
        steps += pair.n * pair.work.steps // part.shard.of
    return _Expected(rows, steps)


def _state(job: Job, expected: _Expected | None, said: _Files, rate: Rate, now: datetime) -> BatchState:
    beat, status = said.beat, _status(said, now)
    if status == "done" and said.marker:
        done = total = said.marker["asked"] + said.marker["kept"]
    elif status == "waiting" or beat is None:
        done, total = 0, expected.rows if expected else None
    else:
        done, total = beat.rows_done, beat.rows_total
    own = beat.rows_per_s if beat and status == "running" else None
    return BatchState(
        key=job.key,
        model=job.batch.model.name,
        suites=tuple(part.name for part in job.batch.suites),
        status=status,
        rows_done=done,
        rows_total=total,
        seconds_left=None if total is None else _seconds(total - done, own, expected, rate(job.batch.model)),
        heartbeat=beat,
    )


def _seconds(rows: int, own: float | None, expected: _Expected | None, steps_per_s: float | None) -> float | None:
    """By what this very job does, while it runs; else by what its model was measured or estimated to do."""
    if rows == 0:
        return 0.0
    if own:
        return rows / own
    return rows * expected.steps / max(expected.rows, 1) / steps_per_s if expected and steps_per_s else None


def _status(said: _Files, now: datetime) -> BatchStatus:
    """A job that runs comes first: the marker may be that of an earlier asking."""
    beat = said.beat
    if beat is not None and beat.alive(now):
        return "running"
    if said.marker is not None:
        return "done"
    if beat is None or beat.state == "finished":  # Snakemake removes the marker of a batch that is to be asked again
        return "waiting"
    return "lost" if beat.state == "running" else beat.state


def _unjudged(plan: Plan, results: Results) -> tuple[str, ...]:
    """One line each, whatever number of ways of writing and of orders failed."""
    lines = []
    for pair in (pair for pair in plan.pairs if pair.judge is not None):
        path = results.judged(plan.grid.campaign, pair.model.name, pair.suite.name)
        failures = read_json(path, made_by="mmplat judge")["failures"] if path.exists() else []
        lines += [f"{pair.model.name} × {pair.suite.name}, sample {f['sample_id']}: {f['error']}" for f in failures]
    return tuple(dict.fromkeys(lines))


def _failures(markers: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """One line each; what holds for all samples of a suite is said by each of its shards."""
    lines = (
        f"{marker['model']} × {f['suite']}, sample {f['sample_id']}: {f['error']}"
        for marker in markers
        for f in marker["failures"]
    )
    return tuple(dict.fromkeys(lines))
