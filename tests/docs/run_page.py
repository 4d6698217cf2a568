"""Runs a grid and lists the catalogs in a process of its own, since catalogs are global: run_page.py GRID RESULTS."""

import json
import sys
from pathlib import Path

from builders import run_grid
from typer.testing import CliRunner

from mmplat.artifacts import Results
from mmplat.cli.app import app

KINDS = ("models", "suites", "methods", "decodings", "views", "metrics", "conditions")

if __name__ == "__main__":
    ran = run_grid(Path(sys.argv[1]).read_text(encoding="utf-8"), Results(Path(sys.argv[2])))
    print(
        json.dumps(
            {
                "planned": ran.plan.planned,
                "runs": ran.table("runs").to_dicts(),
                "metrics": ran.table("metrics").to_dicts(),
                "skipped": {skip.method: skip.reason for skip in ran.plan.skipped},
                "listed": {kind: CliRunner().invoke(app, ["list", kind]).output for kind in KINDS},
            }
        )
    )
