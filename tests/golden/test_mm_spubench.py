"""MM-SpuBench as no other harness ships it: nine made-up questions, what must be asked of them, and what must come out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmplat.artifacts import Results
from mmplat.diagnostics.cgla import Phrases, cgla_reconstructed
from mmplat.metrics import Answered, summarise
from mmplat.metrics.summary import CellAnswers
from mmplat.preparing import load_metadata, load_samples, prepare
from mmplat.spurious import SPURIOUS, TYPES, labels_with
from mmplat.suites import bind
from mmplat.suites import catalog as suites

HERE = Path(__file__).parent / "mm_spubench"
ROWS = json.loads((HERE / "annotation.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The fixture with images, whose content no golden figure depends on."""
    root = tmp_path_factory.mktemp("spubench")
    shutil.copy(HERE / "annotation.json", root)
    (root / "data" / "images").mkdir(parents=True)
    for row in ROWS:
        Image.new("RGB", (4, 4), (20 * row["id"], 0, 0)).save(root / "data" / "images" / f"{row['id']:06}.png")
    return root


@pytest.fixture(scope="module")
def prepared(folder, tmp_path_factory):
    def made(kind, **params):
        place = prepare(bind(kind, {"path": str(folder), **params}), Results(tmp_path_factory.mktemp("r"))).parent
        return load_samples(place), load_metadata(place)

    return made


@pytest.mark.parametrize("prompt", ["letter-after", "letter-before"])
def test_the_prompts_are_those_of_the_two_public_harnesses(prepared, prompt):
    sample = prepared("mm-spubench", prompt=prompt)[0][0]
    assert sample.question == (HERE / f"{prompt}.txt").read_text().removesuffix("\n")


def test_every_annotation_becomes_one_sample(prepared):
    samples, about = prepared("mm-spubench")
    assert [s.sample_id for s in samples] == [f"{n:06}" for n in range(9)]
    assert "".join(s.gold for s in samples) == "CADBAABCA"
    assert [s.groups["type"] for s in samples] == list(TYPES)
    assert about["left_out"] == {}
    assert about["groups"]["source"] == {
        "ImageNet-A": 1, "ImageNet-C": 1, "ImageNet-R": 2, "ImageNet-Sketch": 1, "ObjectNet": 4,
    }  # fmt: skip
    assert samples[1].reference["roles"] == ["core", "spurious", "neutral", "neutral"]


def test_phrases_are_labels_core_first(prepared):
    samples, _ = prepared("mm-spubench-attributes", prompt="class")
    assert samples[2].question == (
        "The picture shows a brush. Which attribute in the picture makes it one? Answer with a short phrase."
    )
    assert samples[2].labels == ("bristles", "plate", "sink", "paper")
    assert samples[1].reference["roles"] == ["core", "core", "spurious"]


def numbers(samples, probs):
    """All numbers of one cell by (metric, subset)."""
    gold = np.array([s.labels.index(s.gold) for s in samples])
    answered = Answered(probs, 1 - probs.sum(axis=1), gold, None, labels_with(SPURIOUS, samples, 4))
    found = summarise([CellAnswers(answered, answered)], samples, (("type",),), named=suites.get("mm-spubench").metrics)
    return {(one.metric, one.subset): one for one in found}


def always(letter, n=9):
    return np.tile(np.eye(4)["ABCD".index(letter)], (n, 1))


def test_a_model_that_always_says_a_is_right_as_often_as_a_is(prepared):
    found = numbers(prepared("mm-spubench")[0], always("A"))
    assert found["accuracy", "all"].value == pytest.approx(4 / 9)
    assert found["macro_accuracy", "all"].value == pytest.approx(4 / 9)
    assert found["spurious_selection", "all"].value == pytest.approx(5 / 9)


def test_letters_that_speak_for_nothing_are_no_spurious_selection(prepared):
    found = numbers(prepared("mm-spubench")[0], always("C"))
    assert found["accuracy", "all"].value == pytest.approx(2 / 9)
    assert found["spurious_selection", "all"].value == pytest.approx(6 / 9)  # question 1: C is neutral


def test_macro_counts_every_type_once_and_lies_between_worst_and_best(prepared):
    samples, _ = prepared("mm-spubench")
    repeats = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    many = [s for s, times in zip(samples, repeats, strict=True) for _ in range(times)]
    rng = np.random.default_rng(0)
    found = numbers(many, np.eye(4)[rng.integers(0, 4, len(many))])
    each = [found["accuracy", f"type={kind}"].value for kind in TYPES]
    macro, worst, gap = (
        found[key] for key in (("macro_accuracy", "all"), ("accuracy", "worst:type"), ("type_gap", "all"))
    )
    assert macro.value == pytest.approx(np.mean(each))
    assert macro.value != pytest.approx(found["accuracy", "all"].value)
    assert worst.value == min(each) <= macro.value <= max(each)
    assert gap.value == pytest.approx(max(each) - min(each))
    for one in (macro, worst, gap):
        assert one.low <= one.value <= one.high


def phrases(*log_probs, tokens=((2, 1, 3, 5),)):
    return Phrases(np.array(log_probs, float), np.array(tokens, float))


CORE, SIDE = np.array([[True, True, False, False]]), np.array([[False, False, True, True]])


def test_equally_likely_attributes_give_no_advantage():
    same = phrases([-2, -1, -3, -5])  # −1 per token
    assert cgla_reconstructed(same, CORE, SIDE)[0] == 0
    assert cgla_reconstructed(phrases([-4, -4, -4, -4]), CORE, SIDE, per_token=False)[0] == 0
    assert cgla_reconstructed(same, CORE, SIDE, blind=same)[0] == 0


def test_the_advantage_is_the_difference_of_the_means():
    said = phrases([-2, -2, -6, -10])
    assert cgla_reconstructed(said, CORE, SIDE)[0] == pytest.approx((-1 - 2) / 2 - (-2 - 2) / 2)
    assert cgla_reconstructed(said, CORE, SIDE, per_token=False)[0] == pytest.approx(-2 - -8)
    blind = phrases([-4, -2, -6, -5])
    assert cgla_reconstructed(said, CORE, SIDE, blind=blind)[0] == pytest.approx((1 + 0) / 2 - (0 - 1) / 2)


def test_a_constant_for_every_token_leaves_the_normalised_form_alone_and_moves_the_summed_one():
    said = phrases([-2, -2, -6, -10])
    moved = Phrases(said.log_probs - 0.5 * said.tokens, said.tokens)
    for blind in (None, phrases([-4, -2, -6, -5])):
        one, other = (cgla_reconstructed(p, CORE, SIDE, blind=blind)[0] for p in (said, moved))
        assert one == pytest.approx(other)
    summed, after = (cgla_reconstructed(p, CORE, SIDE, per_token=False)[0] for p in (said, moved))
    assert after - summed == pytest.approx(-0.5 * (1.5 - 4))


def test_a_sample_without_either_kind_or_with_an_unknown_phrase_has_no_advantage():
    said = phrases([-2, -2, -6, np.nan])
    assert np.isnan(cgla_reconstructed(said, CORE, SIDE)[0])
    assert np.isnan(cgla_reconstructed(said, CORE, np.zeros_like(SIDE))[0])
    only_three = np.array([[False, False, True, False]])
    assert cgla_reconstructed(said, CORE, only_three)[0] == pytest.approx(-1.5 - -2)
