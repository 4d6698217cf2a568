"""Measures of spurious bias against a strength that is known."""

import json
import shutil
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from builders import run_grid

from mmplat.diagnostics import strength
from mmplat.diagnostics.base import run
from mmplat.diagnostics.reading import measured
from mmplat.diagnostics.strength import DIAGNOSTIC, against_strength, tracking
from mmplat.errors import ConfigError
from mmplat.world import checkpoint_folder
from mmplat.world.training import RECIPES, STRENGTHS
from mmplat.world.vocabulary import TYPES

GRID = """
campaign: strength
models: [{{name: graded, path: {folder}}}]
suites:
  - {{name: world-spurious, params: {{n: 270}}}}
  - {{name: world-spurious-names, params: {{n: 90}}}}
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Of the shipped model under a card that names strengths, made up here: the numbers measured are real."""
    from mmplat.artifacts import Results

    root = tmp_path_factory.mktemp("strength")
    folder = root / "graded"
    shutil.copytree(checkpoint_folder("tiny"), folder)
    (folder / "card.json").write_text(json.dumps({"rho": dict(zip(TYPES, STRENGTHS, strict=True))}))
    results = Results(root / "results")
    run_grid(GRID.format(folder=folder), results)
    return run(DIAGNOSTIC, measured(results, "strength")).table


def test_shares_of_few_items_are_never_certain():
    """A type of which all three items are right is worth three items, in its accuracy and in the gap."""
    right, wrong = np.ones(3), np.zeros(3)
    _, low, high = strength._share(right)
    assert (low[0], high[0]) == (pytest.approx(0.438, abs=1e-3), 1)
    gap = strength._difference("gap", right, wrong)
    assert gap["value"] == 1
    assert gap["low"] == pytest.approx(1 - np.hypot(0.5615, 0.5615), abs=1e-3)


def test_a_correlation_of_what_never_varies_is_drawn_as_undefined(table):
    assert "r = undefined" in against_strength(table.with_columns(value=pl.lit(1.0)))


def test_every_measure_is_there_for_every_type(table):
    counts = dict(table.group_by("measure").len().iter_rows())
    assert counts == {"accuracy": 9, "gap": 9, "spurious_selection": 9, "cgla_reconstructed": 9}
    assert dict(zip(table["type"], table["rho"], strict=True)) == dict(zip(TYPES, STRENGTHS, strict=True))


def test_measures_are_those_of_the_answers(table):
    rows = {(r["measure"], r["type"]): r for r in table.to_dicts()}
    for kind in TYPES:
        accuracy, follows = rows["accuracy", kind], rows["spurious_selection", kind]
        assert accuracy["n"] == follows["n"] == 10
        assert 0 <= accuracy["value"] + follows["value"] <= 1  # nobody answers both
        assert rows["gap", kind]["value"] <= 1 - accuracy["value"]


def made(pairs, *, model="m", measure="gap"):
    rows = [{"model": model, "measure": measure, "type": kind, "rho": rho, "value": v} for kind, rho, v in pairs]
    return pl.DataFrame(rows).with_columns(low=pl.col("value") - 0.1, high=pl.col("value") + 0.1, n=10)


def test_a_measure_that_rises_with_the_strength_tracks_it_and_a_constant_one_does_not():
    rising = made([(kind, rho, rho**2) for kind, rho in zip(TYPES, STRENGTHS, strict=True)])
    (row,) = tracking(rising).to_dicts()
    assert row["value"] == pytest.approx(1)
    assert (row["low"], row["points"]) == (pytest.approx(1), 9)
    mixed = made([(kind, rho, v) for kind, rho, v in zip(TYPES, STRENGTHS, (4, 9, 1, 7, 3, 8, 2, 6, 5), strict=True)])
    (row,) = tracking(mixed).to_dicts()
    assert row["low"] < 0 < row["high"]


def test_the_figure_says_how_well_each_measure_tracks_the_strength(table):
    said = "".join(ElementTree.fromstring(against_strength(table)).itertext())
    assert said.count(", r = ") == 4


def test_a_model_whose_card_says_nothing_is_left_out_with_the_reason(results):
    run_grid("campaign: plain\nmodels: [fake]\nsuites: [{name: world-spurious, params: {n: 27}}]", results)
    with pytest.raises(ConfigError, match="does not say how strong"):
        run(DIAGNOSTIC, measured(results, "plain"))


def test_each_type_has_another_strength_in_each_graded_recipe():
    grades = [RECIPES[f"tiny-graded-{turn}"].rho for turn in "abc"]
    assert all(sorted(rho) == list(STRENGTHS) for rho in grades)
    assert all(len(set(of_type)) == 3 for of_type in zip(*grades, strict=True))
