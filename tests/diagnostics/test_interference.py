"""Modality interference: measures by hand, what is compared with what, and the command on the tiny model."""

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from builders import run_grid
from hypothesis import given
from hypothesis import strategies as st
from made_up import surely
from typer.testing import CliRunner

from mmplat.artifacts import Results
from mmplat.cli.app import app
from mmplat.diagnostics import Measured, measured, run
from mmplat.diagnostics._worst import worst_over_first
from mmplat.diagnostics.interference import DIAGNOSTIC, grouped, measure, refuse_impossible
from mmplat.diagnostics.shift import LEAST, jensen_shannon, kl, total_variation
from mmplat.diagnostics.transitions import NO_LABEL, Transitions
from mmplat.errors import ConfigError, IncompatibleCell, UnknownName
from mmplat.grid import parse_grid
from mmplat.option_facts import load
from mmplat.plan import make_plan
from mmplat.records import Sample

A, B, C, D = range(4)


def test_the_papers_toy_of_changed_decisions():
    toy = Transitions(np.array([A, B, C, D]), np.array([A, C, C, A]), np.array([A, B, A, A]))
    assert toy.changed.mean() == 0.5


def test_each_change_is_of_one_kind():
    before, after = np.array([A, A, B, B, NO_LABEL, A, NO_LABEL]), np.array([A, B, A, C, NO_LABEL, NO_LABEL, B])
    changes = Transitions(before, after, np.full(7, A))
    assert changes.right_to_wrong.tolist() == [False, True, False, False, False, True, False]
    assert changes.wrong_to_right.tolist() == [False, False, True, False, False, False, False]
    assert changes.wrong_to_other.tolist() == [False, False, False, True, False, False, True]
    assert changes.half_parsed.tolist() == [False, False, False, False, False, True, True]


answers = st.lists(st.tuples(*(st.integers(NO_LABEL, 3),) * 2, st.integers(0, 3)), min_size=1)


@given(answers)
def test_kinds_of_change_add_up_and_accuracy_moves_by_no_more(rows):
    before, after, gold = np.array(rows).T
    changes = Transitions(before, after, gold)
    kinds = changes.right_to_wrong.astype(int) + changes.wrong_to_right + changes.wrong_to_other
    assert (kinds == changes.changed).all()
    drop = (before == gold).mean() - (after == gold).mean()
    assert drop == pytest.approx(changes.right_to_wrong.mean() - changes.wrong_to_right.mean())
    assert abs(drop) <= changes.changed.mean() + 1e-12


def test_distances_by_hand():
    p, q = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.75, 0.0]])
    assert total_variation(p, q) == pytest.approx([0.25])
    assert kl(p, q) == pytest.approx([0.5 * np.log(2) + 0.5 * np.log(2 / 3)], rel=1e-5)
    (p1, p2, _), (q1, q2, _) = p[0], q[0]
    to_mean = p1 * np.log(p1 / 0.375) + p2 * np.log(p2 / 0.625), q1 * np.log(q1 / 0.375) + q2 * np.log(q2 / 0.625)
    by_hand = sum(to_mean) / 2
    assert jensen_shannon(p, q) == pytest.approx([by_hand])


rows_of_three = st.lists(
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda r: sum(r) > 0.1), min_size=2, max_size=2
)


@given(rows_of_three)
def test_distances_are_what_their_names_promise(rows):
    p, q = (np.array([row]) / np.sum(row) for row in rows)
    for distance in (total_variation, jensen_shannon):
        assert distance(p, q) == pytest.approx(distance(q, p))
        assert distance(p, p) == pytest.approx([0.0], abs=1e-12)
    assert 0 <= total_variation(p, q)[0] <= 1 + 1e-12
    assert 0 <= jensen_shannon(p, q)[0] <= np.log(2) + 1e-12
    assert kl(p, p)[0] == pytest.approx(0, abs=1e-5)
    assert np.isfinite(kl(p, q)).all()


def test_an_answer_that_is_cut_off_costs_a_bounded_divergence():
    assert kl(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])) == pytest.approx([-np.log(LEAST)], rel=1e-4)


GRID = """
campaign: c
models: [fake]
suites:
  - {name: world-objects, conditions: [unrelated-facts, misleading-description, cue-wrong]}
  - {name: world-facts, conditions: [random-pixels, irrelevant-image, no-image]}
methods: [naive, posthoc-none]
decodings: [greedy, sample]
"""


@pytest.fixture
def group(tmp_path):
    """A suite and its conditions from arrays: answers by (condition, method, decoding), "" for the suite as it is."""

    def make(suite, gold, said, *, ids=None, cluster=None, other=None):
        arms = []
        plan = make_plan(parse_grid(GRID))
        for pair in (pair for pair in plan.pairs if pair.suite.kind == suite):
            name = pair.suite.condition.name if pair.suite.condition else ""
            runs = {key[1:]: np.asarray(probs, float) for key, probs in said.items() if key[0] == name}
            if not runs:
                continue
            n = len(next(iter(runs.values())))
            own = (ids or {}).get(name, range(n))
            clusters = range(n) if cluster is None else cluster
            samples = [
                Sample(str(i), str(i), str(c), "?", (), ("yes", "no"), ("yes", "no")[g], ())
                for i, c, g in zip(own, clusters, gold, strict=False)
            ]
            path = tmp_path / f"{suite}-{name}.parquet"
            unsaid = np.zeros(n) if (other or {}).get(name) is None else other[name]
            frames = [
                pl.DataFrame(
                    {"run_id": f"{m} {d}", "probs": probs.tolist(), "p_other": unsaid},
                    schema_overrides={"p_other": pl.Float64},
                )
                for (m, d), probs in runs.items()
            ]
            pl.concat(frames).write_parquet(path)
            table = pl.DataFrame(
                [{"run_id": f"{m} {d}", "method": m, "decoding": d, "settings": "{}"} for m, d in runs]
            )
            arms.append(Measured(pair, 0, samples, table, path, tmp_path))
        (one,) = grouped(arms)
        return one

    return make


def row(table, **where):
    rows = table.filter(**where).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


GOLD = np.zeros(8, int)
RIGHT = surely(GOLD)


def with_wrong(*rows):
    said = GOLD.copy()
    said[list(rows)] = 1
    return surely(said)


def test_a_suite_that_is_seen_is_compared_with_itself_and_one_that_is_read_with_random_pixels(group):
    seen = group(
        "world-objects",
        GOLD,
        {("", "naive", "greedy"): RIGHT, ("unrelated-facts", "naive", "greedy"): with_wrong(0, 1)},
    )
    found = row(measure(seen), condition="unrelated-facts")
    assert (found["reference"], found["clean"], found["perturbed"]) == ("as-it-is", 1.0, 0.75)
    assert (found["drop"], found["delta_cp"], found["right_to_wrong"], found["n"]) == (0.25, 0.25, 0.25, 8)
    said = {("", "naive", "greedy"): with_wrong(0), ("random-pixels", "naive", "greedy"): RIGHT}
    read = group("world-facts", GOLD, said)
    found = row(measure(read), condition="as-it-is")
    assert (found["reference"], found["clean"], found["perturbed"]) == ("random-pixels", 1.0, 0.875)
    found = row(measure(read, reference="as-it-is"), condition="random-pixels")
    assert (found["reference"], found["drop"], found["wrong_to_right"]) == ("as-it-is", -0.125, 0.125)


def test_a_reference_that_was_not_asked_is_told_with_what_was(group):
    said = {("", "naive", "greedy"): RIGHT, ("irrelevant-image", "naive", "greedy"): RIGHT}
    with pytest.raises(
        IncompatibleCell, match="'random-pixels', was not asked.*--reference: as-it-is, irrelevant-image"
    ):
        measure(group("world-facts", GOLD, said))


def test_the_worst_is_a_named_condition_and_its_interval_admits_the_choice(group):
    said = {
        ("", "naive", "greedy"): RIGHT,
        ("unrelated-facts", "naive", "greedy"): with_wrong(0),
        ("misleading-description", "naive", "greedy"): with_wrong(1, 2, 3),
    }
    table = measure(group("world-objects", GOLD, said))
    worst = row(table, condition="worst:misleading-description")
    each = table.filter(~pl.col("condition").str.starts_with("worst:"))
    assert (worst["perturbed"], worst["delta_cp"]) == (0.625, 0.375)
    assert (worst["perturbed_low"], worst["perturbed_high"]) == (
        each["perturbed_low"].min(),
        each["perturbed_high"].min(),
    )


def test_a_picture_that_is_missing_is_a_row_and_never_the_worst(group):
    said = {
        ("", "naive", "greedy"): with_wrong(0),
        ("random-pixels", "naive", "greedy"): RIGHT,
        ("no-image", "naive", "greedy"): surely(1 - GOLD),
    }
    table = measure(group("world-facts", GOLD, said))
    assert row(table, condition="no-image")["perturbed"] == 0
    assert row(table, condition="worst:as-it-is")["perturbed"] == 0.875


def test_only_samples_that_all_rows_share_are_compared(group):
    said = {
        ("", "naive", "greedy"): RIGHT,
        ("unrelated-facts", "naive", "greedy"): with_wrong(7)[::-1],
        ("misleading-description", "naive", "greedy"): RIGHT[:5],
    }
    ids = {"unrelated-facts": list(range(7, -1, -1)), "misleading-description": [0, 1, 2, 3, 7]}
    found = row(measure(group("world-objects", GOLD, said, ids=ids)), condition="unrelated-facts")
    assert (found["n"], found["left_out"], found["delta_cp"]) == (5, 3, 0.2)


def test_an_answer_that_says_no_label_on_one_side_is_a_change_and_is_counted(group):
    said = {
        ("", "naive", "greedy"): RIGHT,
        ("unrelated-facts", "naive", "greedy"): RIGHT * np.array([[0.1]] * 2 + [[1.0]] * 6),
    }
    other = {"unrelated-facts": [0.9] * 2 + [0.0] * 6}
    found = row(measure(group("world-objects", GOLD, said, other=other)), condition="unrelated-facts")
    assert (found["delta_cp"], found["right_to_wrong"]) == (0.25, 0.25)
    assert (found["unparsed_clean"], found["unparsed_perturbed"], found["half_parsed"]) == (0, 0.25, 0.25)


def test_distributions_are_those_of_sampling_whatever_decoding_is_looked_at(group):
    half = np.full((8, 2), 0.5)
    said = {
        ("", "naive", "greedy"): RIGHT,
        ("", "naive", "sample"): RIGHT,
        ("unrelated-facts", "naive", "greedy"): RIGHT,
        ("unrelated-facts", "naive", "sample"): half,
    }
    found = row(measure(group("world-objects", GOLD, said)), condition="unrelated-facts")
    assert (found["delta_cp"], found["tv"]) == (0, 0.5)
    assert found["kl"] == pytest.approx(np.log(2), abs=1e-5)
    bare = {key: probs for key, probs in said.items() if key[2] == "greedy"}
    assert row(measure(group("world-objects", GOLD, bare)), condition="unrelated-facts")["tv"] is None


def test_a_method_is_held_against_naive_in_each_condition_and_in_the_worst_of_each(group):
    said = {
        ("", "naive", "greedy"): RIGHT,
        ("", "posthoc-none", "greedy"): RIGHT,
        ("unrelated-facts", "naive", "greedy"): with_wrong(0, 1, 2, 3),
        ("unrelated-facts", "posthoc-none", "greedy"): with_wrong(0),
        ("misleading-description", "naive", "greedy"): RIGHT,
        ("misleading-description", "posthoc-none", "greedy"): with_wrong(4, 5),
    }
    table = measure(group("world-objects", GOLD, said))
    found = row(table, condition="unrelated-facts", method="posthoc-none")
    assert (found["over_naive"], found["delta_cp_over_naive"]) == (0.375, -0.375)
    assert found["over_naive_low"] < 0.375 < found["over_naive_high"]
    worst = row(table, condition="worst:misleading-description", method="posthoc-none")
    assert (worst["over_naive"], worst["delta_cp_over_naive"]) == (0.25, -0.25)
    assert table.filter(method="naive")["over_naive"].null_count() == 3


def test_the_interval_of_worst_against_worst_covers_what_is_true():
    """Four conditions of equal worth, two methods of equal worth: whatever is the lowest is chance, and the difference is 0."""
    rng = np.random.default_rng(5)
    held = 0
    for repeat in range(60):
        right = rng.random((2, 4, 150)) < 0.7
        ((_, low, high),), _ = worst_over_first(right, ~right, np.arange(150), seed=repeat, draws=400)
        held += low <= 0 <= high
    assert held >= 54


def test_one_cluster_says_nothing_about_others():
    right = np.ones((2, 1, 4), bool)
    ((value, low, _),), _ = worst_over_first(right, ~right, np.zeros(4, int))
    assert value == 0
    assert np.isnan(low)


def test_what_cannot_be_is_a_defect_and_says_so():
    impossible = {"method": "m", "condition": "c", "reference": "r", "drop": -0.3, "delta_cp": 0.2}
    with pytest.raises(RuntimeError, match="accuracy moved by -0.300000, and only 0.200000 .* defect"):
        refuse_impossible(impossible)


PAGE = (Path(__file__).parents[2] / "docs" / "interference.md").read_text(encoding="utf-8")
GRID_OF_PAGE, FACTS_OF_PAGE = re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return run_grid(GRID_OF_PAGE, Results(tmp_path_factory.mktemp("interference") / "results"))


def test_the_tiny_model_is_disturbed_by_what_it_does_not_need(tiny):
    found = run(DIAGNOSTIC, grouped(measured(tiny.results, "interference")))
    naive = found.table.filter(method="naive")
    assert not found.skipped
    assert naive["condition"].to_list() == [
        *("unrelated-facts", "misleading-description", "worst:misleading-description"),
        *("as-it-is", "irrelevant-image", "no-image", "worst:as-it-is"),
    ]
    for one in naive.filter(pl.col("condition").str.starts_with("worst:")).to_dicts():
        assert one["drop_low"] > 0.03
        assert one["delta_cp"] > 0.1
        assert 0 < one["js"] < one["tv"] < 1


@pytest.mark.parametrize("line", COMMANDS)
def test_every_example_of_the_page_prints_a_table(tiny, line):
    program, *words = shlex.split(line)
    assert program == "mmplat"
    told = CliRunner().invoke(app, [*words, "--results", str(tiny.results.root)])
    assert told.exit_code == 0, told.output
    header, *rows = told.stdout.splitlines()
    columns = header.split()
    assert all(f"`{name}`" in PAGE for name in columns[5:]), "each column is explained"
    assert rows


def test_the_command_keeps_a_table_and_a_figure_of_the_suites_that_are_wanted(tiny):
    words = ["interference", "--suite", "world-objects(seed=5)", "--results", str(tiny.results.root)]
    told = CliRunner().invoke(app, ["diagnose", "interference", *words])
    assert told.exit_code == 0, told.output
    table = pl.read_parquet(tiny.results.diagnostic("interference", "interference", "parquet"), glob=False)
    assert table["suite"].unique().to_list() == ["world-objects(seed=5)"]
    assert "clean: as-it-is" in tiny.results.diagnostic("interference", "interference", "svg").read_text()


def test_the_file_of_facts_to_write_that_the_page_shows_can_be_read(tmp_path):
    (tmp_path / "facts.yaml").write_text(FACTS_OF_PAGE)
    assert load(tmp_path / "facts.yaml").out == "facts.jsonl"


def test_a_cue_names_an_answer_and_is_no_interference(group):
    said = {("", "naive", "greedy"): RIGHT, ("cue-wrong", "naive", "greedy"): RIGHT}
    with pytest.raises(IncompatibleCell, match="under no condition that changes its text or its picture"):
        measure(group("world-objects", GOLD, said))


def test_a_suite_without_conditions_and_a_campaign_without_any_are_told(tiny, results):
    with pytest.raises(UnknownName, match="'world-both' among those that were asked under conditions"):
        grouped(measured(tiny.results, "interference"), ["world-both"])
    run_grid("campaign: plain\nmodels: [fake]\nsuites: [world-both]\nlimit: 4\n", results)
    with pytest.raises(ConfigError, match="No suite of this campaign was asked both"):
        grouped(measured(results, "plain"))


def test_a_right_answer_that_differs_between_conditions_is_found_by_the_check(group):
    one = group("world-objects", GOLD, {("", "naive", "greedy"): RIGHT, ("unrelated-facts", "naive", "greedy"): RIGHT})
    one.under["unrelated-facts"].__dict__["gold"] = 1 - GOLD
    with pytest.raises(RuntimeError, match="accuracy moved by 1.000000, and only 0.000000 of the answers changed"):
        measure(one)
