"""Multiple-choice benchmarks from files to numbers: rules that read answers, circular evaluation, and the words that were fixed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from benchmark_files import write_lines
from builders import run_grid
from choice_files import ChoiceShelf

from mmplat.errors import ConfigError
from mmplat.grid import load_grid, parse_grid
from mmplat.metrics import Answered, summarise
from mmplat.metrics.summary import CellAnswers
from mmplat.plan import make_plan
from mmplat.records import Sample
from mmplat.suites import bind, catalog
from mmplat.suites._official import first_letter, first_letter_to_d
from mmplat.suites._parsing import strict

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "choice_suites.json"


@pytest.fixture
def shelf(tmp_path):
    return ChoiceShelf(tmp_path / "data")


def asked(*options):
    return Sample("1", "k", "c", "q", options, tuple("ABCDEF"[: len(options)]), "B", ())


CHOICE = asked("a cat", "a dog", "an idol", "trees")


@pytest.mark.parametrize(
    ("text", "of_images", "of_others", "ours"),
    [
        ("B", "B", "B", "B"),
        ("b", "B", "B", "B"),
        ("B: a dog", "B", "B", "B"),
        ("(B)", "B", "B", "B"),
        ("The answer is B.", "B", "B", "B"),
        ("This is a dog", "A", "A", None),  # the article
        ("a dog", "A", "A", "B"),
        ("A dog", "A", "A", "B"),
        ("I think it is B", None, "B", None),  # the pronoun is no option, and wrong; ours wants the answer stated
        ("It's B", None, "B", None),  # the s after the apostrophe stands alone
        ("Not A but B", "A", "A", None),
        ("C or B", "C", "C", None),
        ("E", None, None, None),
        ("dog", None, None, None),
        ("", None, None, None),
    ],
)
def test_the_papers_rule_reads_the_article_as_an_answer_and_ours_does_not(text, of_images, of_others, ours):
    assert first_letter(text, CHOICE) == of_images
    assert first_letter_to_d(text, CHOICE) == of_others
    assert strict(text, CHOICE) == ours


def test_the_papers_rule_never_reads_a_fifth_option():
    five = asked("v", "w", "x", "y", "z")
    assert (first_letter("E", five), first_letter_to_d("E", five), strict("E", five)) == ("E", None, "E")
    assert first_letter_to_d("E, not a D", five) == "A"


def circles(rotations):
    """Questions of `rotations` rotations each, as mmbench groups them."""
    return [
        Sample(f"{q}/{k}", "", f"{q}", "q", (), tuple("ABCD"), "ABCD"[k % 4], (),
               {"circle": str(q), "pass": "rotated" if k else "first"})
        for q, times in enumerate(rotations) for k in range(times)
    ]  # fmt: skip


def cell(p_right, samples):
    gold = np.array([s.labels.index(s.gold) for s in samples])
    p_right = np.asarray(p_right, float)

    def answered(p):
        probs = np.where(np.arange(4) == gold[:, None], p[:, None], (1 - p[:, None]) / 3)
        return Answered(probs, np.zeros(len(gold)), gold, None)

    return CellAnswers(answered(p_right), answered((p_right > 0.5).astype(float)))


def test_circular_evaluation_wants_every_rotation_right():
    samples = circles([4, 3, 2, 4])
    right = [*(1, 1, 1, 1), *(1, 0, 1), *(1, 1), *(0, 1, 1, 1)]
    numbers = summarise([cell(right, samples)], samples, (("pass",),), named=catalog.get("mmbench").metrics)
    found = {(n.metric, n.subset): n for n in numbers}
    assert found["circular_accuracy", "all"].value == 2 / 4  # the first and the third
    assert found["circular_accuracy", "all"].n == 4
    assert found["accuracy", "pass=first"].value == 3 / 4  # VanillaEval: the first pass alone
    assert found["accuracy", "all"].value == pytest.approx(11 / 13)  # of rows
    assert found["expected_circular_accuracy", "all"].value == 2 / 4


def test_a_circle_by_chance_is_right_as_often_as_all_its_draws():
    samples = circles([4] * 5 + [2] * 5)
    numbers = summarise([cell(np.full(30, 0.5), samples)], samples, (), named=catalog.get("mmbench").metrics)
    found = {n.metric: n.value for n in numbers}
    assert found["expected_circular_accuracy"] == pytest.approx((0.5**4 + 0.5**2) / 2)


def test_circles_are_on_no_other_benchmark():
    samples = circles([2, 2])
    assert "circular_accuracy" not in {n.metric for n in summarise([cell(np.ones(4), samples)], samples, ())}


def test_the_words_and_keys_of_samples_are_those_that_were_fixed(shelf, prepared):
    """They are in the keys of everything that was asked: where one changes, its suite needs a new version."""
    found = {}
    for name, params in shelf.everything().items():
        for prompt in ("letter", "interference"):
            samples, _ = prepared(name, {**params, "prompt": prompt})
            found[f"{name}, {prompt}"] = {
                "version": catalog.get(name).version,
                "ids": [s.sample_id for s in samples],
                "golds": "".join(s.gold for s in samples),
                "keys": [s.sample_key for s in samples]
                if not samples[0].images
                else [],  # pixels hang on a JPEG decoder
                "first": samples[0].question,
            }
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_suites_of_the_page_run_from_files_to_metrics(shelf, results, monkeypatch):
    page = (ROOT / "docs/multiple-choice.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    shelf.everything()
    monkeypatch.chdir(shelf.root.parent)
    suites = yaml.safe_load(text.replace("options: 6", "options: 5"))["suites"]  # there are six classes here, two alike
    suites[3]["conditions"] = ["random-pixels"]
    ran = run_grid(
        f"campaign: nine\nmodels: [fake]\nmethods: [naive, posthoc-none]\ndecodings: [greedy]\nsuites: {json.dumps(suites)}\n",
        results,
    )
    runs = ran.table("runs")
    assert set(runs["status"]) == {"done"}
    naive = runs.filter(method="naive")
    assert {name.split("(")[0] for name in naive["suite"]} == {*catalogued(), "openbookqa@random-pixels"}
    metrics = naive.select("run_id", "suite").join(ran.table("metrics"), on="run_id")
    of = {suite: set(metrics.filter(suite=suite)["metric"]) for suite in naive["suite"]}
    assert "circular_accuracy" in of["mmbench"]
    assert all("accuracy" in names and "f1" not in names for names in of.values())
    # A method that compares with a view without the image has nothing to compare where there is none.
    compared = set(runs.filter(method="posthoc-none")["suite"])
    assert compared == set(naive["suite"]) - {"openbookqa", "arc-challenge", "mmlu"}


def catalogued():
    """The nine suites of the page."""
    return {name for name in catalog if "interference" in catalog.get(name).official}


def test_written_answers_are_read_by_our_rule_and_by_the_papers(shelf, results):
    suites = [{"name": "seed-bench", "answers": "text", "longest": 3, "params": shelf.seed()}]
    ran = run_grid(
        f"campaign: w\nmodels: [tiny]\nmethods: [naive]\ndecodings: [greedy]\nsuites: {json.dumps(suites)}\n", results
    )
    texts = ran.table("predictions")
    options = [f"{letter} thing" for letter in "abcd"]
    said = [first_letter_to_d(text, asked(*options)) == gold for text, gold in texts.select("text", "gold").iter_rows()]
    assert ran.value(metric="accuracy_interference") == pytest.approx(np.mean(said))
    assert ran.value(metric="accuracy") == pytest.approx(texts["correct"].mean())


def test_a_whole_split_is_read_while_a_grid_is_planned(shelf):
    """1172 questions of up to five options: seconds would be felt in every plan."""
    rows = [
        {"id": str(n), "question": {"stem": f"Why {n}?", "choices": shelf.options("ABCDE", n)}, "answerKey": "C"}
        for n in range(1172)
    ]
    write_lines(shelf.root / "arc-challenge" / "ARC-Challenge-Test.jsonl", rows)
    spec = bind("arc-challenge", {"path": str(shelf.root / "arc-challenge")})
    assert catalog.get("arc-challenge").count(spec) == 1172
    assert catalog.get("arc-challenge").count(spec.model_copy(update={"limit": 10})) == 10


def test_the_grid_for_a_real_model_is_planned_from_files_alone(shelf, monkeypatch):
    shelf.everything()
    monkeypatch.chdir(shelf.root.parent)
    plan = make_plan(load_grid(ROOT / "config/examples/interference-real.yaml"))
    suites = {pair.suite.name for pair in plan.pairs}
    assert {
        "mini-imagenet@misleading-description",
        "mmlu@random-pixels",
        "mmbench",
        "arc-challenge@screenshots",
    } <= suites
    assert len(suites) == 9 + 3 * 3 + 3 * 5
    skipped = {(skip.suite, skip.method) for skip in plan.skipped}
    assert ("openbookqa", "posthoc-none") in skipped  # without a picture there is nothing to compare
    assert ("openbookqa@random-pixels", "posthoc-none") not in skipped


def test_the_grid_for_a_real_model_changes_nothing_that_decides(shelf):
    """The conditions of one family under a suite of the other are refused, with the reason."""
    params = json.dumps(shelf.openbookqa())
    grid = f"campaign: c\nmodels: [fake]\nmethods: [naive]\nsuites: [{{name: openbookqa, params: {params}, conditions: [black]}}]\n"
    assert make_plan(parse_grid(grid)).pairs
    with pytest.raises(
        ConfigError, match="changes the text, and that is where the answers of suite 'openbookqa' are found"
    ):
        make_plan(parse_grid(grid.replace("[black]", "[unrelated-facts]")))
