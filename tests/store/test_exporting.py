"""Exports: every number with its n and interval, in shapes that their readers know."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from generate import write_campaign

from mmplat.artifacts import Results
from mmplat.leaderboard import connect
from mmplat.leaderboard.exporting import as_latex, long_table
from mmplat.store import publish

Command = Callable[..., Any]


def export(mmplat: Command, results: Results, form: str, *words: str) -> Any:
    return mmplat("export", "results", "--format", form, *words, "--results", str(results.root))


def test_csv_and_parquet_hold_every_number_of_the_store(published: Results, mmplat: Command, tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    assert export(mmplat, published, "parquet", "--output", str(target)).code == 0
    whole = pl.read_parquet(target.read_bytes())
    connection = connect(published)
    stored = connection.execute("SELECT count(*), count(value), sum(value) FROM metrics").fetchone()
    connection.close()
    assert stored is not None
    assert (whole.height, whole["value"].count()) == stored[:2]
    assert whole["value"].sum() == pytest.approx(stored[2])
    read = pl.read_csv(io.BytesIO(export(mmplat, published, "csv").out))
    assert read.height == whole.height
    assert {"model", "method", "low", "high", "n", "origin", "versions"} <= set(read.columns)


def test_lm_evals_files_have_its_keys_and_come_back_as_the_same_numbers(
    published: Results, mmplat: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    said = export(mmplat, published, "lm-eval", "--campaign", "demo", "--output", str(folder))
    assert "12 files are written" in said.err  # 2 models × 2 decodings × 3 methods, both suites in each
    path = folder / "tiny" / "results_demo_naive_greedy_0.json"
    found = json.loads(path.read_text())
    assert {"results", "versions", "n-shot", "higher_is_better", "n-samples", "config", "git_hash"} <= set(found)
    entry = found["results"]["world-facts"]
    assert "precision,none" not in entry  # undefined there: no number, and no zero
    assert entry["acc_stderr,none"] == pytest.approx(0.2 / 2 / 1.959964)
    assert found["higher_is_better"]["world-facts"]["unparsed"] is False
    assert found["n-samples"]["world-facts"] == {"original": 6, "effective": 6}
    again = Results(tmp_path / "again")
    assert mmplat("import", "results", str(path), "--model", "tiny", "--results", str(again.root)).code == 0
    publish(again, "imported")
    connection = connect(again)
    value = connection.execute(
        "SELECT value FROM metrics JOIN runs USING (run_id) WHERE metric = 'accuracy' AND suite = 'world-facts'"
    )
    assert value.fetchone() == pytest.approx((entry["acc,none"],))
    connection.close()


def test_two_exports_of_one_store_are_equal(published: Results, mmplat: Command, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(mmplat, published, "lm-eval", "--output", str(tmp_path / name))
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / name).rglob("*.json")} for name in ("one", "two"))
    assert one == two
    assert one


def test_two_cells_that_file_names_cannot_tell_apart_are_refused_and_nothing_is_written(
    results: Results, mmplat: Command, tmp_path: Path
) -> None:
    entry = {"results": {"arc": {"acc,none": 0.5}}, "n-samples": {"arc": 10}}
    (tmp_path / "results.json").write_text(json.dumps(entry))
    for decoding in ("top 5", "top_5"):
        words = ["import", "results", str(tmp_path / "results.json"), "--model", "m", "--decoding", decoding]
        assert mmplat(*words, "--results", str(results.root)).code == 0
    publish(results, "imported")
    done = export(mmplat, results, "lm-eval", "--output", str(tmp_path / "out"))
    assert (done.code, "m/results_imported_naive_top_5_0.json would be written twice" in done.err) == (2, True)
    assert not (tmp_path / "out").exists()
    assert export(mmplat, results, "csv").out.count(b"accuracy") == 2


def test_the_table_of_a_paper_has_a_row_per_cell_and_a_column_per_suite(published: Results, mmplat: Command) -> None:
    text = export(mmplat, published, "markdown", "--metric", "accuracy").out.decode()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| model | method | decoding | world-facts (n=6) | world-objects (n=6) |"
    assert len(lines) == 2 + 12
    assert all("[" in cell for cell in lines[2].split("|")[4:6])
    latex = export(mmplat, published, "latex").out.decode()
    assert r"\begin{tabular}{lllrr}" in latex
    assert latex.count(r"\\") == 1 + 12


def test_names_cannot_break_a_latex_table() -> None:
    table = pl.DataFrame(
        {"model": ["a_b & c\\d%"], "pope (n=9)": [None]}, schema={"model": pl.String, "pope (n=9)": pl.String}
    )
    assert r"a\_b \& c\textbackslash{}d\% & -- \\" in as_latex(table, "accuracy")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["xml"], "Allowed: lm-eval, parquet, csv, latex, markdown"),
        (["lm-eval"], "give --output"),
        (["csv", "--campaign", "dmo"], "Did you mean 'demo'"),
        (["latex", "--metric", "acuracy"], "Did you mean 'accuracy'"),
    ],
)
def test_a_mistake_names_what_is_allowed(published: Results, mmplat: Command, words: list[str], said: str) -> None:
    done = export(mmplat, published, *words)
    assert (done.code, said in done.err) == (2, True)


def test_nothing_published_is_no_empty_file(results: Results, mmplat: Command, tmp_path: Path) -> None:
    done = export(mmplat, results, "csv", "--output", str(tmp_path / "x.csv"))
    assert (done.code, (tmp_path / "x.csv").exists()) == (1, False)


def test_two_campaigns_are_kept_apart(published: Results) -> None:
    write_campaign(published, "second")
    publish(published, "second")
    connection = connect(published)
    assert long_table(connection, "second")["campaign"].unique().to_list() == ["second"]
    assert long_table(connection)["campaign"].n_unique() == 2
    connection.close()
