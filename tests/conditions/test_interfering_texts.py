"""Text before a question: drawn sentences, and descriptions of a wrong option."""

import json
import re
from collections import Counter
from dataclasses import replace
from importlib.resources import files

import pytest

from mmplat.conditions import applied, bind, identify
from mmplat.conditions._pools import POOLS, packaged
from mmplat.errors import ConfigError
from mmplat.samples import LeftOut, RawSample
from mmplat.suites import bind as bind_suite
from mmplat.suites import catalog as suites
from mmplat.world import texts, vlm

ASKED = RawSample(
    "1", "Which one?\nA cat\nB dog\nC hen", ("A", "B", "C"), "B", options=("cat", "dog", "hen"), stem="Which one?"
)
MANY = [replace(ASKED, sample_id=str(number)) for number in range(300)]


def made(name, sample, **params):
    return applied(bind(name, params), sample)


def test_the_pool_is_eighty_different_sentences_in_the_papers_structure():
    pool = packaged("facts.txt")
    assert len(pool) == len(set(pool)) == 80
    text = (files("mmplat.conditions") / "data" / "facts.txt").read_text()
    blocks = re.findall(r"^# (.+)\n((?:[^#].*\n)+)", text, re.M)
    assert [(name, len(lines.splitlines())) for name, lines in blocks] == [
        *((name, 10) for name in ("science", "history", "daily life", "random", "philosophy", "mathematics")),
        ("false claims", 20),
    ]


def test_ten_sentences_of_the_pool_stand_before_the_question_without_a_separator():
    under = made("unrelated-facts", ASKED)
    drawn = under.reference["condition"]["sentences"]
    pool = packaged("facts.txt")
    assert len(drawn) == 10
    assert under.question == " ".join(pool[number] for number in drawn) + ASKED.question


def test_sentences_are_drawn_with_replacement_and_evenly():
    drawn = [made("unrelated-facts", sample).reference["condition"]["sentences"] for sample in MANY]
    assert any(len(set(ten)) < 10 for ten in drawn)
    often = Counter(number for ten in drawn for number in ten)
    assert set(often) == set(range(80))
    assert max(often.values()) < 3 * min(often.values())


def test_separator_and_number_of_sentences_are_parameters_that_show_in_the_name():
    spec = bind("unrelated-facts", {"separator": "\n", "draws": 2})
    assert spec.name == "unrelated-facts(draws=2,separator=\n)"
    assert applied(spec, ASKED).question.endswith(f"\n{ASKED.question}")
    assert len(applied(spec, ASKED).reference["condition"]["sentences"]) == 2


def test_a_file_stands_in_for_the_pool_and_is_known_by_its_content(tmp_path):
    file = tmp_path / "pool.txt"
    file.write_text("# a comment\nOne.\n\n")
    spec = bind("unrelated-facts", {"file": str(file), "draws": 2})
    assert spec.name == "unrelated-facts(draws=2)"
    assert applied(spec, ASKED).question == f"One. One.{ASKED.question}"
    file.write_text("Another.\n")
    assert applied(spec, ASKED).question == f"Another. Another.{ASKED.question}"
    assert identify(spec) != spec.content


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pool": "fact"}, "has no pool 'fact'. Allowed: facts, forms, world, or a file"),
        ({"draws": 0}, "draws = 0. Allowed: a whole number from 1"),
        ({"file": "/nowhere/pool.txt"}, "there is no file /nowhere/pool.txt"),
    ],
)
def test_what_cannot_be_drawn_is_refused_while_planning(params, message):
    with pytest.raises(ConfigError, match=message):
        bind("unrelated-facts", params)


def test_a_file_without_sentences_is_refused(tmp_path):
    file = tmp_path / "pool.txt"
    file.write_text("# nothing\n")
    with pytest.raises(ConfigError, match="holds no sentence"):
        made("unrelated-facts", ASKED, file=str(file))


def test_the_worlds_pool_and_descriptions_are_in_words_that_the_tiny_models_know():
    known = set(vlm.vocabulary())
    assert len(set(texts.unrelated())) == len(POOLS["world"]()) == 80
    assert {word for sentence in texts.unrelated() for word in vlm.words(sentence)} <= known
    for name in ("world-objects", "world-spurious", "world-both"):
        for sample in suites.get(name).samples(bind_suite(name, limit=9)):
            assert set(sample.described) == set(sample.labels)
            assert {word for text in sample.described.values() for word in vlm.words(text)} <= known


def test_a_description_is_of_a_wrong_option_of_this_sample_every_one_equally_often():
    unders = [made("misleading-description", sample) for sample in MANY]
    often = Counter(under.reference["condition"]["describes"] for under in unders)
    assert set(often) == {"A", "C"}
    assert min(often.values()) > 110
    assert unders[0].question in {f"The picture seems to describe a {o}. {ASKED.question}" for o in ("cat", "hen")}
    assert unders[0].reference["condition"]["facts"] == "none"


@pytest.fixture
def facts(tmp_path):
    def write(**told):
        file = tmp_path / "facts.jsonl"
        file.write_text("".join(json.dumps({"option": option, "text": text}) + "\n" for option, text in told.items()))
        return str(file)

    return write


def test_sentences_about_the_option_follow_the_claim(facts):
    file = facts(Cat="Cats purr. They sleep a lot.", hen="Hens lay eggs. They peck.")
    under = made("misleading-description", ASKED, facts=file)
    described = under.reference["condition"]["describes"]
    told = {"A": "cat. Cats purr. They sleep a lot.", "C": "hen. Hens lay eggs. They peck."}[described]
    assert under.question == f"The picture seems to describe a {told} {ASKED.question}"
    assert under.reference["condition"]["facts"] == "file"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("It is chased by a Dog.", "it names the right answer, 'dog'"),
        ("The answer is A.", "it speaks of options by their letters"),
        ("See (C) above.", "it speaks of options by their letters"),
    ],
)
def test_sentences_that_give_an_answer_away_are_left_out(facts, text, why):
    under = made("misleading-description", ASKED, facts=facts(cat=text, hen=text))
    assert text not in under.question
    assert under.reference["condition"]["facts"] == f"left out: {why}"


def test_words_that_hold_the_right_answer_within_them_give_nothing_away(facts):
    under = made("misleading-description", ASKED, facts=facts(cat="Dogmas bore it.", hen="A option for dogmas."))
    assert under.reference["condition"]["facts"] == "file"


@pytest.mark.parametrize(
    "line", ['{"option": "cat"', '{"option": "cat"}', '["cat"]', "", '{"option": "Dog ", "text": "Woof."}']
)
def test_a_row_that_says_nothing_is_told_by_its_place(tmp_path, line):
    file = tmp_path / "facts.jsonl"
    file.write_text(f'{{"option": "dog", "text": "It barks."}}\n{line}\n')
    with pytest.raises(ConfigError, match=r"facts.jsonl:2: "):
        made("misleading-description", ASKED, facts=str(file))


def test_a_suite_says_what_its_labels_describe_where_options_do_not():
    (sample,) = suites.get("world-objects").samples(bind_suite("world-objects", limit=1))
    assert (sample.gold, sample.question) == ("yes", "Is there a fork?")
    under = made("misleading-description", sample)
    assert under.question == "We saw no fork here. The fork is on the road. Is there a fork?"
    assert under.reference["condition"] == {"describes": "no", "facts": "suite"}


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        (replace(ASKED, options=()), "its suite does not say what its labels describe"),
        (replace(ASKED, options=("dog", "dog", "dog")), "all of its options say the same"),
    ],
)
def test_a_sample_that_cannot_be_misled_is_left_out_with_the_reason(sample, why):
    left_out = made("misleading-description", sample)
    assert isinstance(left_out, LeftOut)
    assert why in left_out.reason


def test_an_option_that_repeats_the_right_one_is_not_wrong():
    sample = replace(ASKED, options=("dog", "dog", "hen"))
    assert {
        made("misleading-description", replace(sample, sample_id=str(n))).reference["condition"]["describes"]
        for n in range(20)
    } == {"C"}
