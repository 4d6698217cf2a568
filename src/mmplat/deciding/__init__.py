"""decide: evidence → predictions → metrics, for all cells of one model on one suite. Array maths on a CPU, no model.

Files of one pair, below campaigns/<campaign>/decided/: predictions.parquet, runs.parquet, metrics.parquet, decided.json (last).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmplat.artifacts import Results, atomic, write_json
from mmplat.deciding import tables
from mmplat.deciding.cells import Context, Decided, context_of, method_cells
from mmplat.deciding.written import written_cells
from mmplat.ids import file_id
from mmplat.locks import only_writer
from mmplat.plan import Pair, Plan
from mmplat.records import RunRecord

__all__ = ["Decisions", "decide", "decisions"]

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Decisions:
    """All cells of one pair, decided from the stored evidence and not yet written."""

    context: Context
    cells: list[Decided]
    runs: list[RunRecord]

    def predictions(self) -> pa.Table:
        shared = tables.sample_columns(self.context)
        pairs = zip(self.cells, self.runs, strict=True)
        return pa.concat_tables(tables.predictions_table(self.context, shared, cell, run) for cell, run in pairs)

    def metrics(self) -> pa.Table:
        return tables.metrics_table(self.context, self.cells, self.runs)


def decisions(
    plan: Plan,
    pair: Pair,
    results: Results,
    *,
    bound: Mapping[str, str] | None = None,
    advance: Advance = lambda n: None,
) -> Decisions:
    """Decides every cell of a pair and writes nothing; with `bound`, from these parts of evidence alone."""
    context = context_of(plan, pair, results, bound)
    cells = []
    for seeded in pair.methods:
        cells += (written_cells if pair.writings else method_cells)(context, seeded)
        advance(len(plan.grid.decodings))
    return Decisions(context, cells, [tables.run_record(context, cell) for cell in cells])


def decide(plan: Plan, pair: Pair, results: Results, *, advance: Advance = lambda n: None) -> Path:
    """Decides every cell of a pair and writes its files; returns the path of decided.json."""
    began = time.perf_counter()
    folder = results.decided(plan.grid.campaign, pair.model.name, pair.suite.name)
    with only_writer(folder, what=f"What is decided of {pair.model.name} on {pair.suite.name}"):
        made = decisions(plan, pair, results, advance=advance)
        (folder / "decided.json").unlink(missing_ok=True)  # it vouches for the files beside it, which change now
        files = {
            "predictions.parquet": made.predictions(),
            "metrics.parquet": made.metrics(),
            "runs.parquet": tables.runs_table(made.runs),
        }
        digests = {name: _write(folder / name, table) for name, table in files.items()}
        seconds = time.perf_counter() - began
        write_json(folder / "decided.json", tables.summary(made.context, made.runs, seconds, digests))
    return folder / "decided.json"


def _write(path: Path, table: pa.Table) -> str:
    """Writes a table and returns the SHA-256 of its file."""
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=1)
        return file_id(temporary, length=64)
