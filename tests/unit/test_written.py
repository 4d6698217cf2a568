"""Answers in words: written once, kept, parsed strictly, and equal to what reading labels says where both say the same."""

import shutil

import numpy as np
import polars as pl
import pytest
from builders import ask_all, run_grid

from mmplat.errors import ArtifactError
from mmplat.grid import parse_grid
from mmplat.plan import make_plan
from mmplat.records import Sample
from mmplat.suites._parsing import strict

GRID = """
campaign: words
models: [tiny]
suites:
  - {name: world-objects, params: {n: 60}}
  - {name: world-objects, answers: text, longest: 4, params: {n: 60}}
decodings: [greedy, sample, t0.5-k5-p0.9]
methods: [naive, vdd-none, posthoc-none]
seeds: [0, 1]
"""
TEXT = "world-objects(n=60,text)"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    from mmplat.artifacts import Results

    return run_grid(GRID, Results(tmp_path_factory.mktemp("words")))


def suites_of(ran):
    return [pair.suite.name for pair in ran.plan.pairs]


def answers(ran, **cell):
    runs = ran.table("runs").filter(**cell)
    found = ran.table("predictions").join(runs.select("run_id"), on="run_id").sort("sample_id")
    return found["answer"].to_list(), found["text"].to_list()


def test_greedy_text_parsed_is_greedy_labels_read(ran):
    read, written = suites_of(ran)
    for method in ("naive", "vdd-none"):
        labels, none = answers(ran, suite=read, method=method, decoding="greedy", seed=0)
        parsed, texts = answers(ran, suite=written, method=method, decoding="greedy", seed=0)
        assert parsed == labels
        assert none == [None] * 60
        assert set(texts) <= {"yes", "no"}


def test_a_method_on_labels_has_nothing_to_say_about_words(ran):
    reasons = {s.reason for s in ran.plan.skipped if s.method == "posthoc-none" and s.suite == suites_of(ran)[1]}
    assert any("works on labels" in reason for reason in reasons)


def test_what_no_seed_changes_is_written_once(ran):
    written = ran.plan.pairs[1]
    assert len(written.methods) == 4
    assert len(written.writings) == 2 * (1 + 2 * 2)


def test_cost_counts_every_step_of_every_stream(ran):
    runs = ran.table("runs").filter(suite=suites_of(ran)[1], decoding="greedy", seed=0)
    naive, vdd = (runs.filter(method=m)["forward_passes"][0] for m in ("naive", "vdd-none"))
    assert naive == 120, "a word and the end of the answer"
    assert vdd == 240


def test_asking_again_writes_nothing(ran):
    before = sorted(p.name for p in ran.results.root.rglob("written-*.parquet"))
    (outcome,) = ask_all(ran.plan, ran.results)
    assert outcome.asked == 0
    assert sorted(p.name for p in ran.results.root.rglob("written-*.parquet")) == before


def test_more_seeds_ask_only_what_is_new(ran, tmp_path):
    from mmplat.artifacts import Results

    results = Results(tmp_path / "more")
    shutil.copytree(ran.results.root, results.root)
    plan = make_plan(parse_grid(GRID.replace("[0, 1]", "[0, 1, 2]")))
    (outcome,) = ask_all(plan, results)
    distinct = pl.read_parquet(next(results.root.rglob("written-*.parquet")))["sample_key"].n_unique()
    assert outcome.asked == 4 * distinct


def test_a_broken_part_is_set_aside_and_written_again(ran, tmp_path):
    from mmplat.artifacts import Results
    from mmplat.evidence.written import read_written

    results = Results(tmp_path / "broken")
    shutil.copytree(ran.results.root, results.root)
    part = next(results.root.rglob("written-*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ArtifactError, match="is damaged"):
        read_written(part.parent, ["x"])
    shutil.rmtree(results.root / "batches")
    ask_all(ran.plan, results)
    assert list(results.root.rglob("*.broken"))
    assert read_written(part.parent, [w.key for w in ran.plan.pairs[1].writings]).height


@pytest.mark.slow
def test_drawn_words_follow_the_exact_probability_of_the_labels(tmp_path):
    """Twenty seeds of every sample: the mean of what was drawn lies where the exact distribution says."""
    from mmplat.artifacts import Results

    grid = GRID.replace("[0, 1]", str(list(range(20)))).replace(", posthoc-none", "")
    ran = run_grid(grid, Results(tmp_path))
    read, written = suites_of(ran)
    for method in ("naive", "vdd-none"):
        for decoding in ("sample", "t0.5-k5-p0.9"):
            exact = ran.value(suite=read, method=method, decoding=decoding, seed=0, metric="expected_accuracy")
            drawn = [
                ran.value(suite=written, method=method, decoding=decoding, seed=s, metric="accuracy") for s in range(20)
            ]
            spread = np.std(drawn) / np.sqrt(20)
            assert abs(np.mean(drawn) - exact) < 4 * max(spread, 0.002)


def test_speakers_that_end_early_leave_the_others_as_they_are():
    """One speaker stops at once, one never does; each says what it says alone."""
    from mmplat.asking.stepper import Speaker, speak
    from mmplat.contracts import Subject
    from mmplat.decoding import parse_decoding
    from mmplat.models import bind, families

    model = families.get("llava").load(bind("tiny"))
    (stop,) = model.stops
    asks = [[Subject(model).ask(view, number) for number in range(3)] for view in ("image", "none")]

    def towards(sign):
        def combine(main, others, step):
            pushed = main - 0.5 * others[0] if others else main.clone()
            pushed[:, stop] += sign * 1000.0
            return pushed

        return combine

    speakers = [
        Speaker((0, 1), towards(+1), parse_decoding("greedy")),
        Speaker((0,), towards(-1), parse_decoding("sample"), 3),
        Speaker((0, 1), towards(-1), parse_decoding("k5"), 4),
        Speaker((0,), towards(+1), parse_decoding("greedy")),
    ]
    together = speak(model, asks, speakers, 6)
    alone = [speak(model, asks, [one], 6)[0] for one in speakers]
    one_by_one = [[speak(model, [[row[i]] for row in asks], [one], 6)[0][0] for i in range(3)] for one in speakers]
    said = [[[spoken.tokens for spoken in its] for its in way] for way in (together, alone, one_by_one)]
    assert said[0] == said[1] == said[2]
    assert [len(its[0].tokens) for its in together] == [1, 6, 6, 1]
    assert [its[0].stopped for its in together] == [True, False, False, True]


def test_reasoning_first_is_for_answers_in_words(tmp_path):
    from mmplat.artifacts import Results

    grid = GRID.replace("posthoc-none", "chain-of-thought").replace("[0, 1]", "[0]").replace("n: 60", "n: 12")
    ran = run_grid(grid, Results(tmp_path))
    reasons = [s.reason for s in ran.plan.skipped if s.method == "chain-of-thought"]
    assert len(reasons) == 1
    assert "reasons before it answers" in reasons[0]
    runs = ran.table("runs").filter(method="chain-of-thought")
    assert runs.height == 3
    assert set(runs["status"]) == {"done"}
    numbers = ran.table("metrics").filter(run_id=runs["run_id"][0], subset="all")
    assert {"accuracy", "unparsed"} <= set(numbers["metric"])


def sample(*labels):
    return Sample("i", "k", "c", "Q?", (), labels, labels[0], ())


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Yes, there is.", "yes"),
        ("no", "no"),
        ("There is no dog.", None),
        ("It could be yes or no", None),
        ("know", None),
        ("", None),
        ("...", None),
    ],
)
def test_words_are_parsed_strictly(text, label):
    assert strict(text, sample("yes", "no")) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("B", "B"),
        ("(C)", "C"),
        ("B. A dog", "B"),
        ("A dog", None),
        ("The answer is (D).", "D"),
        ("(A) or (B)", "A"),
        ("I think A", None),
        ("b", "B"),
    ],
)
def test_letters_are_parsed_strictly(text, label):
    assert strict(text, sample("A", "B", "C", "D")) == label


# Open-ended answers: no labels, graded by the suite.

CAPTIONS = """
campaign: captions
models: [tiny]
suites: [{name: test-captions, longest: 6}, world-objects]
decodings: [greedy, t0.5]
methods: [naive, vdd-none, posthoc-none]
limit: 30
"""


@pytest.fixture(scope="module")
def captions(tmp_path_factory):
    """A suite whose answers are graded by how often they say yes, and how long they are."""
    from mmplat.artifacts import Results
    from mmplat.suites import bind as bind_suite
    from mmplat.suites import catalog
    from mmplat.suites.base import RawSample, Suite

    def samples(spec):
        for raw in catalog.get("world-objects").samples(bind_suite("world-objects")):
            yield RawSample(
                raw.sample_id, raw.question, (), "", raw.images, groups=raw.groups, reference={"gold": raw.gold}
            )

    def grade(text, sample):
        words = text.split()
        return {"says_yes": (words.count("yes"), max(len(words), 1)), "words": (len(words), 1), "never": (0, 0)}

    suite = Suite(
        "test-captions", "t", 1, samples, lambda s: s.limit, subsets=(("split",),), open_ended=True, grade=grade
    )
    catalog.add("test-captions", suite)
    yield run_grid(CAPTIONS, Results(tmp_path_factory.mktemp("captions")))
    catalog._items.pop("test-captions")


def test_open_ended_answers_are_graded_with_n_and_interval(captions):
    cell = {"suite": "test-captions", "method": "naive", "decoding": "greedy"}
    runs = captions.table("runs").filter(**cell)
    assert runs["status"].to_list() == ["done"]
    assert runs["device"][0] == "cpu"
    numbers = captions.table("metrics").filter(run_id=runs["run_id"][0])
    words = numbers.filter(metric="words", subset="all").to_dicts()[0]
    assert (words["value"], words["n"]) == (1.0, 30)
    yes = numbers.filter(metric="says_yes", subset="all").to_dicts()[0]
    assert 0 < yes["low"] < yes["value"] < yes["high"] < 1
    assert numbers.filter(metric="never", subset="all")["value"].to_list() == [None]
    assert set(numbers["subset"]) == {"all", "split=random", "split=popular", "split=adversarial"}


def test_open_ended_answers_say_what_the_labels_say(captions):
    _, texts = answers(captions, suite="test-captions", method="vdd-none", decoding="greedy")
    labels, _ = answers(captions, suite="world-objects", method="vdd-none", decoding="greedy")
    assert texts == labels


def test_open_ended_suites_are_published_and_ranked(captions):
    from typer.testing import CliRunner

    from mmplat.cli.app import app

    for verb in (["publish", "captions"], ["rank", "captions"], ["leaderboard", "--campaign", "captions"]):
        done = CliRunner().invoke(app, [*verb, "--results", str(captions.results.root)])
        assert done.exit_code == 0, done.output
    assert "world-objects" in done.output


def test_a_campaign_without_labels_is_ranked_by_its_own_measure(tmp_path):
    from typer.testing import CliRunner

    from mmplat.artifacts import Results
    from mmplat.cli.app import app

    ran = run_grid(
        "campaign: c\nmodels: [tiny]\nsuites: [{name: world-captions, longest: 6, params: {n: 20}}]\nmethods: [naive, vdd-none]\n",
        Results(tmp_path),
    )
    for verb in (["publish", "c"], ["rank", "c"], ["leaderboard", "--campaign", "c"]):
        done = CliRunner().invoke(app, [*verb, "--results", str(ran.results.root)])
        assert done.exit_code == 0, done.output
    assert "world-captions · chair_i" in done.output
    ranked = pl.read_csv(ran.results.leaderboard("c", "csv"))
    assert ranked.sort("rank")["value"].is_sorted(), "little is good"
