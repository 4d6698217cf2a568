"""A suite under a condition: planned, keyed, prepared and asked like any other suite."""

from dataclasses import replace
from pathlib import Path

import pytest
from builders import run_grid

from mmplat import conditions
from mmplat.conditions import Condition
from mmplat.conditions._texts import after_stem, at_end, before_question
from mmplat.diagnostics.conditioned import conditioned, matched
from mmplat.diagnostics.reading import measured
from mmplat.errors import ArtifactError, ConfigError, DuplicateName
from mmplat.grid import parse_grid
from mmplat.plan import make_plan, read_plan, write_plan
from mmplat.preparing import load_metadata, load_samples, prepare
from mmplat.samples import LeftOut, RawSample

GRID = """
campaign: under-conditions
models: [fake]
suites:
  - {name: world-objects, limit: 12, conditions: [told, {name: told, params: {text: "No."}, as: refused}]}
"""
ASKED = RawSample("1", "What is it?\nA cat\nB dog\nLetter only.", ("A", "B"), "A", stem="What is it?")


@pytest.fixture
def told(monkeypatch):
    """A condition that puts a sentence before the question, and leaves out every fourth sample."""

    def apply(sample, params, rng):
        if sample.sample_id.endswith("-3"):
            return LeftOut(sample.sample_id, "there is nothing to tell")
        return conditions.base.noted(
            before_question(sample, f"{params['text']} {rng.integers(10)}"), said=params["text"]
        )

    conditions.catalog._load()
    kind = Condition("told", "", "text", apply, defaults={"seed": 0, "text": "Yes.", "file": ""}, places=("file",))
    monkeypatch.setitem(conditions.catalog._items, "told", kind)
    return kind


def test_a_suite_stands_on_the_axis_as_it_is_and_under_each_condition(told):
    plain, under, named = parse_grid(GRID).suites
    assert [s.name for s in (plain, under, named)] == ["world-objects", "world-objects@told", "world-objects@refused"]
    assert under.unconditioned == plain
    assert len({plain.key, under.key, named.key}) == 3


def test_a_suite_without_a_condition_keeps_the_key_that_it_had(told):
    assert "condition" not in parse_grid(GRID).suites[0].settings
    assert "condition" not in parse_grid(GRID).suites[0].model_dump(mode="json")


def test_samples_keep_their_ids_and_what_was_done_is_noted(told, results):
    plain, under, _ = (load_samples(prepare(s, results).parent) for s in parse_grid(GRID).suites)
    by_id = {s.sample_id: s for s in plain}
    assert len(under) == 10
    for sample in under:
        clean = by_id[sample.sample_id]
        assert sample.question.startswith("Yes. ")
        assert sample.question.endswith(clean.question)
        assert (sample.gold, sample.labels, sample.images) == (clean.gold, clean.labels, clean.images)
        assert sample.sample_key != clean.sample_key
        assert sample.reference["condition"] == {"said": "Yes."}


def test_random_numbers_depend_on_the_sample_alone(told):
    spec = conditions.bind("told")
    assert conditions.applied(spec, ASKED) == conditions.applied(spec, ASKED)
    other_seed = conditions.bind("told", {"seed": 1})
    several = [replace(ASKED, sample_id=str(n)) for n in range(20, 29)]
    assert [conditions.applied(spec, s) for s in several] != [conditions.applied(other_seed, s) for s in several]


def test_what_a_condition_leaves_out_is_counted(told, results):
    under = parse_grid(GRID).suites[1]
    left_out = load_metadata(prepare(under, results).parent)["left_out"]
    assert {reason: len(ids) for reason, ids in left_out.items()} == {"there is nothing to tell": 2}


def test_where_a_condition_finds_its_data_is_in_no_key(told):
    here, there = (conditions.bind("told", {"file": place}) for place in ("/a", "/b"))
    assert here.settings == there.settings
    assert here.name == "told"


def test_a_plan_read_back_is_the_plan_that_was_written(told, results):
    plan = make_plan(parse_grid(GRID))
    assert read_plan(write_plan(plan, results)).grid.suites == plan.grid.suites


def test_data_of_a_condition_that_changed_since_planning_are_refused(told, results, monkeypatch, tmp_path):
    data = tmp_path / "texts"
    data.write_text("one")
    reads = replace(told, sources=lambda params: {"texts": Path(params["file"])})
    monkeypatch.setitem(conditions.catalog._items, "told", reads)
    condition = f"{{name: told, params: {{file: {data}}}}}"
    suite = f"{{name: world-objects, limit: 6, conditions: [{condition}]}}"
    plan = make_plan(parse_grid(f"campaign: c\nmodels: [fake]\nsuites: [{suite}]"))
    path = write_plan(plan, results)
    data.write_text("another text")
    assert read_plan(path).grid.suites == plan.grid.suites
    with pytest.raises(ArtifactError, match="files it reads changed"):
        prepare(plan.grid.suites[1], results)


@pytest.mark.parametrize(
    ("suite", "error", "message"),
    [
        ("{name: world-facts, conditions: [told]}", ConfigError, r"in grid:3 \(suites\[0\].conditions\[0\]\) changes the text"),
        ("{name: world-objects, conditions: [tolt]}", ConfigError, "Did you mean 'told'"),
        ("{name: world-objects, conditions: [told, told]}", DuplicateName, r"'world-objects@told' in grid:3 \(suites\[0\]\)"),
        ("{name: world-objects, conditions: [{name: told, parms: {}}]}", ConfigError, "unknown key 'parms'. Did you mean 'params'"),
        ("{name: world-objects, conditions: [{name: told, params: {txt: a}}]}", ConfigError, "no parameter txt"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_line(told, suite, error, message):
    with pytest.raises(error, match=message):
        parse_grid(f"campaign: c\nmodels: [fake]\nsuites: [{suite}]\n")


@pytest.mark.parametrize("what", ["labels", "gold", "sample_id"])
def test_a_condition_that_asks_another_question_is_refused(told, monkeypatch, what):
    changed = {"labels": ("A", "B", "C"), "gold": "B", "sample_id": "2"}[what]
    kind = replace(told, apply=lambda sample, params, rng: replace(sample, **{what: changed}))
    monkeypatch.setitem(conditions.catalog._items, "told", kind)
    with pytest.raises(ConfigError, match=f"changes the {what} of sample '1'"):
        conditions.applied(conditions.bind("told"), ASKED)


def test_words_stand_before_the_question_behind_its_stem_or_last():
    assert before_question(ASKED, "T.", "").question == f"T.{ASKED.question}"
    framed = replace(ASKED, question=f"Question:\n{ASKED.question}")
    assert before_question(framed, "T.", "").question == f"Question:\nT.{ASKED.question}"
    assert after_stem(ASKED, "T.").question == "What is it? T.\nA cat\nB dog\nLetter only."
    assert at_end(ASKED, "T.").question == f"{ASKED.question} T."
    assert after_stem(replace(ASKED, question="Why?", stem=""), "T.").question == "Why? T."


def test_a_stem_that_is_not_asked_is_no_place():
    with pytest.raises(ConfigError, match="does not stand in what is asked"):
        after_stem(replace(ASKED, stem="Where is it?"), "T.")


def test_pairs_of_a_campaign_are_found_together(told, results):
    run_grid(GRID, results)
    (group,) = conditioned(measured(results, "under-conditions"))
    assert group.base.pair.suite.name == "world-objects"
    assert sorted(group.under) == ["refused", "told"]
    plain, under = matched(group.base, group.under["told"])
    assert len(plain) == 10
    ids = [group.base.samples[row].sample_id for row in plain]
    assert ids == [group.under["told"].samples[row].sample_id for row in under]
