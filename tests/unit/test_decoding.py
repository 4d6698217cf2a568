"""Decoding filters against transformers' own logits processors: the same survivors, the same probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmplat.decoding import distribution, parse_decoding
from mmplat.decoding.configs import name_of, presets
from mmplat.decoding.filters import sort_scores
from mmplat.errors import EvidenceTooNarrow

VOCAB = 12
logits = hnp.arrays(np.float64, (3, VOCAB), elements=st.floats(-8, 8).map(lambda x: round(x, 3)), unique=True)
CONFIGS = ["sample", "t0.5", "t2", "k3", "p0.8", "t0.7-p0.9", "t1.5-k5-p0.6", "k1", "p0.01", "k12", "k50"]


def candidates(row):
    """Token i < 4 says label i, the rest say none."""
    label = np.where(np.arange(VOCAB) < 4, np.arange(VOCAB), -1).astype(np.int16)
    return sort_scores(row, np.broadcast_to(label, row.shape), 4)


@settings(deadline=None)
@given(logits)
@pytest.mark.parametrize("name", CONFIGS)
def test_survivors_and_probabilities_are_those_of_transformers(name, row):
    torch = pytest.importorskip("torch")
    from transformers.generation.logits_process import (
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    config = parse_decoding(name)
    warpers = LogitsProcessorList([TemperatureLogitsWarper(config.temperature)])
    if config.top_k:
        warpers.append(TopKLogitsWarper(config.top_k))
    if config.top_p:
        warpers.append(TopPLogitsWarper(config.top_p))
    theirs = warpers(None, torch.from_numpy(row)).softmax(-1).numpy()
    ours = distribution(candidates(row), config)
    assert ours.probs == pytest.approx(theirs[:, :4], abs=1e-9)
    assert ours.other == pytest.approx(theirs[:, 4:].sum(axis=1), abs=1e-9)


@given(logits)
def test_greedy_is_the_limit_of_low_temperature_and_of_one_token(row):
    greedy = distribution(candidates(row), parse_decoding("greedy"))
    assert distribution(candidates(row), parse_decoding("k1")).probs == pytest.approx(greedy.probs)
    assert set(np.unique(greedy.probs)) <= {0.0, 1.0}


@given(logits)
def test_probabilities_of_labels_and_of_no_label_sum_to_one(row):
    for name in CONFIGS:
        answers = distribution(candidates(row), parse_decoding(name))
        assert answers.probs.sum(axis=1) + answers.other == pytest.approx(np.ones(3))


def test_a_decoding_that_looks_further_than_the_evidence_is_refused_not_approximated():
    row = np.linspace(2, 0, 6)[None, :]
    kept = np.array([[True] * 4 + [False] * 2])
    whole = np.log(np.exp(np.linspace(2, -20, 100) - 2).sum())
    scores = sort_scores(row, np.full((1, 6), -1, np.int16), 1, kept=kept, log_total=lambda t: np.array([whole]))
    with pytest.raises(EvidenceTooNarrow, match="1 of 1 samples.*'k5'.*nothing was approximated"):
        distribution(scores, parse_decoding("k5"))
    with pytest.raises(EvidenceTooNarrow, match=r"'p0.99'"):
        distribution(scores, parse_decoding("p0.99"))
    assert distribution(scores, parse_decoding("k4")).other[0] == pytest.approx(1)


@pytest.mark.parametrize("name", sorted(presets))
def test_a_preset_name_spells_its_settings(name):
    spec = parse_decoding(name)
    assert name_of(greedy=spec.greedy, temperature=spec.temperature, top_k=spec.top_k, top_p=spec.top_p) == name
