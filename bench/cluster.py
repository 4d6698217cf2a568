"""Cost of the submitit executor on a real SLURM on this machine, and of Snakemake's own slurm executor beside it.

    python bench/cluster.py --official /path/to/venv

The second venv holds `snakemake snakemake-executor-plugin-slurm`, and is left out where none is named: every installed plugin is
imported at each start of Snakemake, so it must not lie beside ours. Needs root and SLURM's packages (scripts/install-debian).

  makespan    50 trivial jobs, from starting Snakemake to its end, polling every second; arms alternate
  overhead    from SLURM giving a job its node to its end, less the time of its command; one job at a time
  submission  one array of 1,000 tasks, until its id is known and its files lie in their place
  head        peak memory and seconds of Snakemake for a dry run of 10,000 jobs
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/slurm"))
from slurm_cluster import Cluster, missing, started  # noqa: E402

RULES = """
localrules: all

rule all:
    input: expand("done/{{n}}", n=range({jobs}))

rule trivial:
    output: "done/{{n}}"
    resources: runtime=5, mem_mb=100
    shell: "date +%s.%N > {{output}}; date +%s.%N >> {{output}}"
"""
COMMON = [
    "--max-jobs-per-timespan",
    "10000/1s",
    "--seconds-between-status-checks",
    "1",
    "--latency-wait",
    "5",
    "--quiet",
    "all",
]


def snakemake(venv: Path, cluster: Cluster, jobs: int, *options: str) -> tuple[float, Path]:
    """Seconds of one run in a fresh folder, and the folder."""
    folder = Path(tempfile.mkdtemp(dir=cluster.root))
    (folder / "Snakefile").write_text(RULES.format(jobs=jobs))
    environment = {**cluster.environment, "PATH": f"{cluster.root}/bin:{venv}/bin:{cluster.environment['PATH']}"}
    began = time.perf_counter()
    command = [str(venv / "bin/snakemake"), "--jobs", str(jobs), *COMMON, *options]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=900, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, folder


def wrap_srun(cluster: Cluster) -> None:
    """The official executor runs each job's step without SLURM_CONF, which a cluster outside /etc/slurm needs."""
    (cluster.root / "bin").mkdir()
    wrapper = cluster.root / "bin/srun"
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={cluster.root}/slurm.conf exec /usr/bin/srun "$@"\n')
    wrapper.chmod(0o755)


def makespans(cluster: Cluster, official: Path | None, options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds for `options.jobs` trivial jobs, per arm."""
    arms = {"submitit": (Path(sys.prefix), ["--executor", "submitit"])}
    if official:
        arms["official"] = (
            official,
            ["--executor", "slurm", "--slurm-status-command", "squeue", "--default-resources", "runtime=5"],
        )
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(options.repeats):
        for name, (venv, more) in arms.items():
            seconds[name].append(snakemake(venv, cluster, options.jobs, *more)[0])
    return seconds


def overheads(cluster: Cluster, count: int) -> list[float]:
    """Seconds of a job in SLURM's books that are not its command's, one job at a time."""
    found = []
    for _ in range(count):
        before = len(events(cluster, "_job_complete: .* done"))
        _, folder = snakemake(Path(sys.prefix), cluster, 1, "--executor", "submitit")
        began, ended = map(float, (folder / "done/0").read_text().split())
        allocated = events(cluster, "Allocate JobId|Started JobId")[-1]
        completed = events(cluster, "_job_complete: .* done")[before]
        found.append(completed - allocated - (ended - began))
    return found


def events(cluster: Cluster, pattern: str) -> list[float]:
    """When slurmctld did something, in seconds."""
    lines = (cluster.root / "log/slurmctld.log").read_text().splitlines()
    return [datetime.fromisoformat(line[1:24]).timestamp() for line in lines if re.search(pattern, line)]


def submission(cluster: Cluster, tasks: int) -> float:
    """Seconds until an array is submitted."""
    from snakemake_executor_plugin_submitit.needs import Needs
    from snakemake_executor_plugin_submitit.settings import ExecutorSettings
    from snakemake_executor_plugin_submitit.slurm import SlurmBackend

    os.environ.update(cluster.environment)
    backend = SlurmBackend(cluster.root / "submission", ExecutorSettings())
    began = time.perf_counter()
    jobs = backend.submit(["true"] * tasks, Needs("bench", runtime_min=5), name="bench")
    took = time.perf_counter() - began
    backend.cancel([jobs[0].split("_")[0]])
    return took


def head(cluster: Cluster, jobs: int) -> tuple[float, float]:
    """(seconds, megabytes) of a dry run."""
    took, _ = snakemake(Path(sys.prefix), cluster, jobs, "--executor", "submitit", "--dry-run", "--scheduler", "greedy")
    return took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, default=None, help="a venv with snakemake-executor-plugin-slurm")
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dag", type=int, default=10_000, help="jobs of the dry run")
    options = parser.parse_args()
    reason = missing()
    if reason:
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as folder, started(Path(folder) / "cluster") as cluster:
        wrap_srun(cluster)
        report: dict[str, object] = {
            "submission_s": [submission(cluster, 1000) for _ in range(options.repeats)],
            "overhead_s": overheads(cluster, options.repeats + 2),
            "makespan_s": makespans(cluster, options.official, options),
            "head_s_mb": head(cluster, options.dag),
        }
    print(json.dumps(report, indent=1))
    seconds = report["makespan_s"]
    assert isinstance(seconds, dict)
    for name, values in seconds.items():
        print(
            f"{name:<10}{statistics.median(values):8.1f} s  ({min(values):.1f}–{max(values):.1f}, {len(values)} runs)"
        )


if __name__ == "__main__":
    main()
