"""Methods on made-up rows, with figures worked by hand: what decides offline and what the stepper combines are one formula."""

import numpy as np
import pytest
import torch

from mmplat.decoding import distribution, parse_decoding
from mmplat.evidence.rows import Evidence, Rows
from mmplat.methods import bind

MAIN = [2.0, 1.0, 0.0, -3.0]
REFERENCE = [2.5, 0.0, 0.0, -6.0]
IMAGE = [0.0, 3.0, 0.0, 0.0]  # what methods with another main view must not read
BY_HAND = {
    "sid": [0.3482, 0.5741, 0.0777, 0.0],  # 2l − l′ = 1.5, 2, 0; the fourth lies below ln 0.1 + 2 (llava_align.md §2)
    "avisc": [0.3482, 0.5741, 0.0777, 0.0],
    "dola": [0.1402, 0.6285, 0.2312, 0.0],  # l − l′ = −0.5, 1, 0
    "pai": [0.6371, 0.2723, 0.0906, 0.0],  # 1.1·l − 0.1·l′ = 1.95, 1.1, 0
}


def rows(logits, *, at_main=None):
    """Rows of one sample whose whole vocabulary is its four labels, kept from the largest."""
    order = np.argsort(-np.array(logits), kind="stable")
    one = np.array([logits], float)
    shifted = np.log(np.exp(one - one.max()).sum())
    return Rows(
        present=np.array([True]),
        label_logits=one,
        spelling_ids=np.arange(4, dtype=np.int32)[None],
        spelling_of=np.arange(4, dtype=np.int16)[None],
        spelling_logits=one,
        top_ids=order.astype(np.int32)[None],
        top_logits=one[:, order],
        at_main=None if at_main is None else np.array([at_main], float),
        lse=np.array([shifted + one.max()]),
        lse_temperatures=(1.0,),
        lse_shifted=np.array([[shifted]]),
        vocab_size=np.array([4], np.int32),
        margin=np.zeros(1),
        near_tie=np.array([False]),
        seconds=np.zeros(1),
    )


def evidence_for(method):
    """The main view says MAIN and each reference REFERENCE; where the image is not the main view, it says IMAGE."""
    main = rows(MAIN)
    image = main if method.main is None else rows(IMAGE)
    views = {view.key: rows(REFERENCE, at_main=REFERENCE) for view in method.references}
    views[method.views[0].key] = main
    return Evidence(np.array([4], np.int16), image, views)


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_rows_decide_as_worked_by_hand(name):
    method = bind(name)
    answers = distribution(method.scores(evidence_for(method)), parse_decoding("sample"))
    assert answers.probs[0] == pytest.approx(BY_HAND[name], abs=1e-4)
    assert answers.other[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_the_stepper_combines_as_rows_decide(name):
    method = bind(name)
    said = method.combine(torch.tensor([MAIN]), [torch.tensor([REFERENCE])] * len(method.references), 0)
    assert said.softmax(dim=-1)[0].tolist() == pytest.approx(BY_HAND[name], abs=1e-4)


def test_pai_without_guidance_is_the_raised_row_behind_its_mask():
    method = bind("pai", {"gamma": 1.0, "beta": 0.0})
    answers = distribution(method.scores(evidence_for(method)), parse_decoding("sample"))
    assert answers.probs[0] == pytest.approx(np.exp(MAIN) / np.exp(MAIN).sum())


def test_m3id_says_nothing_new_at_the_first_token_and_more_with_each():
    method = bind("m3id", {"decay": np.log(2)})
    main, blind = torch.tensor([MAIN]), torch.tensor([REFERENCE])
    p, q = main.log_softmax(-1), blind.log_softmax(-1)
    for step, weight in enumerate((0.0, 1.0, 3.0)):  # 2ᵗ − 1
        assert torch.allclose(method.combine(main, [blind], step), p + weight * (p - q), atol=1e-5)
    naive = bind("naive").scores(evidence_for(method))
    assert np.array_equal(method.scores(evidence_for(method)).logits, naive.logits)


def test_m3id_leaves_a_sure_row_alone():
    main = torch.tensor([MAIN, [9.0, 0.0, 0.0, 0.0]])
    said = bind("m3id", {"decay": 1.0, "tau": 0.9}).combine(main, [torch.tensor([REFERENCE] * 2)], 3)
    moved = (said - main.log_softmax(-1)).abs().amax(dim=-1)
    assert moved[0] > 0.1, "the likeliest token has 0.66, below 0.9"
    assert moved[1] == 0


@pytest.mark.parametrize("name", ["answer-from-image", "concept-informed"])
def test_a_prompt_is_naive_on_the_row_of_its_own_wording(name):
    method = bind(name)
    answers = distribution(method.scores(evidence_for(method)), parse_decoding("sample"))
    assert answers.probs[0] == pytest.approx(np.exp(MAIN) / np.exp(MAIN).sum())
    assert (method.passes, method.references) == (1, ())


@pytest.mark.parametrize(("name", "passes"), [("dola", 2), ("sid", 2), ("pai", 2), ("m3id", 2), ("avisc", 3)])
def test_a_method_costs_what_it_runs(name, passes):
    assert bind(name).passes == passes


def test_a_control_like_pai_asks_for_what_pai_reads():
    control, pai = bind("threshold-shift", {"like": "pai"}), bind("pai")
    assert control.main is None
    assert {view.key for view in pai.views} == {view.key for view in control.references}
    assert control.passes == 3
