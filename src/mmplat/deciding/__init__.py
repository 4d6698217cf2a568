"""decide: evidence → predictions → metrics, for all cells of one model on one suite. Array maths on a CPU, no model.

Files of one pair, below campaigns/<campaign>/decided/: predictions.parquet, runs.parquet, metrics.parquet, decided.json (last).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmplat.artifacts import Results, atomic, write_json
from mmplat.deciding import tables
from mmplat.deciding.cells import context_of, method_cells
from mmplat.deciding.written import written_cells
from mmplat.plan import Pair, Plan

__all__ = ["decide"]

Advance = Callable[[int], None]


def decide(plan: Plan, pair: Pair, results: Results, *, advance: Advance = lambda n: None) -> Path:
    """Decides every cell of a pair and writes its files; returns the path of decided.json."""
    began = time.perf_counter()
    context = context_of(plan, pair, results)
    cells = []
    for seeded in pair.methods:
        cells += (written_cells if pair.writings else method_cells)(context, seeded)
        advance(len(plan.grid.decodings))
    runs = [tables.run_record(context, cell) for cell in cells]
    shared = tables.sample_columns(context)
    folder = results.decided(plan.grid.campaign, pair.model.name, pair.suite.name)
    (folder / "decided.json").unlink(missing_ok=True)  # it vouches for the files beside it, which change now
    _write(
        folder / "predictions.parquet",
        pa.concat_tables(tables.predictions_table(context, shared, c, r) for c, r in zip(cells, runs, strict=True)),
    )
    _write(folder / "metrics.parquet", tables.metrics_table(context, cells, runs))
    _write(folder / "runs.parquet", tables.runs_table(runs))
    write_json(folder / "decided.json", tables.summary(context, runs, time.perf_counter() - began))
    return folder / "decided.json"


def _write(path: Path, table: pa.Table) -> None:
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=1)
