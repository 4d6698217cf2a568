"""Scores are those of the official scripts, with n, an interval that respects clusters, and an exact expectation."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from builders import run_grid

from mmplat.errors import ConfigError
from mmplat.metrics import Answered, summarise
from mmplat.metrics.intervals import cluster_sums, sum_interval
from mmplat.metrics.mme import COARSE, COGNITION, FINE
from mmplat.metrics.summary import CellAnswers
from mmplat.records import Sample
from mmplat.suites import catalog
from mmplat.suites.mme import QUESTIONS

MME = catalog.get("mme").metrics
OTHERS = {"accuracy_official", "chair_i", "chair_s"}  # of answers in words
SUBTASKS = (*COARSE, *FINE, *COGNITION)


def pairs(subtasks, images):
    """Two questions about each image of each subtask."""
    return [
        Sample(f"{s}/{i}/{k}", "", f"{s}/{i}", "q", (), ("yes", "no"), ("yes", "no")[k], (),
               {"subtask": s, "pair": f"{s}/{i}"})
        for s in subtasks for i in range(images) for k in (0, 1)
    ]  # fmt: skip


def cell(p_right, samples, drawn=None):
    """A cell that gives the right answer these probabilities; its likeliest answers, or `drawn` ones."""
    gold = np.array([s.labels.index(s.gold) for s in samples])
    p_right = np.asarray(p_right, float)
    right = p_right > 0.5 if drawn is None else np.asarray(drawn)
    nothing, positive = np.zeros(len(gold)), np.zeros(len(gold), int)

    def answered(p):
        probs = np.where(np.arange(2) == gold[:, None], p[:, None], 1 - p[:, None])
        return Answered(probs, nothing, gold, positive)

    return CellAnswers(answered(p_right), answered(right.astype(float)))


def values(numbers, subset="all"):
    return {n.metric: n.value for n in numbers if n.subset == subset}


def by_the_script(samples, right):
    """calculation.py: 100 × (accuracy + share of pairs that are right) per subtask."""
    scores = {}
    for subtask in dict.fromkeys(s.groups["subtask"] for s in samples):
        hits = np.array([hit for s, hit in zip(samples, right, strict=True) if s.groups["subtask"] == subtask])
        scores[subtask] = 100 * (hits.mean() + hits.reshape(-1, 2).all(axis=1).mean())
    return scores


def test_mme_scores_are_those_of_the_official_script():
    samples = pairs(SUBTASKS, 7)
    right = np.random.default_rng(0).random(len(samples)) < 0.7
    numbers = summarise([cell(right, samples)], samples, (("subtask",),), named=MME)
    script = by_the_script(samples, right)
    for subtask, score in script.items():
        assert values(numbers, f"subtask={subtask}")["mme_score"] == pytest.approx(score)
    found = values(numbers)
    assert found["mme_perception"] == pytest.approx(sum(script[s] for s in COARSE + FINE))
    assert found["mme_cognition"] == pytest.approx(sum(script[s] for s in COGNITION))
    assert found["mme_total_8"] == pytest.approx(sum(script[s] for s in COARSE + COGNITION))
    assert found["mme_score"] == pytest.approx(found["mme_perception"] + found["mme_cognition"])
    assert found["accuracy_plus"] == pytest.approx(right.reshape(-1, 2).all(axis=1).mean())
    assert values(numbers, "worst:subtask")["mme_score"] == pytest.approx(min(script.values()))


def test_all_right_is_the_largest_total_that_papers_state():
    samples = pairs(SUBTASKS, 3)
    found = values(summarise([cell(np.ones(len(samples)), samples)], samples, (), named=MME))
    assert (found["mme_perception"], found["mme_cognition"], found["mme_total_8"]) == pytest.approx((2000, 800, 1600))


def test_the_expected_pair_is_the_product_within_it():
    samples = pairs(("count",), 2)
    numbers = summarise([cell([0.9, 0.6, 0.2, 0.5], samples)], samples, (), named=MME)
    found = values(numbers)
    assert found["expected_accuracy_plus"] == pytest.approx((0.9 * 0.6 + 0.2 * 0.5) / 2)
    assert found["accuracy_plus"] == pytest.approx(0.5)
    rng = np.random.default_rng(1)
    draws = rng.random((40_000, 4)) < np.array([0.9, 0.6, 0.2, 0.5])
    assert draws.reshape(-1, 2, 2).all(axis=2).mean() == pytest.approx(found["expected_accuracy_plus"], abs=0.005)
    assert found["expected_mme_score"] == pytest.approx(100 * (np.mean([0.9, 0.6, 0.2, 0.5]) + 0.32))


def test_a_total_without_one_of_its_subtasks_is_undefined():
    samples = pairs(COGNITION[:3], 2)
    found = values(summarise([cell(np.ones(len(samples)), samples)], samples, (), named=MME))
    assert found["mme_cognition"] is None
    assert found["mme_score"] == pytest.approx(600)


def test_a_pair_that_lost_a_question_is_no_pair():
    whole = pairs(("count",), 3)
    some = whole[:5]
    numbers = summarise([cell(np.ones(5), some)], some, (), named=MME, whole=whole)
    plus = next(n for n in numbers if n.metric == "accuracy_plus")
    assert (plus.value, plus.n) == (1, 2)


def test_metrics_of_one_benchmark_are_on_no_other():
    samples = pairs(("count",), 2)
    assert not {"accuracy_plus", "mme_score"} & set(values(summarise([cell(np.ones(4), samples)], samples, ())))


def test_hallusion_bench_counts_figures_and_questions_as_its_script_does():
    """fAcc: all of a figure; qAcc: a question on all figures, also on none; VS without a figure is in no fAcc."""
    right = {("0", "0"): 1, ("0", "1"): 0, ("1", "0"): 1, ("1", "1"): 1, ("2", "0"): 1, ("2", "1"): 1}
    samples = [
        Sample(f"{f}/{q}", "", "VS/chart/0", "q", (), ("yes", "no"), "yes", (),
               {"question": q, **({"figure": f} if f != "0" else {})})
        for f, q in right
    ]  # fmt: skip
    named = catalog.get("hallusion-bench").metrics
    numbers = summarise([cell(list(right.values()), samples)], samples, (), named=named)
    found = values(numbers)
    assert found["accuracy"] == pytest.approx(5 / 6)  # aAcc
    assert found["figure_accuracy"] == 1  # figures 1 and 2
    assert found["question_accuracy"] == 0.5
    assert {n.metric: n.n for n in numbers}["figure_accuracy"] == 2


def test_a_total_over_groups_that_share_clusters_is_refused():
    samples = [Sample(str(i), "", "one", "q", (), ("yes", "no"), "yes", (), {"subtask": s}) for i, s in enumerate("ab")]
    with pytest.raises(ConfigError, match="needs clusters that lie within one subtask each"):
        summarise([cell([1, 1], samples)], samples, (), named=["mme_score"])


def test_intervals_of_totals_hold_the_truth_as_often_as_they_say():
    """Two subtasks, pairs whose questions are easy together; the truth is the mean of many draws."""
    rng = np.random.default_rng(2)
    images, repeats = 60, 400
    covered = []
    truth = 0.0
    for a, b in ((4, 2), (2, 2)):
        ease = rng.beta(a, b, 1_000_000)
        truth += ease.mean() + (ease**2).mean()
    for _ in range(repeats):
        groups = []
        for at, (a, b) in enumerate(((4, 2), (2, 2))):
            ease = rng.beta(a, b, images)
            hits = rng.random((images, 2)) < ease[:, None]
            mine = np.zeros((2 * images, 1))
            mine[at * images : (at + 1) * images] = 1
            right, both, ones = np.zeros_like(mine), np.zeros_like(mine), 2 * mine
            right[mine > 0], both[mine > 0] = hits.sum(axis=1), hits.all(axis=1)
            groups.append([(right, ones), (both, mine)])
        value, low, high = sum_interval(groups, n=4 * images)
        covered.append(low[0] <= truth <= high[0])
        assert 0 <= low[0] <= value[0] <= high[0] <= 4
    assert 0.925 <= np.mean(covered) <= 0.98


def test_the_interval_of_a_total_agrees_with_a_bootstrap_of_images():
    samples = pairs(SUBTASKS, 20)
    rng = np.random.default_rng(3)
    right = rng.random(len(samples)) < np.repeat(rng.beta(4, 2, len(samples) // 2), 2)
    number = next(
        n
        for n in summarise([cell(right, samples)], samples, (), named=MME)
        if (n.metric, n.subset) == ("mme_score", "all")
    )
    hits = right.reshape(len(SUBTASKS), 20, 2)
    picks = rng.integers(0, 20, (4000, len(SUBTASKS), 20))
    drawn = hits[np.arange(len(SUBTASKS))[:, None], picks]
    totals = 100 * (drawn.mean(axis=(2, 3)) + drawn.all(axis=3).mean(axis=2)).sum(axis=1)
    low, high = np.quantile(totals, [0.025, 0.975])
    assert number.high - number.low == pytest.approx(high - low, rel=0.08)


def test_one_group_with_one_ratio_is_the_plain_interval():
    from mmplat.metrics.intervals import ratio_interval

    rng = np.random.default_rng(4)
    hits = cluster_sums(rng.random((60, 3)).round(), np.repeat(np.arange(30), 2), 30)
    ones = np.full_like(hits, 2.0)
    assert np.allclose(sum_interval([[(hits, ones)]], n=60), ratio_interval(hits, ones, n=60))


def test_the_whole_of_mme_under_sixty_cells_is_summarised_in_seconds():
    samples = [
        Sample(f"{s}/{i}", "", f"{s}/{i // 2}", "q", (), ("yes", "no"), ("yes", "no")[i % 2], (),
               {"subtask": s, "pair": f"{s}/{i // 2}"})
        for s, n in QUESTIONS.items() for i in range(n)
    ]  # fmt: skip
    rng = np.random.default_rng(5)
    cells = [cell(rng.random(len(samples)), samples) for _ in range(60)]
    began = time.perf_counter()
    numbers = summarise(cells, samples, (("subtask",),), named=MME)
    assert time.perf_counter() - began < 10  # 1 s on a quiet core
    assert len({n.subset for n in numbers}) == 16


def test_the_suites_of_the_page_run_from_files_to_metrics(shelf, results, monkeypatch):
    shelf.pope(), shelf.mme(SUBTASKS), shelf.mmmu(), shelf.hallusion()
    page = Path(__file__).parents[2].joinpath("docs/benchmarks.md").read_text(encoding="utf-8")
    (suites,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    grid = f"campaign: c\nmodels: [fake]\nmethods: [naive, posthoc-none]\ndecodings: [greedy, sample]\n{suites}"
    monkeypatch.chdir(shelf.root.parent)
    ran = run_grid(grid, results)
    assert set(ran.table("runs")["status"]) == {"done"}
    metrics = ran.table("runs").select("run_id", "suite").join(ran.table("metrics"), on="run_id")
    named = {suite: set(metrics.filter(suite=suite)["metric"]) for suite in ("pope", "mme", "mmmu", "hallusion-bench")}
    assert {"f1", "yes_ratio", "expected_f1"} <= named["pope"]
    assert (
        set(ran.table("metrics")["metric"])
        >= set(re.findall(r"`((?:mme|chair|accuracy|figure|question)_\w+)`", page)) - OTHERS
    )
    assert {"mme_perception", "expected_mme_perception", "accuracy_plus"} <= named["mme"]
    assert "f1" not in named["mmmu"]
    assert {"figure_accuracy", "question_accuracy"} <= named["hallusion-bench"]
    greedy = {"suite": "mme", "decoding": "greedy", "method": "naive"}
    for metric in ("mme_perception", "mme_total_8", "accuracy_plus"):
        assert ran.value(metric=metric, **greedy) == pytest.approx(ran.value(metric=f"expected_{metric}", **greedy))


def test_written_answers_are_also_read_by_the_published_rules(shelf, results):
    """The tiny model says words that it knows, so the strict rule and the official ones may differ, and both are told."""
    params = shelf.pope()
    grid = (
        f"campaign: words\nmodels: [tiny]\nsuites: [{{name: pope, answers: text, longest: 3, params: {json.dumps(params)}}}]\n"
        "decodings: [greedy]\nmethods: [naive]\n"
    )
    ran = run_grid(grid, results)
    texts = ran.table("predictions")
    official = [said_by_pope(text) == gold for text, gold in texts.select("text", "gold").iter_rows()]
    assert ran.value(metric="accuracy_official") == pytest.approx(np.mean(official))
    assert ran.value(metric="accuracy_substring") >= 0
    assert ran.value(metric="accuracy") == pytest.approx(texts["correct"].mean())


def said_by_pope(text):
    """POPE's own rule, as its script has it."""
    return "no" if {"No", "no", "not"} & set(text.split(".")[0].replace(",", "").split(" ")) else "yes"
