"""What `mmplat plan` foresees of answers in words, against the rows of the forwards that are then made."""

import pytest
from builders import ask_all

from mmplat.grid import parse_grid
from mmplat.methods import bind as bind_method
from mmplat.models._vlm import VisionLanguage
from mmplat.plan import make_plan

SAMPLES, LONGEST = 3, 4


def planned(methods, decodings="greedy", suites=f"{{name: world-captions, longest: {LONGEST}}}"):
    text = f"campaign: cost\nmodels: [tiny]\nsuites: [{suites}]\ndecodings: [{decodings}]\nmethods: [{methods}]\n"
    return make_plan(parse_grid(f"{text}limit: {SAMPLES}\n"))


@pytest.fixture
def read(monkeypatch):
    """Rows of every forward, of a model whose answers never end."""
    rows, call = [], VisionLanguage.call

    def counted(self, **inputs):
        rows.append(len(inputs["attention_mask"]))
        return call(self, **inputs)

    monkeypatch.setattr(VisionLanguage, "call", counted)
    monkeypatch.setattr(VisionLanguage, "stops", frozenset())
    return rows


@pytest.mark.parametrize(
    ("method", "per_answer"),
    [
        ("naive", LONGEST),
        ("vdd-both", 3 * LONGEST),
        ("pai", 2 * LONGEST),
        ("avisc", 2 * LONGEST + 1),  # one more, for the prompt alone, finds the blind tokens
        ("{name: code, params: {longest: 3}}", 2 * LONGEST + 3),
        ("{name: self-description, params: {instruction: Well}}", LONGEST),
        ("{name: opera, params: {beams: 3, candidates: 2}}", 1 + 2 + 2 * 2 + 3 * 2 + 3 * 2),
        ("{name: opera, params: {beams: 2, candidates: 3}}", 1 + 3 + 2 * 3 * 3),
    ],
)
def test_an_answer_that_does_not_end_takes_what_was_foreseen(results, read, method, per_answer):
    plan = planned(method)
    (outcome,) = ask_all(plan, results)
    assert sum(read) == plan.forwards == plan.forwards_cell_by_cell == outcome.steps == SAMPLES * per_answer


def test_what_a_campaign_shares_is_not_foreseen_as_more_than_its_cells(results, read):
    """Four cells write alike until they part, `code`'s description is written once for its two cells, and OPERA once."""
    plan = planned(
        "naive, {name: code, params: {longest: 3}}, {name: opera, params: {beams: 2, candidates: 2}}", "greedy, t2"
    )
    code, opera, preface = 2 * LONGEST, 1 + 2 + 3 * 4, 3
    ask_all(plan, results)
    assert plan.forwards == SAMPLES * (2 * LONGEST + 2 * code + preface + opera)
    assert plan.forwards_cell_by_cell == SAMPLES * 2 * (LONGEST + code + preface + opera)
    assert SAMPLES * (code + preface + opera) <= sum(read) < plan.forwards, "naive and code read the image together"


def test_the_cost_is_foreseen_for_jobs_too():
    (job,) = planned("naive, {name: opera, params: {beams: 2, candidates: 2}}").batches
    (part,) = planned("naive, {name: opera, params: {beams: 2, candidates: 2}}").pairs
    assert part.work.steps == LONGEST + 1 + 2 + 3 * 4
    assert len(job.suites[0].writings) == 2


def test_a_suite_whose_labels_are_read_costs_its_views_and_what_stands_before_them():
    plan = planned("naive, avisc, vdd-none", "greedy, sample", "{name: world-objects}")
    assert plan.forwards == SAMPLES * (1 + 2 + 1)
    assert plan.forwards_cell_by_cell == SAMPLES * 2 * (1 + 3 + 2)
    text = "campaign: a\nmodels: [tiny]\nsuites: [world-objects]\nviews: [{name: described, params: {longest: 5}}]\n"
    assert make_plan(parse_grid(f"{text}limit: {SAMPLES}\n")).forwards == SAMPLES * (1 + 1 + 5)


def test_a_search_that_may_go_back_is_foreseen_without():
    search = bind_method("opera").search
    assert [search.forwards(tokens) for tokens in (1, 2, 3)] == [1 + 5, 1 + 5 + 25, 1 + 5 + 25 + 25]
