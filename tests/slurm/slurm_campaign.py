"""A campaign on a cluster: one working directory, Snakemake in it, and what must hold of its tables."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from builders import Ran
from slurm_cluster import Cluster, wait_for

from mmplat.artifacts import Results
from mmplat.deciding import decide
from mmplat.grid import load_grid
from mmplat.plan import make_plan

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GRID = """
campaign: faults
models:
  - {name: slow-a, family: fake, params: {pause_s: PAUSE}}
  - {name: slow-b, family: fake, params: {pause_s: PAUSE}}
suites: [world-objects, world-spurious]
decodings: [greedy, sample]
methods: [naive, posthoc-none, vcd]
limit: 1100
"""
"""Two models are two batches are one array; 13,200 prompts in chunks of 512 samples."""
TIMES = ["seconds", "git_revision", "git_dirty", "evidence_digest"]
"""Columns that may differ between two runs of one grid."""


@dataclass
class Campaign:
    """One working directory with the fault grid, and Snakemake in it."""

    folder: Path
    cluster: Cluster
    pause_s: float = 0.001
    """Seconds per prompt: how long there is something to disturb."""
    resources: dict[str, object] = field(default_factory=lambda: {"gpu": 1, "mem_mb": 500, "cpus_per_task": 1})
    grid: str = GRID
    profile: str = "slurm"
    options: tuple[str, ...] = ("--seconds-between-status-checks", "1", "--latency-wait", "5")
    head: subprocess.Popen[bytes] | None = None

    @property
    def results(self) -> Results:
        return Results(self.folder / "results")

    @property
    def said(self) -> str:
        """Everything that the heads printed."""
        return (self.folder / "said.txt").read_text(errors="replace")

    @property
    def array(self) -> str:
        """The id of the array that was submitted last."""
        return self.said.rpartition("× ask as ")[2].split(".")[0]

    def start(self, *more: str, until: str = "ask") -> None:
        """Starts Snakemake and comes back."""
        self.folder.mkdir(parents=True, exist_ok=True)
        grid = self.folder / "grid.yaml"
        if not grid.exists():
            grid.write_text(self.grid.replace("PAUSE", str(self.pause_s)))
        jobs = ("ask", "fine_tune")
        resources = [f"{job}:{name}={value}" for job in jobs for name, value in self.resources.items()]
        command = [
            *(
                str(BIN / "snakemake"),
                "--snakefile",
                str(ROOT / "Snakefile"),
                "--profile",
                str(ROOT / "profiles/slurm"),
            ),
            *("--directory", str(self.folder), "--seconds-between-status-checks", "1", "--latency-wait", "5"),
            *("--set-resources", *resources, "--set-threads", *(f"{job}=1" for job in jobs), *more),
            *(["--until", until] if until else []),
            *("--config", f"grid={grid}", f"results={self.results.root}"),
        ]
        environment = {**self.cluster.environment, "OMP_NUM_THREADS": "1"}
        environment["PATH"] = f"{BIN}:{environment['PATH']}"
        with (self.folder / "said.txt").open("ab") as said:
            self.head = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True
            )

    def finish(self, timeout_s: float = 120) -> int:
        assert self.head is not None
        return self.head.wait(timeout=timeout_s)

    def run(self, *more: str, until: str = "ask") -> int:
        self.start(*more, until=until)
        return self.finish()

    def end(self) -> None:
        """Nothing of it outlives its test."""
        if self.head is not None and self.head.poll() is None:
            os.killpg(self.head.pid, signal.SIGKILL)
            self.head.wait()

    def kill_head(self, how: signal.Signals) -> None:
        """Signals Snakemake alone, as a person or the kernel would."""
        assert self.head is not None
        os.kill(self.head.pid, how)
        self.head.wait(timeout=60)

    def wait_until_asking(self) -> None:
        """Until every batch has started to ask: there is work to lose."""

        def asking() -> bool:
            assert self.head is not None
            assert self.head.poll() is None, self.said
            return len(list(self.results.root.glob("evidence/*/*/*/.writer-*"))) >= 2

        wait_for(asking, 60)

    def table(self, name: str) -> pl.DataFrame:
        """predictions, runs or metrics, as the workflow decided them."""
        files = sorted((self.results.root / "campaigns").rglob(f"decided/**/{name}.parquet"))
        return pl.concat(pl.read_parquet(path, glob=False) for path in files)

    def decided(self) -> Ran:
        """The tables of what was asked. Decided in this process: a Snakemake job for each would take half the test."""
        plan = make_plan(load_grid(self.folder / "grid.yaml"))
        for pair in plan.pairs:
            decide(plan, pair, self.results)
        return Ran(plan, self.results)

    def log(self) -> str:
        """What the last try of each batch said."""
        return "\n".join(path.read_text() for path in sorted((self.folder / "logs/ask").glob("*.log")))

    def kept(self) -> int:
        """Rows that the last tries found and did not ask again."""
        return sum(int(n.replace(",", "")) for n in re.findall(r"asked, ([\d,]+) known already", self.log()))

    def node_of_task(self, index: int) -> str:
        """Where a task of the last array runs."""
        return next(job[4] for job in self.cluster.jobs() if job[0] == f"{self.array}_{index}")

    def restarts(self) -> int:
        """How often SLURM requeued a task of the last array."""
        return sum(int(job[3] or 0) for job in self.cluster.jobs() if job[0].startswith(f"{self.array}_"))


def comparable(table: pl.DataFrame) -> pl.DataFrame:
    kept = table.drop(TIMES, strict=False)
    return kept.sort([c for c, kind in kept.schema.items() if not isinstance(kind, pl.List)])


def rows_asked(results: Results) -> pl.DataFrame:
    """Every row of evidence that was ever written, doubled ones too."""
    parts = sorted((results.root / "evidence").rglob("part-*.parquet"))
    columns = ["model", "sample_key", "view_key"]
    tables = [pl.read_parquet(part, glob=False).with_columns(model=pl.lit(part.parts[-4])) for part in parts]
    return pl.concat(table.select(columns) for table in tables).sort(columns)


def assert_same(one: Campaign, undisturbed: Ran) -> None:
    """The claim of every fault test: the same tables, row for row, and nothing asked twice."""
    assert rows_asked(one.results).equals(rows_asked(undisturbed.results))
    decided = one.decided()
    for name in ("predictions", "runs", "metrics"):
        expected = comparable(undisturbed.table(name))
        assert expected.height > 0
        assert comparable(decided.table(name)).equals(expected), name
