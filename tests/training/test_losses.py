"""Losses: where they are zero, what they leave alone, and whose weights they move."""

import math

import pytest
import torch

from mmplat.training.loop import rate_at
from mmplat.training.losses import consistency, cross_entropy, js, kl, weighted_mean

DRAW = torch.Generator().manual_seed(0)
ONE, OTHER = torch.randn(2, 3, 4, 7, generator=DRAW)  # (which, pair, token, vocab)
REAL = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]])


def test_a_divergence_from_itself_is_zero():
    assert kl(ONE, ONE).abs().max() == 0
    assert js(ONE, ONE).abs().max() < 1e-6


def test_kl_is_of_the_variant_from_the_clean_answers():
    q, p = ONE.softmax(-1), OTHER.softmax(-1)
    assert torch.allclose(kl(ONE, OTHER), (q * (q / p).log()).sum(-1), atol=1e-6)
    assert not torch.allclose(kl(ONE, OTHER), kl(OTHER, ONE), atol=1e-3)


def test_js_is_symmetric_and_at_most_ln_2():
    assert torch.allclose(js(ONE, OTHER), js(OTHER, ONE), atol=1e-7)
    far = 50 * torch.eye(7)[:2]
    assert math.log(2) - 1e-6 <= float(js(far[0], far[1])) <= math.log(2) + 1e-6


@pytest.mark.parametrize("kind", ["kl", "js"])
def test_no_gradient_flows_into_the_clean_answers(kind):
    variants, clean = ONE.clone().requires_grad_(), OTHER.clone().requires_grad_()
    consistency(kind, variants, clean, REAL, [0, 0, 1], reduction="sum").backward()
    assert clean.grad is None
    assert variants.grad[REAL.bool()].abs().sum() > 0
    assert variants.grad[~REAL.bool()].abs().max() == 0


def test_a_sum_is_over_an_items_pairs_and_tokens_and_a_mean_over_its_tokens():
    far = kl(ONE, OTHER) * REAL
    items = [0, 0, 1]
    whole = consistency("kl", ONE, OTHER, REAL, items, reduction="sum")
    assert torch.allclose(whole, (far[:2].sum() + far[2].sum()) / 2)
    mean = consistency("kl", ONE, OTHER, REAL, items, reduction="mean")
    assert torch.allclose(mean, (far[:2].sum() / 5 + far[2].sum() / 1) / 2)


def test_nothing_to_compare_costs_nothing():
    assert float(consistency("kl", ONE[:0], OTHER[:0], REAL[:0], [], reduction="sum")) == 0


def test_rows_that_weigh_nothing_are_not_in_the_mean():
    targets = torch.randint(7, REAL.shape, generator=DRAW)
    told = cross_entropy(ONE, targets)
    assert told.shape == REAL.shape
    kept = weighted_mean(told, REAL, torch.tensor([1.0, 0.0, 1.0]))
    assert torch.allclose(kept, (told * REAL)[[0, 2]].sum() / 3)
    twice = weighted_mean(told, REAL, torch.tensor([2.0, 0.0, 2.0]))
    assert torch.allclose(twice, 2 * kept)


@pytest.mark.parametrize(("kind", "last"), [("cosine", 0.0), ("linear", 0.0), ("constant", 1.0)])
def test_the_rate_rises_and_falls(kind, last):
    from mmplat.recipes import Schedule

    wanted = Schedule(kind=kind, warmup=0.1, steps=100)
    rates = [rate_at(step, 100, wanted) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert rates[10] == pytest.approx(1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(last, abs=0.02)
