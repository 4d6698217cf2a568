"""A benchmark of what misled models: counted, drawn evenly, written with its selection effect, and read again."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from builders import Ran
from typer.testing import CliRunner

from mmplat.cli.app import app
from mmplat.diagnostics import measured
from mmplat.diagnostics.curating import Probed, curate, levels_of, probed
from mmplat.errors import ConfigError, UnknownName
from mmplat.preparing import load_samples, prepare
from mmplat.suites import bind


def test_levels_are_the_papers_with_its_twelve_models():
    assert levels_of(np.array([5, 6, 8, 9, 11, 12]), 12) == ["", "low", "low", "medium", "medium", "high"]
    assert levels_of(np.array([0, 1, 2]), 2) == ["", "low", "high"]
    assert levels_of(np.array([0, 1]), 1) == ["", "high"]


def made_up(n: int = 40) -> Probed:
    """Four models, each led on other items."""
    rng = np.random.default_rng(0)
    led = {model: rng.random(n) < share for model, share in (("a", 0.8), ("b", 0.6), ("c", 0.5), ("d", 0.5))}
    astray = {model: (flags.astype(float), np.ones(n)) for model, flags in led.items()}
    suite = SimpleNamespace(key="k", name="s")
    return Probed(suite, "paper", [str(i) for i in range(n)], ["yes", "no"] * (n // 2), np.arange(n), led, astray)


def test_levels_and_right_answers_are_drawn_evenly_and_the_seed_decides():
    one = curate([made_up()], per_level=5)
    assert Counter(item.level for item in one.chosen) == {"low": 5, "medium": 5, "high": 5}
    for level in one.available:
        golds = Counter(item.gold for item in one.chosen if item.level == level)
        assert max(golds.values()) - min(golds.values()) <= 1 or min(golds.values()) == 0
    assert [i.sample_id for i in one.chosen] == [i.sample_id for i in curate([made_up()], per_level=5).chosen]
    assert [i.sample_id for i in one.chosen] != [i.sample_id for i in curate([made_up()], per_level=5, seed=1).chosen]


def test_the_selection_effect_is_that_of_choosing_by_the_same_answers():
    found = curate([made_up(4000)], per_level=600)
    effect = {one.model: one for one in found.effects}
    assert effect["a"].all[0] == pytest.approx(0.8, abs=0.02)
    assert effect["a"].chosen[0] > 0.85
    assert effect["a"].by_others[0] == pytest.approx(
        0.8, abs=0.03
    )  # the models err apart, so others choose nothing for a


def test_items_that_led_nobody_make_no_benchmark():
    one = made_up()
    nobody = Probed(**{**{f: getattr(one, f) for f in one.__dataclass_fields__}, "led": {"a": np.zeros(40, bool)}})
    with pytest.raises(ConfigError, match="No item led half of the 1 models"):
        curate([nobody])


def test_a_curated_benchmark_is_written_read_again_and_says_how_it_was_chosen(tiny: Ran, tmp_path, results):
    out = tmp_path / "bench"
    words = ["mub", "curate", "misled", "--out", str(out), "--per-level", "12", "--results", str(tiny.results.root)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    card = json.loads((out / "card.json").read_text())
    assert card["levels"] == {"low": 12, "high": 12}
    for effect in card["selection_effect"]:
        assert effect["chosen"][0] > effect["all"][0] + 0.1
    readme = (out / "README.md").read_text()
    assert "high by construction" in readme
    assert "world-trained before" in readme
    samples = load_samples(prepare(bind("mub", {"path": str(out)}), results).parent)
    assert Counter(s.groups["difficulty"] for s in samples) == {"low": 12, "high": 12}
    rows = {row["new_id"]: row for row in json.loads((out / "benchmark.json").read_text())}
    originals = {s.sample_id: s for _, folder in prepared_of(tiny) for s in load_samples(folder)}
    for sample in samples:
        row = rows[sample.cluster]
        assert sample.gold == originals[row["source_id"]].gold
        assert sample.images == originals[row["source_id"]].images
    again = CliRunner().invoke(app, words)
    assert "holds something already" in str(again.exception)
    words[4] = str(out / "card.json")
    assert "is a file" in str(CliRunner().invoke(app, words).exception)


def prepared_of(ran: Ran):
    return [
        (suite, ran.results.suite(suite.name, suite.key)) for suite in ran.plan.grid.suites if suite.condition is None
    ]


def test_mistakes_are_told(tiny: Ran, fake_run: Ran):
    with pytest.raises(UnknownName, match="Unknown cue 'papers'"):
        probed(measured(tiny.results, "misled"), cue="papers")
    with pytest.raises(UnknownName, match="Unknown decoding 'samples'"):
        probed(measured(tiny.results, "misled"), decoding="samples")
    with pytest.raises(ConfigError, match="as it is and under a cue"):
        probed(measured(fake_run.results, "test"))
