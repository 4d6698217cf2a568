"""LLaVA-Instruct and TextCaps, in the layouts of their releases: what is trained on beside multiple choices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmplat.errors import ConfigError
from mmplat.records import Sample
from mmplat.suites import bind, catalog


def test_llava_instruct_is_the_first_turn_of_every_row_with_a_picture(shelf, prepared):
    samples, said = prepared("llava-instruct", shelf.llava_instruct())
    found = {one.sample_id: (one.question, one.reference["answer"], one.cluster) for one in samples}
    picture = "coco/train2017/000000033471.jpg"
    assert found == {
        "000000033471-1": ("What is 0?", "A 0.", picture),
        "000000033471-2": ("What is 1?", "A 1.", picture),
    }
    assert said["left_out"] == {"its first two turns are no question with its answer": ["VG_100K_2/2-4"]}


def test_textcaps_shows_a_picture_once_or_with_every_caption(shelf, prepared):
    (one, two), _ = prepared("textcaps", shelf.textcaps())
    assert {one.sample_id, two.sample_id} == {"a1-0", "b2-0"}
    every, _ = prepared("textcaps", {**shelf.textcaps(), "captions": "all"})
    told = {one.sample_id: one.reference["answers"] for one in every}
    assert told == {
        "a1-0": ["A sign of a1", "A red sign of a1"],
        "a1-1": ["A red sign of a1", "A sign of a1"],
        "b2-0": ["A bus of b2"],
    }
    assert {one.question for one in every} == {"Provide a one-sentence caption for the provided image."}
    assert {one.cluster for one in every} == {"a1", "b2"}


def test_a_limit_is_a_sample_of_everything_and_needs_no_other_picture(shelf, prepared):
    params = {**shelf.textcaps(), "captions": "all"}
    orders = {
        seed: [one.sample_id for one in prepared("textcaps", {**params, "seed": seed}, name=f"s{seed}")[0]]
        for seed in range(6)
    }
    assert len({tuple(order) for order in orders.values()}) > 1
    first_is_b = next(seed for seed, order in orders.items() if order[0] == "b2-0")
    (Path(params["images"]) / "a1.jpg").unlink()
    few, _ = prepared("textcaps", {**params, "seed": first_is_b}, name="few", limit=1)
    assert [one.sample_id for one in few] == ["b2-0"]
    with pytest.raises(ConfigError, match="2 images are missing|1 images are missing"):
        prepared("textcaps", params, name="whole")


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("llava-instruct", {"path": ""}, "path = '' is no file. Give the JSON file of the release"),
        ("textcaps", {"images": "nowhere"}, "images = 'nowhere' is no folder"),
        ("textcaps", {"captions": "some"}, "captions = 'some' is unknown. Allowed: first, all"),
        ("textcaps", {"hub": "lmms-lab/TextCaps"}, "hub"),
    ],
)
def test_what_is_wrong_with_their_parameters_is_said(shelf, prepared, kind, change, message):
    params = shelf.textcaps() if kind == "textcaps" else shelf.llava_instruct()
    with pytest.raises(ConfigError, match=message):
        prepared(kind, {**params, **change})


def test_a_file_of_another_kind_is_named(shelf, prepared):
    params = shelf.textcaps()
    Path(params["path"]).write_text(json.dumps({"questions": []}))
    with pytest.raises(ConfigError, match=r"TextCaps_0.1_train.json: there is no 'data'. The row has 'questions'"):
        prepared("textcaps", params)


def test_an_answer_shares_words_with_the_nearest_reference():
    reference = {"answer": "x", "answers": ["a red sign", "two buses"]}
    sample = Sample("1", "k", "c", "?", (), "", (), (), reference=reference)
    grade = catalog.get("llava-instruct").grade
    assert grade("A sign!", sample) == {"word_f1": (pytest.approx(2 * 2 / 5), 1), "words": (2, 1)}
    assert grade("", sample)["word_f1"] == (0, 1)


def test_what_they_hold_is_in_their_key(shelf):
    params = shelf.textcaps()
    before = bind("textcaps", params).key
    file = Path(params["path"])
    file.write_text(file.read_text().replace("A bus", "A car"))
    assert bind("textcaps", params).key != before
