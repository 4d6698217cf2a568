"""Where a model looks: segments and sums by hand, and the whole command on a shipped model."""

import json

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from builders import run_grid
from typer.testing import CliRunner

from mmplat.artifacts import Results
from mmplat.asking import attention
from mmplat.asking.attention import SEGMENTS, Looks
from mmplat.cli.app import app
from mmplat.diagnostics.attention import tabled
from mmplat.errors import ConfigError
from mmplat.models import bind, families

GRID = "campaign: looks\nmodels: [{model}]\nsuites: [world-objects]\nmethods: [naive]\nlimit: 12\n"


@pytest.fixture(scope="module")
def model():
    spec = bind("tiny")
    return families.get(spec.family).load(spec)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return run_grid(GRID.format(model="tiny"), Results(tmp_path_factory.mktemp("looks") / "results"))


def test_segments_of_a_prompt(model):
    from mmplat.contracts import Subject

    (prompt,) = model.encode([Subject(model).ask()])
    found = [SEGMENTS[one] for one in attention.segments(model, prompt)]
    image = model.network.config.image_token_id
    assert found[0] == "sink"
    assert [one == "image" for one in found] == [token == image for token in prompt.ids]
    before, after = found.index("image"), len(found) - found[::-1].index("image")
    assert set(found[1:before]) <= {"system"}
    assert set(found[after:]) == {"question"}


def test_sums_by_hand():
    """One ask, one layer: padding, sink, two image tokens, a question token; then one token of the answer."""
    where = np.array([[-1, 0, 2, 2, 3]])
    mass, count = attention._summed(np.array([[[0.0, 0.4, 0.1, 0.2, 0.2, 0.1]]]), where, 1)
    assert mass[0, 0] == pytest.approx([0.4, 0, 0.3, 0.2, 0.1])
    assert count[0].tolist() == [1, 0, 2, 1, 1]


def test_means_are_over_items_that_went_so_far():
    """Two answers of which the second ends after one token; the segments are sink … generated."""
    first = [[0.5, 0.0, 0.4, 0.1, 0.0], [0.2, 0.0, 0.4, 0.2, 0.2]]
    second = [[0.1, 0.0, 0.6, 0.3, 0.0], [np.nan] * 5]
    mass = np.array([first, second])[:, :, None]  # (ask, token, layer, segment)
    count = np.array([[[1, 0, 4, 2, 0], [1, 0, 4, 2, 1]]] * 2)
    rows = {(r["token"], r["segment"]): r for r in tabled([Looks(mass, count)]).to_dicts()}
    image = rows[1, "image"]
    assert (image["mass"], image["sd"], image["per_token"], image["n"]) == pytest.approx((0.5, 0.1, 0.125, 2))
    assert rows[2, "image"]["mass"] == pytest.approx(0.4)
    assert rows[2, "generated"]["per_token"] == pytest.approx(0.2)
    assert rows[2, "sink"]["n"] == 1
    assert rows[1, "system"]["per_token"] is None, "there is no such token"


def test_answers_of_different_lengths_come_into_one_table():
    short, long = (Looks(np.full((1, n, 1, 5), 0.2), np.ones((1, n, 5), int)) for n in (1, 3))
    n = tabled([short, long]).filter(segment="image").sort("token")["n"].to_list()
    assert n == [2, 1, 1]


def test_the_command_keeps_a_table_and_a_figure(ran):
    told = CliRunner().invoke(
        app, ["diagnose", "attention", "looks", "--items", "6", "--results", str(ran.results.root)]
    )
    assert told.exit_code == 0, told.output
    folder = ran.results.diagnostic("looks", "attention", "parquet").parent
    table = pl.read_parquet(folder / "attention.parquet", glob=False)
    sums = table.group_by("token", "layer").agg(pl.col("mass").sum())["mass"]
    assert sums.to_numpy() == pytest.approx(np.ones(len(sums)), abs=1e-4)
    assert table["layer"].max() == 4
    assert table.filter(token=1)["n"].unique().to_list() == [6]
    about = json.loads(pq.read_schema(folder / "attention.parquet").metadata[b"mmplat"])
    assert about["options"] == {"items": 6, "longest": 4, "model": None, "suite": None}
    assert "one token of each" in (folder / "attention.svg").read_text()


def test_a_model_without_layers_to_look_at_is_refused_with_the_reason(tmp_path):
    from mmplat.diagnostics import measured, run
    from mmplat.diagnostics.attention import DIAGNOSTIC

    fake = run_grid(GRID.format(model="fake"), Results(tmp_path))
    with pytest.raises(ConfigError, match="shows nothing of its layers"):
        run(DIAGNOSTIC, measured(fake.results, "looks"), results=fake.results)


def test_a_model_of_a_plan_that_runs_code_needs_the_word_of_whoever_looks(tmp_path):
    """plan.json may have come in an archive: its grid is that of somebody else."""
    ran = run_grid(GRID.format(model="{name: tiny, pickled_weights: true}"), Results(tmp_path))
    words = ["diagnose", "attention", "looks", "--items", "1", "--results", str(ran.results.root)]
    with pytest.raises(ConfigError, match="is not enough for that. If you trust it, add --pickled-weights"):
        raise CliRunner().invoke(app, words).exception
    assert CliRunner().invoke(app, [*words, "--pickled-weights"]).exit_code == 0
