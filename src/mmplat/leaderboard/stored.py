"""What `mmplat diagnose` and its like left beside a campaign: tables with the versions that made them.

They are files of the results folder, so these functions take the folder and no connection.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from mmplat.artifacts import Results
from mmplat.errors import ArtifactError

ABOUT = b"mmplat"
"""Key of a table's metadata that says what made it."""
LISTED: dict[str, Any] = {
    "diagnostic": pl.String, "rows": pl.Int64, "version": pl.Int64, "options": pl.String, "git_revision": pl.String,
    "written": pl.Datetime("us", "UTC"),
}  # fmt: skip


def diagnostics(results: Results, campaign: str) -> pl.DataFrame:
    """diagnostic, rows, version, options, git_revision, written: what is stored of a campaign, by name."""
    rows = [_listed(path) for path in sorted(_folder(results, campaign).glob("*.parquet"))]
    return pl.DataFrame(rows, schema=LISTED, orient="row")


def diagnostic(results: Results, campaign: str, name: str) -> pl.DataFrame:
    """The rows of one diagnostic; empty, without columns, where it was not made."""
    path = results.diagnostic(campaign, name, "parquet")
    if not path.exists():
        return pl.DataFrame()
    try:
        return pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}). Delete it and run its `mmplat diagnose` again."
        ) from None


def figures(results: Results, campaign: str) -> dict[str, str]:
    """The stored figures of a campaign's diagnostics as SVG text, by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_folder(results, campaign).glob("*.svg"))}


def stamp(results: Results, campaign: str) -> tuple[tuple[str, int], ...]:
    """Changes when a diagnostic of the campaign does."""
    files = sorted(_folder(results, campaign).glob("*.parquet"))
    return tuple((path.name, path.stat().st_mtime_ns) for path in files if path.exists())


def _folder(results: Results, campaign: str) -> Path:
    return results.diagnostic(campaign, "any", "parquet").parent


def _listed(path: Path) -> tuple[Any, ...]:
    try:
        metadata = pq.read_metadata(path)
        about = json.loads((metadata.metadata or {}).get(ABOUT, b"{}"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}). Delete it and run its `mmplat diagnose` again."
        ) from None
    options = ", ".join(f"{name}={value}" for name, value in about.get("options", {}).items() if value is not None)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return path.stem, metadata.num_rows, about.get("version"), options, about.get("git_revision"), written
