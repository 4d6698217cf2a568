"""MMHal-Bench: its file as released, tables of it, and what is refused."""

import json
from pathlib import Path

import pytest
from benchmark_files import png

from mmplat.errors import ConfigError
from mmplat.suites import bind, catalog


def test_the_release_gives_the_judge_its_references_and_the_types_are_groups(shelf, prepared):
    samples, said = prepared("mmhal-bench", shelf.mmhal())
    assert len(samples) == said["images"] == 16
    assert samples[1].reference == {"answer": "It is 1.", "context": "Cat, Thing 1"}
    assert samples[1].groups == {"type": "adversarial", "topic": "food"}
    assert (samples[1].sample_id, samples[1].question, samples[1].labels) == ("002", "What is 1?", ())
    assert {s.groups["type"] for s in samples} == {
        *("attribute", "adversarial", "comparison", "counting", "relation", "environment", "holistic", "other")
    }
    assert "16 samples, published are 96" in said["differs_from_published"][0]


def test_images_are_found_by_address_and_by_id(shelf, prepared):
    samples, _ = prepared("mmhal-bench", shelf.mmhal())
    assert [s.cluster for s in samples[:3]] == ["0_o.jpg", "id1.jpg", "2_o.jpg"]


def test_tables_with_the_same_columns_give_the_same_questions(shelf, prepared):
    rows = [{**row, "image": {"bytes": png(n), "path": None}} for n, row in enumerate(shelf.mmhal_rows())]
    shelf.parquet("table/test-00000-of-00001.parquet", rows)
    of_file, _ = prepared("mmhal-bench", shelf.mmhal())
    of_table, _ = prepared("mmhal-bench", {"path": str(shelf.root / "table")}, name="table")
    for one, other in zip(of_file, of_table, strict=True):
        assert (one.question, one.reference, one.groups) == (other.question, other.reference, other.groups)


def test_a_missing_image_and_a_row_without_its_answer_are_named_by_their_place(shelf, prepared):
    params = shelf.mmhal()
    (Path(params["path"]) / "images" / "id3.jpg").unlink()
    with pytest.raises(ConfigError, match=r"1 images are missing; the first is .*3_o\.jpg, asked about in .*: row 4"):
        prepared("mmhal-bench", params, name="missing")
    rows = shelf.mmhal_rows()
    del rows[2]["gt_answer"]
    (Path(params["path"]) / "response_template.json").write_text(json.dumps(rows))
    with pytest.raises(ConfigError, match=r"response_template\.json: row 3: there is no 'gt_answer'"):
        bind("mmhal-bench", params)


def test_little_is_good_where_hallucinations_are_counted():
    suite = catalog.get("mmhal-bench")
    assert suite.rubric == "alone-0-6"
    assert set(suite.small_is_good) == {"hallucination_rate", "judge_failed"}
