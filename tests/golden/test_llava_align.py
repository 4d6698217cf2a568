"""Fixtures of the LLaVA-Align paper's notes (§1, §2): numbers that must come out."""

import numpy as np
import pytest

from mmplat.decoding import distribution, parse_decoding
from mmplat.evidence.rows import Evidence, Rows
from mmplat.methods import bind
from mmplat.methods.posthoc import calibrate
from mmplat.views import bind as view
from mmplat.views.pixels import diffuse, signal_shares

LETTERS = 2


def rows(logits, at_main=None, spellings=((0,), (1,))):
    """One sample whose whole vocabulary is `logits`; label i is spelled by the tokens `spellings[i]`."""
    row = np.array([logits], float)
    order = np.argsort(-row, axis=1, kind="stable")
    ids = np.array([[t for of in spellings for t in of]], np.int32)
    of = np.array([[i for i, some in enumerate(spellings) for _ in some]], np.int16)
    said = row[:, ids[0]]
    labels = np.stack([np.logaddexp.reduce(said[:, of[0] == i], axis=1) for i in range(len(spellings))], axis=1)
    temperatures = (0.5, 1.0, 2.0)
    shifted = row - row.max()
    return Rows(
        present=np.array([True]),
        label_logits=labels,
        spelling_ids=ids,
        spelling_of=of,
        spelling_logits=said,
        top_ids=order.astype(np.int32),
        top_logits=np.take_along_axis(row, order, axis=1),
        at_main=None if at_main is None else np.take_along_axis(row, np.array(at_main), axis=1),
        lse=np.logaddexp.reduce(row, axis=1),
        lse_temperatures=temperatures,
        lse_shifted=np.log(np.stack([np.exp(shifted / t).sum(axis=1) for t in temperatures], axis=1)),
        vocab_size=np.array([row.shape[1]], np.int32),
        margin=np.array([1.0]),
        near_tie=np.array([False]),
        seconds=np.array([0.0]),
    )


def evidence(main, **references):
    """Evidence of one sample from plain logits by view name."""
    first = rows(main)
    views = {view("image").key: first}
    for name, logits in references.items():
        views[view(name).key] = rows(logits, at_main=first.top_ids)
    return Evidence(np.array([LETTERS], np.int16), first, views)


def test_posthoc_reproduces_the_papers_figure():
    p = calibrate(np.array([[0.55, 0.45]]), np.array([[0.67, 0.33]]))
    assert p[0] == pytest.approx([0.3758, 0.6242], abs=5e-5)


def test_posthoc_flips_a_yes_exactly_when_the_naive_log_odds_are_below_the_priors():
    for naive, prior in ((0.4, 0.5), (0.5, 0.4), (-0.2, -0.1), (1.0, -1.0)):
        scores = bind("posthoc-none").scores(evidence([naive, 0.0, -9.0, -9.0], none=[prior, 0.0, -9.0, -9.0]))
        said = distribution(scores, parse_decoding("greedy")).probs[0].argmax()
        assert said == (0 if naive > prior else 1)


@pytest.mark.parametrize(
    ("beta", "expected"), [(0.1, [0.3482, 0.5741, 0.0777, 0.0]), (0.2, [0.3775, 0.6225, 0.0, 0.0])]
)
def test_vdd_reproduces_the_mini_fixture(beta, expected):
    four = ((0,), (1,), (2,), (3,))
    main = rows([2, 1, 0, -3], spellings=four)
    views = {view("image").key: main, view("none").key: rows([2.5, 0, 0, -6], main.top_ids, four)}
    method = bind("vdd-none", {"beta": beta})
    probs = distribution(method.scores(Evidence(np.array([4], np.int16), main, views)), parse_decoding("sample")).probs[
        0
    ]
    assert probs == pytest.approx(expected, abs=5e-5)


def test_vdd_both_contrasts_with_the_mean_of_raw_logits():
    main, none, unk = [2.0, 1.0, 0.0, -3.0], [2.5, 0.0, 0.0, -6.0], [0.5, 2.0, 1.0, -1.0]
    both = bind("vdd-both").scores(evidence(main, none=none, unk=unk))
    mean = bind("vdd-none").scores(evidence(main, none=[(a + b) / 2 for a, b in zip(none, unk, strict=True)]))
    assert both.logits == pytest.approx(mean.logits)


def test_alpha_zero_is_the_mask_alone():
    found = evidence([2.0, 1.0, 0.0, -3.0], none=[9.0, -9.0, 3.0, 0.0])
    contrasted = bind("vdd-none", {"alpha": 0}).scores(found)
    assert contrasted.logits == pytest.approx(bind("apc-only").scores(found).logits)


def test_contrasting_a_view_with_itself_is_the_mask_alone():
    logits = [2.0, 1.0, 0.0, -3.0]
    found = evidence(logits, none=logits)
    assert bind("vdd-none").scores(found).logits == pytest.approx(bind("apc-only").scores(found).logits)


def test_beta_one_is_greedy_and_beta_zero_masks_nothing():
    found = evidence([2.0, 1.0, 0.0, -3.0], none=[9.0, -9.0, 3.0, 0.0])
    assert np.isfinite(bind("vdd-none", {"beta": 1}).scores(found).logits).sum() == 1
    assert np.isfinite(bind("vdd-none", {"beta": 0}).scores(found).logits).all()


def test_posthoc_with_a_flat_prior_changes_no_answer():
    found = evidence([1.2, 0.3, -4.0, -4.0], none=[0.0, 0.0, -4.0, -4.0])
    calibrated = distribution(bind("posthoc-none").scores(found), parse_decoding("sample")).probs[0]
    assert calibrated == pytest.approx(np.exp([1.2, 0.3]) / np.exp([1.2, 0.3]).sum(), abs=1e-9)


@pytest.mark.parametrize(
    ("step", "signal", "noise"),
    [(0, 0.99999, 0.0047), (200, 0.9939, 0.1105), (400, 0.9449, 0.3275), (500, 0.8630, 0.5052), (600, 0.7342, 0.6789),
     (700, 0.5927, 0.8054), (900, 0.3649, 0.9311), (999, 0.2850, 0.9585)],
)  # fmt: skip
def test_the_noise_schedule_is_vcds(step, signal, noise):
    share = signal_shares()[step]
    assert np.sqrt(share) == pytest.approx(signal, abs=5e-5)
    assert np.sqrt(1 - share) == pytest.approx(noise, abs=1.5e-4)


def test_noise_depends_on_the_seed_alone():
    pixels = np.ones((3, 8, 8), np.float32)
    one, again, other = (diffuse(pixels, {"step": 500}, seed) for seed in (7, 7, 8))
    assert (one == again).all()
    assert (one != other).any()
    far = diffuse(np.zeros((3, 200, 200), np.float32), {"step": 999}, 1)
    assert far.std() == pytest.approx(0.9585, abs=5e-3)
