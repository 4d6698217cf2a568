"""Cues name the answer that they should, where they should, and leave the rest alone; cue-contrast asks without them."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from builders import run_grid
from hypothesis import given
from hypothesis import strategies as st

from mmplat.conditions import applied, bind
from mmplat.conditions._wordings import FAMILIES, chosen
from mmplat.errors import ConfigError
from mmplat.samples import LeftOut, RawSample
from mmplat.views import bind as bind_view
from mmplat.views import catalog as views

ASKED = RawSample(
    "1",
    "What is it?\nA cat\nB dog\nC hen\nLetter only.",
    ("A", "B", "C"),
    "B",
    options=("cat", "dog", "hen"),
    stem="What is it?",
)
YES_NO = RawSample("2", "Is there a cat? Please answer yes or no.", ("yes", "no"), "yes", stem="Is there a cat?")


def made(sample, name="cue-wrong", **params):
    found = applied(bind(name, params), sample)
    return found if isinstance(found, LeftOut) else (found, found.reference["condition"])


def test_the_papers_sentence_stands_behind_the_question_and_before_the_options():
    cued, said = made(ASKED, "cue-gold")
    assert cued.question == "What is it? And the true answer is : B\nA cat\nB dog\nC hen\nLetter only."
    assert (said["template"], said["wording"], said["towards"], said["leads"]) == ("paper", 0, "B", "gold")
    assert made(YES_NO)[0].question == "Is there a cat? And the true answer is : no Please answer yes or no."


@pytest.mark.parametrize(
    ("position", "question"),
    [
        ("before", "And the true answer is : B What is it?\nA cat\nB dog\nC hen\nLetter only."),
        ("end", "What is it?\nA cat\nB dog\nC hen\nLetter only. And the true answer is : B"),
    ],
)
def test_other_positions(position, question):
    assert made(ASKED, "cue-gold", position=position)[0].question == question


def test_an_option_may_be_called_by_its_text_and_yes_and_no_are_what_they_are_called():
    assert "is : dog" in made(ASKED, "cue-gold", names="option")[0].question
    assert made(ASKED, "cue-gold", names="option")[1]["names"] == "dog"
    assert made(YES_NO, "cue-gold", names="option")[1]["names"] == "yes"


words = st.sampled_from(["cat", "dog ", "dog", "hen", "pig"])


@given(
    st.lists(words, min_size=2, max_size=6), st.integers(0, 5), st.integers(0, 99), st.sampled_from(["label", "option"])
)
def test_a_cue_that_is_to_mislead_never_names_the_right_answer(options, gold, seed, names):
    labels = tuple("ABCDEF"[: len(options)])
    sample = RawSample(f"s{seed}", "Which?", labels, labels[gold % len(labels)], options=tuple(options))
    found = made(sample, names=names, seed=seed)
    right = options[gold % len(labels)].strip() if names == "option" else sample.gold
    if isinstance(found, LeftOut):
        assert names == "option"
        assert {option.strip() for option in options} == {right}
    else:
        assert found[1]["towards"] in set(labels) - {sample.gold}
        assert found[1]["names"] != right


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (replace(ASKED, labels=("A",), gold="A"), "it has 1 labels, and a cue leads from one to another"),
        (replace(ASKED, labels=(), gold=""), "it has 0 labels"),
        (replace(ASKED, gold="D"), "its right answer 'D' is none of its labels"),
    ],
)
def test_what_cannot_be_cued_is_left_out_with_the_reason(sample, reason):
    assert reason in made(sample).reason


def test_every_wrong_answer_is_named_equally_often_and_by_all_wordings():
    cued = [made(replace(ASKED, sample_id=str(n)), template="assertion")[1] for n in range(600)]
    assert all(250 < count < 350 for count in Counter(said["towards"] for said in cued).values())
    wordings = Counter(said["wording"] for said in cued)
    assert sorted(wordings) == list(range(6))
    assert min(wordings.values()) > 60


def test_under_one_seed_all_families_lead_to_the_same_answer():
    many = [replace(ASKED, sample_id=str(n)) for n in range(30)]
    named = [[made(sample, template=family)[1]["towards"] for sample in many] for family in FAMILIES]
    assert all(one == named[0] for one in named)
    assert len(set(named[0])) == 2


def test_wordings_that_are_held_out_are_never_those_of_training():
    for name, family in FAMILIES.items():
        assert not set(family.trained) & set(family.held_out)
        assert all(wording.count("{0}") == 1 for wording in family.wordings), name
    parts = [set(chosen("authority+evidence", part)) for part in ("trained", "held-out", "mixed")]
    assert parts[0] | parts[1] == parts[2]
    assert not parts[0] & parts[1]
    assert (
        made(ASKED, "cue-gold", template="evidence", wording=3)[1]["cue"] == "Everything that is visible points to B."
    )
    assert made(ASKED, "cue-gold", template="evidence", wording="3")[1]["wording"] == 3


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"template": "papers"}, "template = 'papers'. Allowed: paper, assertion"),
        ({"template": "paper", "wording": "held-out"}, "wording = 'held-out', of which there is none"),
        ({"wording": 1}, "a number from 0 to 0"),
        ({"position": "top"}, "Allowed: after-question, before, end"),
        ({"names": "all"}, "Allowed: label, option"),
    ],
)
def test_mistakes_are_told_with_what_is_allowed(params, told):
    with pytest.raises(ConfigError, match=told):
        bind("cue-wrong", params)


def test_the_worlds_families_speak_the_words_that_the_tiny_models_know():
    from mmplat.world.vlm import vocabulary
    from mmplat.world.vlm import words as words_of

    known = set(vocabulary())
    for name in ("world-trained", "world-held-out", "world-more"):
        for wording in FAMILIES[name].wordings:
            assert set(words_of(wording.replace("{0}", " "))) <= known, wording


GRID = """
campaign: cues
models: [tiny]
suites:
  - name: world-objects
    params: {n: 24}
    conditions: [{name: cue-wrong, params: {template: world-trained}, as: wrong}]
decodings: [greedy, sample]
methods: [naive, {name: cue-contrast, params: {alpha: 0, beta: 0}}, cue-contrast]
"""


@pytest.fixture(scope="module")
def contrasted(tmp_path_factory):
    from mmplat.artifacts import Results

    return run_grid(GRID, Results(tmp_path_factory.mktemp("cued") / "results"))


def probs(ran, suite, method, decoding):
    runs = ran.table("runs").filter(suite=suite, method=method, decoding=decoding)
    rows = ran.table("predictions").filter(run_id=runs["run_id"][0])
    return np.array(rows["probs"].to_list())


def test_without_contrast_the_cue_is_not_there_and_with_it_it_is_pushed_against(contrasted):
    clean = probs(contrasted, "world-objects", "naive", "sample")
    cued, none, full = (
        probs(contrasted, "world-objects@wrong", method, "sample")
        for method in ("naive", "cue-contrast(alpha=0,beta=0)", "cue-contrast")
    )
    assert np.abs(none - clean).max() < 1e-5
    assert np.abs(cued - clean).max() > 0.2
    away = np.sign(cued[:, 0] - clean[:, 0]) * (full[:, 0] - clean[:, 0])
    assert (away < 1e-6).all()


def test_on_the_plain_suite_cue_contrast_says_why_it_does_not_apply(contrasted):
    (reason,) = {s.reason for s in contrasted.plan.skipped if s.suite == "world-objects"}
    assert reason.startswith("nothing was put into its questions, so there is no cue to contrast with")


def test_the_uncued_view_asks_what_was_asked_before_and_says_where_nothing_was(contrasted):
    from mmplat.preparing import load_samples

    folder = contrasted.results.suite("world-objects@wrong", contrasted.plan.grid.suites[1].key)
    plain = contrasted.results.suite("world-objects", contrasted.plan.grid.suites[0].key)
    kind, view = views.get("uncued"), bind_view("uncued")
    for cued, clean in zip(load_samples(folder), load_samples(plain), strict=True):
        assert cued.question != clean.question == kind.rewrite(cued, view.params, 0)
        assert kind.misfit(clean, view.params) == "nothing was put into its question, so it has no other without that"
