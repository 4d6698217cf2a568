"""mmplat: how robust is a multimodal model, and what makes it more robust? Ask once, decide often.

Start reading at docs/architecture.md, then the Snakefile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

__version__ = "0.1.0"


def connect(results: Path | str | None = None, *, trusted: bool = False) -> duckdb.DuckDBPyConnection:
    """DuckDB over everything that was measured (docs/query.md); `results` as on the command line. Close it when done."""
    from mmplat import artifacts, leaderboard

    return leaderboard.connect(artifacts.results(results), trusted=trusted)
