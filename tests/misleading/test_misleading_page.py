"""Everything that docs/misleading.md shows is run as it is written."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmplat.cli.app import app

TEXT = (Path(__file__).parents[2] / "docs" / "misleading.md").read_text(encoding="utf-8")
GRID, NOTES = re.findall(r"```yaml\n(.+?)```", TEXT, re.DOTALL)
EXAMPLES = [line for block in re.findall(r"```sh\n(.+?)```", TEXT, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from builders import run_grid

    from mmplat.artifacts import Results

    folder = tmp_path_factory.mktemp("page")
    (folder / "notes.yaml").write_text(NOTES)
    run_grid(GRID, Results(folder / "results"))
    return folder


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_of_the_page_works(folder, monkeypatch, line):
    monkeypatch.chdir(folder)
    program, *words = shlex.split(line)
    done = CliRunner().invoke(app, [*words, "--results", "results"], catch_exceptions=False)
    assert program == "mmplat"
    assert done.exit_code == 0, done.output
    assert done.stdout.strip()


def test_every_column_of_the_rates_is_explained(folder):
    import polars as pl

    words = ["diagnose", "misleading", "misled", "--results", str(folder / "results")]
    assert CliRunner().invoke(app, words).exit_code == 0
    (table,) = (folder / "results").rglob("misleading.parquet")
    told = {name for name in pl.read_parquet_schema(table) if not name.endswith(("_low", "_high"))}
    for name in told - {"model", "suite", "method", "decoding", "cue", "subset", "n"}:
        assert f"`{name}`" in TEXT, name
