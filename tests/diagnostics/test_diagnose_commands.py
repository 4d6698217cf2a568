"""The commands on the tiny model, and every example of docs/diagnose.md."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from builders import Ran, run_grid
from typer.testing import CliRunner

from mmplat.artifacts import Results
from mmplat.cli.app import app
from mmplat.diagnostics import measured
from mmplat.errors import ArtifactError, ConfigError, UnknownName

PAGE = Path(__file__).parents[2] / "docs" / "diagnose.md"
Told = Callable[..., pl.DataFrame]


def invoke(results: Results, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--results", str(results.root)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def told(tiny: Ran) -> Told:
    """Runs a diagnostic on the tiny campaign; returns the table that it stored."""

    def run(name: str, *options: str) -> pl.DataFrame:
        invoke(tiny.results, "diagnose", name, "priors", *options)
        return pl.read_parquet(tiny.results.diagnostic("priors", name, "parquet"), glob=False)

    return run


def cell(table: pl.DataFrame, suite: str, **where: object) -> dict[str, object]:
    rows = table.filter(pl.col("suite").str.starts_with(suite)).filter(**where).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


def test_the_prior_speaks_in_words_and_every_answer_has_every_kind_of_input(told: Told) -> None:
    table = told("prior", "--top", "3")
    assert table.columns == ["model", "suite", "rank", "answer", "view", "mean", "sd", "n", "untold"]
    likeliest = table.filter(pl.col("suite").str.starts_with("world-objects") & (pl.col("rank") <= 2))
    assert set(likeliest["answer"]) == {"yes", "no"}
    assert likeliest.group_by("answer").len()["len"].to_list() == [2, 2]  # none and zero
    assert likeliest.group_by("view").agg(pl.col("mean").sum())["mean"].to_list() == pytest.approx([1, 1], abs=0.01)
    assert table["untold"].to_list() == pytest.approx([0.0] * table.height, abs=1e-6)  # 180 tokens, all of them kept


def test_means_of_the_prior_are_those_of_the_evidence(tiny: Ran, told: Told) -> None:
    table = told("prior", "--view", "none", "--top", "2")
    (pair,) = measured(tiny.results, "priors", suites=[tiny.plan.pairs[0].suite.name])
    blind = next(view for view in pair.pair.views if view.kind == "none")
    said = pair.label_probs(blind)[:, 0] * 1.0  # "Yes" and "yes" are one answer, and nothing else is said
    yes = cell(table, "world-objects", answer="yes")
    assert yes["mean"] == pytest.approx(said.mean(), abs=0.01)
    assert yes["sd"] == pytest.approx(said.std(), abs=0.01)


def test_text_heavy_questions_are_flagged_and_harmed_and_prior_driven_ones_are_helped(told: Told) -> None:
    table = told("lean")
    facts = cell(table, "world-facts", subset="all", method="posthoc-none")
    assert (facts["answered_by_prior"], facts["sign"]) == (True, "−")
    adversarial = cell(table, "world-objects", subset="split=adversarial", method="posthoc-none")
    assert (adversarial["answered_by_prior"], adversarial["sign"]) == (False, "+")


def test_gains_are_least_where_the_naive_answer_is_surest(told: Told) -> None:
    table = told("confidence", "--bins", "3")
    gains = [cell(table, "world-objects", bin=b, method="posthoc-none", metric="accuracy")["gain"] for b in range(1, 4)]
    assert gains[0] == max(gains)
    assert abs(gains[-1]) < 0.02


def test_a_threshold_shift_says_yes_as_often_as_its_target(told: Told) -> None:
    table = told("yes-bias")
    assert table["suite"].unique().len() == 1
    for target, control in (("posthoc-none", "threshold-shift"), ("vdd-none", "threshold-shift(like=vdd-none)")):
        one, other = (cell(table, "world-objects", subset="all", method=method) for method in (target, control))
        assert (
            one["yes_ratio"]
            == other["yes_ratio"]
            != cell(table, "world-objects", subset="all", method="naive")["yes_ratio"]
        )


def test_calibration_covers_every_sample_once_per_kind_of_bin(tiny: Ran, told: Told) -> None:
    table = told("calibration")
    for (_, _, _, _), rows in table.partition_by("model", "suite", "method", "bins", as_dict=True).items():
        whole = rows.filter(pl.col("bin").is_null())
        assert rows.drop_nulls("bin")["n"].sum() == whole["n"][0]
        assert whole["ece_low"][0] <= whole["ece"][0] <= whole["ece_high"][0]


def test_a_stored_table_says_what_it_was_made_with(tiny: Ran, told: Told) -> None:
    told("lean", "--above", "0.25", "--suite", "world-facts(seed=5)")
    metadata = pq.read_schema(tiny.results.diagnostic("priors", "lean", "parquet")).metadata
    about = json.loads(metadata[b"mmplat"])
    assert (about["diagnostic"], about["version"], about["campaign"]) == ("lean", 1, "priors")
    assert about["options"]["above"] == 0.25
    assert about["options"]["suite"] == ["world-facts(seed=5)"]  # no table of the whole campaign
    told("lean", "--above", "0.25")
    assert {"mmplat", "numpy", "python"} <= set(about["versions"])


def test_values_are_those_of_the_metrics_that_were_decided(tiny: Ran, told: Told) -> None:
    found = cell(told("yes-bias", "--decoding", "t0.5"), "world-objects", subset="split=popular", method="vdd-none")
    suite = tiny.plan.pairs[0].suite.name
    run = tiny.table("runs").filter(method="vdd-none", decoding="t0.5", suite=suite)["run_id"][0]
    stored = tiny.table("metrics").filter(run_id=run, metric="yes_ratio", subset="split=popular").row(0, named=True)
    for ours, theirs in (("yes_ratio", "value"), ("yes_ratio_low", "low"), ("yes_ratio_high", "high")):
        assert found[ours] == pytest.approx(stored[theirs])


def test_best_decodings_of_each_suite_and_over_all(tiny: Ran) -> None:
    rows = json.loads(invoke(tiny.results, "decodings", "best", "priors", "--format", "json"))
    *suites, overall = rows
    assert overall["suite"] == "overall"
    assert len(suites) == 3
    assert overall["n"] == sum(row["n"] for row in suites)
    stored = tiny.results.diagnostic("priors", "decodings-best", "parquet")
    assert pl.read_parquet(stored, glob=False).height == 4
    assert tiny.results.diagnostic("priors", "decodings", "svg").exists()


@pytest.mark.parametrize(
    ("words", "kind", "error"),
    [
        (("lean", "prior"), UnknownName, "Unknown campaign 'prior'.*Did you mean 'priors'"),
        (("lean", "priors", "--model", "tny"), UnknownName, "Unknown model 'tny' in campaign 'priors'"),
        (("lean", "priors", "--decoding", "t9"), UnknownName, "Unknown decoding 't9' in what was decided"),
        (("yes-bias", "priors", "--suite", "world-spurious(seed=5)"), ConfigError, "it is no yes/no question"),
        (("prior", "priors", "--view", "one"), ConfigError, r"view one was not asked: add `views: \[one\]`"),
    ],
)
def test_what_cannot_be_diagnosed_is_said_with_what_to_do(
    tiny: Ran, words: tuple[str, ...], kind: type[Exception], error: str
) -> None:
    with pytest.raises(kind, match=error):
        invoke(tiny.results, "diagnose", *words)


def test_what_was_planned_and_not_decided_is_told_so(tiny: Ran, tmp_path: Path) -> None:
    from mmplat.plan import write_plan

    results = Results(tmp_path)
    write_plan(tiny.plan, results)
    with pytest.raises(ArtifactError, match="mmplat decide"):
        measured(results, "priors")


TEXT = PAGE.read_text(encoding="utf-8")
(PAGE_GRID,) = re.findall(r"```yaml\n(.+?)```", TEXT, re.DOTALL)
EXAMPLES = [line for block in re.findall(r"```sh\n(.+?)```", TEXT, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def of_the_page(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_grid(PAGE_GRID, Results(tmp_path_factory.mktemp("page") / "results")).results


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_of_the_page_prints_a_table(of_the_page: Results, line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "mmplat"
    header, *rows = invoke(of_the_page, *words).splitlines()
    assert header.startswith("model")
    assert rows
