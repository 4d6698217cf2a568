"""What an answer says: our strict rule, and the rules of published scripts with every quirk that moves a score."""

import pytest

from mmplat.records import Sample
from mmplat.suites import catalog
from mmplat.suites._official import mme, mmmu, mmmu_short, pope, pope_substring
from mmplat.suites._parsing import strict


def asked(gold="yes", labels=("yes", "no"), options=(), key="k"):
    return Sample("1", key, "c", "q", options, labels, gold, ())


CHOICE = asked("B", ("A", "B", "C", "D"), ("a red car", "a dog", "$8", "none of these"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yes", "yes"),
        ("Yes.", "yes"),
        ("**No**", "no"),
        ("No, there is no dog.", "no"),
        ("  yes, there is one\n", "yes"),
        ("NO", "no"),
        ("The answer is yes.", "yes"),
        ("Answer: No", "no"),
        ("I looked twice. The answer is: **no**.", "no"),
        ("Not sure", None),  # a "no" to POPE's substring rule and to MME's four characters
        ("I know", None),
        ("notice", None),
        ("None", None),
        ("yes and no", None),
        ("Yes or no?", None),
        ("There is no dog.", None),  # says that there is none, but not that the answer is no
        ("The answer is yes. The answer is no.", None),
        ("unknown", None),
        ("yesterday", None),
        ("No-one knows", None),
        ("No one's there", "no"),
        ("", None),
        ("...", None),
    ],
)
def test_a_strict_yes_or_no_opens_the_answer_or_is_stated(text, said):
    assert strict(text, asked()) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("(b) a dog", "B"),
        ("B. a dog", "B"),
        ("B: a dog", "B"),
        ("B) a dog", "B"),
        ("B, because it barks", "B"),
        ("B\nIt barks.", "B"),
        ("The answer is B.", "B"),
        ("The correct answer is (C)", "C"),
        ("Answer: D", "D"),
        ("I would choose option C", "C"),
        ("It must be (C), I think.", "C"),
        ("a dog", "B"),
        ("A dog.", "B"),
        ("$8", "C"),
        ("A man is walking", None),  # the article; MMMU's rule reads A
        ("The answer is a mystery", None),
        ("The answer is A man", None),
        ("(A) or (B)", "A"),
        ("either (A) or (B)", None),
        ("A, B", None),
        ("E", None),
        ("(E) both", None),
        ("The answer is B. No, the answer is C.", None),
        ("dog", None),
        ("", None),
    ],
)
def test_a_strict_letter_stands_alone_in_brackets_or_before_a_stop(text, said):
    assert strict(text, CHOICE) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No", "no"),
        ("There is not one", "no"),
        ("Yes. There is no doubt", "yes"),  # only the first sentence counts
        ("No, there is none", "no"),  # commas are dropped
        ("NO", "yes"),
        ("no\n", "yes"),  # words are split at spaces alone
        ("", "yes"),
        ("I cannot tell", "yes"),
        ("unknown", "yes"),
        ("Is there anything? No!", "yes"),
    ],
)
def test_popes_own_rule_reads_everything_but_a_no_as_yes(text, said):
    assert pope(text, asked()) == said


@pytest.mark.parametrize(
    ("text", "if_yes_is_right", "if_no_is_right"),
    [
        ("Yes", "yes", "yes"),
        ("No", "no", "no"),
        ("not sure", "no", "no"),  # right where "no" is right
        ("I know", "no", "no"),
        ("garbage", "no", "yes"),  # wrong both ways, so the yes-ratio moves with the gold
        ("", "no", "yes"),
        ("yes and no", "yes", "no"),  # right both ways
        ("YESTERDAY", "yes", "yes"),
    ],
)
def test_the_substring_rule_looks_at_the_gold_answer_first(text, if_yes_is_right, if_no_is_right):
    assert pope_substring(text, asked("yes")) == if_yes_is_right
    assert pope_substring(text, asked("no")) == if_no_is_right


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes", "yes"),
        ("no.", "no"),
        ("Not sure", "no"),
        ("know", "no"),
        ("I know", None),  # the fifth character
        ("The answer is yes", None),
        (" yes", "yes"),
        ("  yes", None),
        ("", None),
        ("Unsure", None),
    ],
)
def test_mmes_rule_reads_the_first_four_characters(text, said):
    assert mme(text, asked()) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("B", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("'B'", "B"),
        ("A man is walking", "A"),  # the article
        ("(A) is wrong, it is (C)", "C"),  # the last one said
        ("C and (A)", "A"),  # brackets before letters
        ("A or B", "B"),
        ("It is clear to me that a dog barks", "B"),  # an option's text, in more than five words
        ("I see a dog and also a red car there", "A"),  # the option that is named last
        ("answer:B", None),
        ("a dog", None),  # five words or fewer: drawn
        ("", None),
    ],
)
def test_mmmus_rule_reads_brackets_then_letters_then_options_and_else_draws(text, said):
    drawn = {mmmu(text, asked("B", CHOICE.labels, CHOICE.options, key=str(key))) for key in range(60)}
    assert drawn == ({said} if said else set(CHOICE.labels))


def test_a_drawn_answer_is_the_same_each_time_whatever_was_drawn_before():
    assert mmmu("?", CHOICE) == mmmu("!", CHOICE) == mmmu("", CHOICE)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("12", True),
        ("12.0", True),
        ("The total is 12.", True),
        ("so we get 3 * 4 = 12", True),
        ("1,2", True),  # commas are dropped before a number is read
        ("112", False),
        ("It is twelve of them", True),  # within the tail of the sentence
        ("Twelve", True),
        ("12 is the number that I was asked for, not 13", False),  # only what follows "is" counts
        ("the answer is", False),
        ("", False),
    ],
)
def test_mmmus_rule_for_short_answers_reads_the_tail_of_a_sentence(text, right):
    assert mmmu_short(text, ["12", "twelve"]) is right


def test_single_letters_need_a_space_beside_them():
    assert mmmu_short("the letter x there", ["x"])
    assert not mmmu_short("xylophone", ["x"])


def test_short_answers_are_graded_both_ways():
    sample = Sample("1", "k", "c", "q", (), (), "", (), reference={"answers": ["12", "twelve"]})
    grade = catalog.get("mmmu-short").grade
    assert grade("It is twelve.", sample) == {"accuracy": (0, 1), "accuracy_official": (1, 1)}
    assert grade(" Twelve.", sample) == {"accuracy": (1, 1), "accuracy_official": (1, 1)}


def test_chair_counts_mentions_of_what_is_not_there():
    sample = Sample("1", "k", "c", "q", (), (), "", (), reference={"objects": ["person", "dog", "hot dog"]})
    grade = catalog.get("coco-captions").grade
    found = grade("Two men eat hot dogs on a bench, a cat and another cat beside the sofas.", sample)
    assert found == {"chair_i": (4, 6), "chair_s": (1, 1), "object_recall": (2, 3), "words": (16, 1)}
    assert grade("Nothing at all.", sample)["chair_i"] == (0, 0)  # no mention: undefined, not perfect


@pytest.mark.parametrize("kind", [n for n in catalog if catalog.get(n).official])
def test_every_official_rule_says_a_label_or_none(kind):
    sample = CHOICE if catalog.get(kind).positive is None else asked()
    for rule in catalog.get(kind).official.values():
        assert {rule(text, sample) for text in ("", "yes", "(B)", "no idea")} <= {None, *sample.labels}
