"""Many random faults on one campaign: `make soak`, or `PYTHONPATH=tests python tests/slurm/soak.py --faults 50 --seed 7`.

Every few seconds something breaks, drawn by the seed: a task is cancelled or requeued, its processes are killed, a node dies and
comes back, the controller goes away for a while, Snakemake is killed and started again. In the end the tables must be those of an
undisturbed run, and no row may have been asked twice.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from builders import run_grid
from slurm_campaign import GRID, Campaign, assert_same
from slurm_cluster import missing, started

from mmplat.artifacts import Results

MODELS = 8
PAUSE_S = 0.01
"""Per prompt: 63 s for a batch, so that there is always something to break."""


def grid() -> str:
    """The fault grid with more models."""
    names = "".join(f"  - {{name: slow-{n}, family: fake, params: {{pause_s: PAUSE}}}}\n" for n in range(MODELS))
    head, _, rest = GRID.partition("models:\n")
    return f"{head}models:\n{names}suites:{rest.partition('suites:')[2]}"


def cancel(one: Campaign, draw: random.Random) -> None:
    one.cluster.run("scancel", draw.choice(one.cluster.running()))


def requeue(one: Campaign, draw: random.Random) -> None:
    one.cluster.run("scontrol", "requeue", draw.choice(one.cluster.running()))


def kill_tasks(one: Campaign, draw: random.Random) -> None:
    one.cluster.kill_tasks(draw.choice(one.cluster.nodes))


def kill_node(one: Campaign, draw: random.Random) -> None:
    node = draw.choice(one.cluster.nodes)
    one.cluster.kill_node(node)
    time.sleep(draw.uniform(0, 15))
    one.cluster.start_node(node)


def controller_away(one: Campaign, draw: random.Random) -> None:
    one.cluster.stop_controller()
    time.sleep(draw.uniform(0, 10))
    one.cluster.start_controller()


def kill_head(one: Campaign, draw: random.Random) -> None:
    one.kill_head(signal.SIGKILL)
    one.start("--retries", "1000")


FAULTS: list[Callable[[Campaign, random.Random], None]] = [
    cancel,
    requeue,
    kill_tasks,
    kill_node,
    controller_away,
    kill_head,
]


def disturb(one: Campaign, draw: random.Random, count: int) -> Counter[str]:
    """Breaks things until `count` faults were met or everything was asked all the same."""
    met: Counter[str] = Counter()
    while met.total() < count:
        time.sleep(draw.uniform(1, 5))
        if one.head is not None and one.head.poll() is not None:
            break
        if not one.cluster.running():
            continue
        fault = draw.choice(FAULTS)
        fault(one, draw)
        met[fault.__name__] += 1
    return met


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    reason = missing()
    if reason:
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as name, started(Path(name) / "cluster") as cluster:
        undisturbed = run_grid(grid().replace("PAUSE", "0"), Results(Path(name) / "undisturbed"))
        one = Campaign(Path(name) / "work", cluster, grid=grid(), pause_s=PAUSE_S)
        began = time.monotonic()
        try:
            one.start("--retries", "1000")
            met = disturb(one, random.Random(options.seed), options.faults)
            code = one.finish(1200)
        finally:
            one.end()
        print(f"seed {options.seed}: {met.total()} faults in {time.monotonic() - began:.0f} s: {dict(met)}")
        if code:
            sys.exit(f"The campaign ended with {code}:\n{one.said[-5000:]}")
        assert_same(one, undisturbed)
        print(f"same tables, no row asked twice; {one.kept():,} rows were kept over the faults")


if __name__ == "__main__":
    main()
