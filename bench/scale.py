"""Scale of what runs without a model: planning large grids, and deciding 9,000 samples × 60 cells. `make bench` runs it."""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))

import polars as pl
from test_plan import big_grid

from mmplat import asking
from mmplat.artifacts import Results
from mmplat.deciding import decide
from mmplat.evidence.files import ROWS, open_rows
from mmplat.evidence.opening import parts
from mmplat.grid import parse_grid
from mmplat.plan import describe, make_plan, write_plan
from mmplat.preparing import prepare

DECISIONS = """
campaign: bench
models: [fake]
suites: [{name: world-objects, params: {n: 9000}}]
decodings: [greedy, sample, t0.2, p0.9, k5, t0.7-k50-p0.9]
methods: [naive, posthoc-none, posthoc-unk, posthoc-both, posthoc-noise, vdd-none, vdd-unk, vdd-both, vcd, apc-only]
"""


def report(what: str, run: Callable[[], object], repeats: int) -> None:
    """Median and range of a few runs, and the peak memory of the process so far."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    spread = f"({min(times):.2f}–{max(times):.2f}, {repeats} runs)"
    print(f"{what:<50}{statistics.median(times):8.2f} s   {spread}, peak memory so far {peak:.2f} GB")


def main() -> None:
    for axes in ((10, 10, 10, 10), (200, 30, 51, 20)):
        grid = big_grid(*axes)
        report(f"plan {grid.cells:,} cells", lambda grid=grid: describe(make_plan(grid)), 5)
    with tempfile.TemporaryDirectory() as folder:
        results, plan = Results(Path(folder)), make_plan(parse_grid(DECISIONS))
        write_plan(plan, results)
        prepare(plan.grid.suites[0], results)
        asking.ask(plan.batches[0], results)
        (pair,) = plan.pairs
        report(f"decide 9,000 samples × {plan.planned} cells", lambda: decide(plan, pair, results), 3)
        (folder,) = results.evidence_root.glob("*/*/*")
        files, views = parts(folder, ROWS), list(pair.views)
        report("  of it: open the evidence, checked", lambda: open_rows(folder, views), 5)
        report("  of it: read the same files, unchecked", lambda: pl.scan_parquet(files, glob=False).collect(), 5)


if __name__ == "__main__":
    main()
