"""The control for yes/no, post-hoc calibration over a dataset, and the released code's sums of references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from made_up import label_rows

from mmplat.decoding import distribution, parse_decoding
from mmplat.errors import ConfigError, UnknownName
from mmplat.evidence.rows import Evidence
from mmplat.methods import bind, catalog
from mmplat.methods.posthoc import over_dataset
from mmplat.methods.threshold import constant_for
from mmplat.views import bind as view

margins = hnp.arrays(
    np.float64, st.integers(1, 30), elements=st.floats(-50, 50).map(lambda x: round(x, 2)), unique=True
)


@given(margins, st.data())
def test_exactly_as_many_are_above_zero_as_wanted(odds, data):
    wanted = data.draw(st.integers(0, len(odds)))
    assert ((odds + constant_for(odds, wanted)) > 0).sum() == wanted


def test_equal_questions_are_answered_alike_and_the_nearest_number_is_taken():
    odds = np.array([2.0, 1.0, 1.0, 1.0, 0.0])
    assert [int(((odds + constant_for(odds, wanted)) > 0).sum()) for wanted in range(6)] == [0, 1, 1, 4, 4, 5]


def evidence(main, none):
    found = {view("image").key: label_rows(main), view("none").key: label_rows(none)}
    return Evidence(np.full(len(main), 2, np.int16), found[view("image").key], found)


def test_a_threshold_says_yes_as_often_as_its_target_and_keeps_the_naive_order():
    rng = np.random.default_rng(0)
    found = evidence(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)))
    target, control = (
        distribution(bind(name).scores(found), parse_decoding("greedy")).probs
        for name in ("posthoc-none", "threshold-shift")
    )
    assert control[:, 0].sum() == target[:, 0].sum()
    odds = found.main.label_logits @ [1, -1]
    assert odds[control[:, 0] == 1].min() > odds[control[:, 0] == 0].max()


def test_the_share_of_likeliest_answers_is_equal_under_any_decoding():
    rng = np.random.default_rng(1)
    found = evidence(rng.normal(size=(80, 2)), rng.normal(size=(80, 2)))
    scores = bind("threshold-shift").scores(found)
    for name in ("sample", "t0.3", "p0.9", "k1"):
        answers = distribution(scores, parse_decoding(name))
        assert (answers.probs[:, 0] > 0.5).sum() == distribution(scores, parse_decoding("greedy")).probs[:, 0].sum()


def test_a_sample_that_was_not_told_stays_unknown_and_does_not_count():
    rng = np.random.default_rng(2)
    main, none = rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
    main[7] = np.nan
    scores = bind("threshold-shift").scores(evidence(main, none))
    assert np.flatnonzero(scores.unknown).tolist() == [7]
    rest = np.arange(50) != 7
    alone = bind("threshold-shift").scores(evidence(main[rest], none[rest]))
    assert (scores.label[rest, 0] == alone.label[:, 0]).all()


def test_it_needs_what_its_target_needs():
    both, vcd = (bind("threshold-shift", {"like": like}, seed=3) for like in ("vdd-both", "vcd"))
    assert both.references == bind("vdd-both").references
    assert both.beta == bind("vdd-both").beta
    assert vcd.stochastic
    assert vcd.references == bind("vcd", seed=3).references


@pytest.mark.parametrize(
    ("like", "error"), [("threshold-shift", "another method than itself"), ("vdd", "Unknown method")]
)
def test_a_target_that_cannot_be_is_refused(like, error):
    with pytest.raises((ConfigError, UnknownName), match=error):
        bind("threshold-shift", {"like": like})


def test_a_new_version_of_the_target_is_a_new_version_of_its_control(monkeypatch):
    from dataclasses import replace

    before = bind("threshold-shift").spec.version
    monkeypatch.setitem(catalog._items, "posthoc-none", replace(catalog.get("posthoc-none"), version=2))
    assert bind("threshold-shift").spec.version == before + 1


def test_multiple_choice_is_skipped_with_a_reason(planned):
    plan = planned("campaign: c\nmodels: [fake]\nsuites: [world-spurious, world-objects]\nmethods: [threshold-shift]\n")
    assert [(skip.suite, skip.reason) for skip in plan.skipped] == [
        ("world-spurious", "the suite is no yes/no question, so it has no yes-ratio")
    ]


def test_one_prior_for_the_dataset_is_the_mean_over_samples_with_as_many_labels():
    prior = np.array([[0.9, 0.1, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])
    shared = over_dataset(prior, np.array([2, 2, 3], np.int16))
    assert shared == pytest.approx(np.array([[0.7, 0.3, 0], [0.7, 0.3, 0], [0.2, 0.3, 0.5]]))


def test_a_prior_that_was_told_of_some_samples_only_is_no_prior_of_the_dataset():
    prior = np.array([[0.9, 0.1, 0], [np.nan, np.nan, 0], [0.2, 0.3, 0.5]])
    shared = over_dataset(prior, np.array([2, 2, 3], np.int16))
    assert np.isnan(shared[:2, :2]).all()
    assert shared[2] == pytest.approx([0.2, 0.3, 0.5])


def test_a_prior_over_the_dataset_moves_every_question_alike():
    rng = np.random.default_rng(3)
    found = evidence(rng.normal(size=(40, 2)), rng.normal(size=(40, 2)))
    method = bind("posthoc-none", {"granularity": "dataset", "epsilon": 0})
    probs = distribution(method.scores(found), parse_decoding("sample")).probs
    moved = np.log(probs[:, 0] / probs[:, 1]) - found.main.label_logits @ [1, -1]
    assert moved == pytest.approx(np.full(40, moved[0]))
    assert method.transductive
    assert method.spec.name == "posthoc-none(epsilon=0,granularity=dataset)"


def test_an_unknown_granularity_is_refused():
    with pytest.raises(ConfigError, match="granularity = 'all'. Allowed: question, dataset"):
        bind("posthoc-none", {"granularity": "all"})


def test_sums_of_references_ask_for_each_of_them():
    kinds = {name: [v.name for v in bind(name).references] for name in ("posthoc-none-noise", "posthoc-all")}
    assert kinds == {
        "posthoc-none-noise": ["none", "noise-999"],
        "posthoc-all": ["none", "unk", "noise-999", "zero"],
    }
