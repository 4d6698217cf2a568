"""What a grid may say of a judge, what is planned of it, and the way from the command line to the leaderboard."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from endpoint.chat_server import fails
from taste import QUESTIONS
from typer.testing import CliRunner

from mmplat.cli.app import app
from mmplat.errors import ConfigError
from mmplat.grid import parse_grid
from mmplat.plan import make_plan

ROOT = Path(__file__).parents[2]
KEY = "sk-test-5f0e1c7d9b3a4826"


def grid(data, judge, suite="llava-bench-wild"):
    lines = [
        "campaign: c",
        "models: [tiny]",
        "suites:",
        f"  - name: {suite}",
        f"    params: {{path: '{data}'}}" if data else "    limit: 3",
        f"    judge: {judge}",
    ]
    return "\n".join(lines)


HERE = "url: http://127.0.0.1:9/v1, model: m"


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (f"{{params: {{{HERE}}}, rubrik: x}}", "g.yaml:6: unknown key 'rubrik'. Did you mean 'rubric'. Allowed: rubric, params"),
        ("{rubric: pair-1-10}", "g.yaml:6: key 'params' is missing"),
        ("gpt-4o", "g.yaml:6: suites.0.judge = 'gpt-4o': Input should be a valid dictionary"),
        (f"{{params: {{{HERE}}}, rubric: pair-1-5}}",
         "Unknown rubric 'pair-1-5' in g.yaml:6 .suites.0..judge.. Did you mean 'pair-1-10'. Known: alone-0-6, pair-1-10"),
        ("{params: {model: m}}", "The judge in g.yaml:6 .suites.0..judge.: .*params.url: Field required"),
        (f"{{params: {{{HERE}, top_logprob: 3}}}}", "The judge in g.yaml:6 .*params.top_logprob is unknown. Allowed params: url"),
        (f"{{params: {{{HERE}, draws: 3, system: x}}}}", "The judge in g.yaml:6 .* has params.draws, params.system, which mean"),
        (f"{{params: {{{HERE}, max_cost: 1}}}}", "The judge in g.yaml:6 .*max_cost needs price_in and price_out"),
        (f"{{params: {{{HERE}, key_env: {KEY}}}}}", "params.key_env: the name of an environment variable is needed"),
    ],
)  # fmt: skip
def test_a_wrong_judge_is_told_with_its_line_while_planning(written, judge, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse_grid(grid(written.data, judge), source="g.yaml")
    assert KEY not in str(error.value)


def test_a_suite_that_is_scored_without_a_judge_takes_none():
    with pytest.raises(
        ConfigError, match="Suite 'world-captions' in g.yaml:6 .* scored without one. Remove it; suites with"
    ):
        parse_grid(grid("", f"{{params: {{{HERE}}}}}", suite="world-captions"), source="g.yaml")


def test_a_suite_that_needs_a_judge_and_has_none_is_skipped_with_the_reason(written):
    text = grid(written.data, "").replace("    judge: ", "    limit: 9")
    plan = make_plan(parse_grid(text))
    assert plan.planned == 0
    (reason,) = {skip.reason for skip in plan.skipped}
    assert reason.startswith("a judge scores its answers, and the grid names none")


def test_a_judge_is_in_the_plan_and_in_no_batch(written, results):
    """So another judge, or another cap, asks no model again."""
    from mmplat.plan import describe

    plans = [
        make_plan(parse_grid(grid(written.data, f"{{rubric: {rubric}, params: {{{HERE}}}}}")))
        for rubric in ("pair-1-10", "alone-0-6")
    ]
    assert len({tuple(batch.key for batch in plan.batches) for plan in plans}) == 1
    pair, alone = (describe(plan)["pairs"][0] for plan in plans)
    assert pair["judge"]["rubric"] == "pair-1-10"
    assert [pair["judgments"], alone["judgments"]] == [2 * QUESTIONS, QUESTIONS]
    assert describe(plans[0])["versions"]["rubric:pair-1-10"] == 1
    assert "judge" not in json.dumps([batch.model_dump(mode="json") for batch in plans[0].batches])


def test_the_plan_says_how_much_is_judged_by_whom(bench, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(bench.text())
    said = CliRunner().invoke(app, ["plan", "--grid", str(file), "--results", str(bench.results.root)]).output
    assert f"{QUESTIONS * 4 * 2}  judgments at most: tiny × llava-bench-wild ← judge by pair-1-10" in said


def test_from_the_command_line_to_the_leaderboard(bench, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(bench.text())
    where = ["--results", str(bench.results.root)]
    for words in (
        ["judge", "--grid", str(file)],
        ["decide", "--grid", str(file)],
        ["publish", "bench", "--no-tracking"],
    ):
        done = CliRunner().invoke(app, [*words, *where])
        assert done.exit_code == 0, done.output
        if words[0] == "judge":
            assert "tiny × llava-bench-wild: 96 judged, 0 known already, 0 replies without a score" in done.output
    query = "SELECT value, low, high FROM metrics WHERE metric = 'relative_score' AND subset = 'all'"
    found = CliRunner().invoke(app, ["sql", query, "--format", "json", *where])
    rows = json.loads(found.output)
    assert len(rows) == 4
    assert all(row["low"] < row["value"] < row["high"] < 100 for row in rows)


def test_failures_are_an_exit_code_unless_they_are_let_pass(bench, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(bench.text())
    bench.endpoint.script += [fails(400, "filtered")]
    command = ["judge", "--grid", str(file), "--results", str(bench.results.root)]
    kept = CliRunner().invoke(app, [*command, "--keep-going"])
    assert kept.exit_code == 0
    assert "failed: " in kept.output
    assert "status 400: filtered" in kept.output
    bench.endpoint.always = fails(400, "filtered")
    assert CliRunner().invoke(app, command).exit_code == 1


def test_a_pair_without_a_judge_has_nothing_to_be_judged(results, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text("campaign: c\nmodels: [fake]\nsuites: [world-objects]\nlimit: 3\n")
    words = ["judge", "--grid", str(file), "--results", str(results.root)]
    assert CliRunner().invoke(app, words).exit_code == 0
    named = CliRunner().invoke(app, [*words, "--model", "fake", "--suite", "world-objects"])
    assert isinstance(named.exception, ConfigError)
    assert "has no judge in this grid" in str(named.exception)


def snakemake(folder, file, results, *more):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    command = [
        "snakemake",
        *(
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--profile",
            str(ROOT / "profiles/default"),
            "--directory",
            str(folder),
        ),
        *("--config", f"grid={file}", f"results={results.root}", *more),
    ]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)


def test_the_workflow_judges_between_asking_and_deciding_only_where_a_judge_is_planned(bench, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(bench.text().replace("suites:", "suites:\n  - {name: world-objects, limit: 3}"))
    done = snakemake(tmp_path, file, bench.results, "--dry-run")
    assert done.returncode == 0, done.stderr
    counts = dict(
        line.split() for line in done.stdout.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit()
    )
    assert (counts["judge"], counts["decide"]) == ("1", "2")


@pytest.mark.slow
def test_one_command_asks_judges_decides_and_ranks(bench, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(bench.text().replace("suites:", "suites:\n  - {name: world-objects, limit: 3}"))
    results = type(bench.results)(tmp_path / "fresh")
    done = snakemake(tmp_path, file, results)
    assert done.returncode == 0, done.stderr
    metrics = pl.read_parquet(results.decided("bench", "tiny", "llava-bench-wild") / "metrics.parquet")
    assert metrics.filter(metric="relative_score", subset="all").height == 4
    again = snakemake(tmp_path, file, results, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr
