"""A suite is named by what its files hold: not by where they lie, and never by what they held before."""

import os
import shutil
import time
from pathlib import Path

import pytest
from benchmark_files import png, write_picture

from mmplat import sources as _sources
from mmplat.artifacts import Results
from mmplat.errors import ArtifactError, ConfigError
from mmplat.grid import parse_grid
from mmplat.plan import make_plan, read_plan, write_plan
from mmplat.preparing import load_samples, prepare
from mmplat.records import SuiteSpec
from mmplat.suites import bind

GRID = """
campaign: moved
models: [fake]
suites: [{{name: pope, params: {{path: {path}, images: {images}}}}}]
methods: [naive, posthoc-none]
"""


def moved(params, folder, other):
    shutil.copytree(folder, other)
    return {k: v.replace(str(folder), str(other)) for k, v in params.items()}


def test_the_same_files_elsewhere_are_the_same_suite(shelf, tmp_path):
    params = shelf.pope()
    one, two = bind("pope", params), bind("pope", moved(params, shelf.root, tmp_path / "elsewhere"))
    assert one.params != two.params
    assert (one.name, one.key) == (two.name, two.key) == ("pope", one.key)


def test_the_same_files_elsewhere_are_the_same_batch(shelf, tmp_path):
    params = shelf.pope()
    other = moved(params, shelf.root, tmp_path / "elsewhere")
    one, two = (make_plan(parse_grid(GRID.format(**p))) for p in (params, other))
    assert [b.key for b in one.batches] == [b.key for b in two.batches]


@pytest.mark.parametrize("what", ["a question", "an image"])
def test_changed_files_are_another_suite(shelf, what):
    params = shelf.pope()
    before = bind("pope", params).key
    if what == "a question":
        file = Path(params["path"]) / "coco" / "coco_pope_random.json"
        file.write_text(file.read_text().replace("thing 0", "thing X", 1))
    else:
        write_picture(Path(params["images"]) / "COCO_val2014_000000000001.png", 99)
    assert bind("pope", params).key != before


def test_an_image_that_nobody_asks_about_changes_nothing(shelf):
    params = shelf.pope()
    before = bind("pope", params).key
    write_picture(Path(params["images"]) / "another.png", 5)
    assert bind("pope", params).key == before


def test_parameters_and_limits_are_other_suites(shelf):
    params = shelf.pope()
    keys = {
        bind("pope", params).key,
        bind("pope", params, limit=3).key,
        bind("pope", {**params, "split": "random"}).key,
    }
    assert len(keys) == 3
    assert bind("pope", {**params, "split": "random"}).name == "pope(split=random)"


def test_a_suite_that_reads_nothing_keeps_the_key_it_had():
    spec = bind("world-objects", limit=6)
    assert spec.content is None
    assert set(spec.settings) == {"kind", "version", "params", "limit"}


def test_files_that_change_between_planning_and_preparing_are_noticed(shelf, results):
    params = shelf.pope()
    spec = bind("pope", params)
    write_picture(Path(params["images"]) / "COCO_val2014_000000000001.png", 99)
    with pytest.raises(ArtifactError, match="the files it reads changed since they were planned"):
        prepare(spec, results)
    assert prepare(bind("pope", params), results).exists()


def test_a_plan_is_read_back_when_its_data_are_gone(shelf, results):
    params = shelf.pope()
    plan = make_plan(parse_grid(GRID.format(**params)))
    path = write_plan(plan, results)
    done = prepare(plan.grid.suites[0], results)
    shutil.rmtree(shelf.root)
    again = read_plan(path)
    assert [b.key for b in again.batches] == [b.key for b in plan.batches]
    assert len(load_samples(done.parent)) == 54  # the prepared folder holds its own images


def test_what_is_to_be_prepared_follows_data_that_moved_until_it_is_prepared(shelf, results, tmp_path):
    params = shelf.pope()
    write_plan(make_plan(parse_grid(GRID.format(**params))), results)
    other = moved(params, shelf.root, tmp_path / "elsewhere")
    shutil.rmtree(shelf.root)
    plan = make_plan(parse_grid(GRID.format(**other)))
    write_plan(plan, results)
    path = results.suite_spec(plan.grid.suites[0].key)
    spec = SuiteSpec.model_validate_json(path.read_text())
    assert spec.params["path"] == other["path"]
    prepare(spec, results)
    before = path.stat().st_mtime_ns
    third = moved(other, tmp_path / "elsewhere", tmp_path / "third")
    write_plan(make_plan(parse_grid(GRID.format(**third))), results)
    assert path.stat().st_mtime_ns == before  # prepared: nothing is triggered


def test_files_are_hashed_once_and_again_when_they_change(shelf, monkeypatch):
    params = shelf.pope()
    old = time.time() - 60
    for file in shelf.root.rglob("*"):
        os.utime(file, (old, old))
    hashed = []
    monkeypatch.setattr(_sources, "file_id", lambda path: hashed.append(path) or _file_id(path))
    keys = [bind("pope", params).key for _ in range(3)]
    assert len(hashed) == 6  # three files of questions and three images, at the first time
    write_picture(Path(params["images"]) / "COCO_val2014_000000000001.png", 99)
    assert bind("pope", params).key != keys[0]


_file_id = _sources.file_id


def test_what_was_written_a_moment_ago_is_not_remembered(shelf):
    bind("pope", shelf.pope())
    assert not _sources.cache_folder().exists()


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(shelf, monkeypatch, tmp_path):
    params = shelf.pope()
    for file in shelf.root.rglob("*"):
        os.utime(file, (1, 1))
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-folder"))
    assert bind("pope", params).key == bind("pope", params).key


def test_planning_the_whole_of_pope_takes_less_than_a_second(shelf):
    params = shelf.pope(images=500)
    for file in shelf.root.rglob("*"):
        os.utime(file, (1, 1))
    first = bind("pope", params)
    began = time.process_time()  # of this process: a busy neighbour is no slow plan
    assert bind("pope", params).key == first.key
    assert make_plan(parse_grid(GRID.format(**params))).pairs[0].n == 9000
    assert time.process_time() - began < 1


def test_a_pinned_revision_names_the_content_of_a_dataset():
    one, two = (bind("mme", {"hub": "lmms-lab/MME", "revision": digit * 40}) for digit in "ab")
    assert one.name == two.name == "mme"
    assert one.key != two.key
    assert bind("mme", {"hub": "lmms-lab/MME", "revision": "a" * 40}).key == one.key


def test_a_dataset_is_read_through_datasets(shelf, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="the extra `data` is not installed")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", shelf.root / "cache")
    from mmplat.suites import _hub

    rows = [
        {"question_id": "OCR/1.jpg", "question": f"{n}?", "image": {"bytes": png(n), "path": None}} for n in range(3)
    ]
    features = datasets.Features(
        {"question_id": datasets.Value("string"), "question": datasets.Value("string"), "image": datasets.Image()}
    )
    datasets.Dataset.from_list(rows, features=features).to_parquet(str(shelf.root / "hub" / "test.parquet"))
    found = list(_hub.rows(str(shelf.root / "hub"), None, "test", None))
    assert [row.text("question") for row in found] == ["0?", "1?", "2?"]
    assert found[1].get("image")["bytes"] == png(1)
    assert found[1].place.endswith("default/test: row 2")
    with pytest.raises(ConfigError, match="split 'dev', revision None\\) cannot be loaded: "):
        list(_hub.rows(str(shelf.root / "hub"), None, "dev", None))


def test_a_dataset_saved_to_disk_is_read_like_its_tables(shelf, prepared):
    datasets = pytest.importorskip("datasets", reason="the extra `data` is not installed")
    rows = [
        {"question_id": "OCR/0001.jpg", "question": "Is it?", "answer": gold, "category": "OCR",
         "image": {"bytes": png(1), "path": None}} for gold in ("Yes", "No")
    ]  # fmt: skip
    datasets.Dataset.from_list(rows).save_to_disk(str(shelf.root / "saved"))
    samples, _ = prepared("mme", {"path": str(shelf.root / "saved")})
    assert [s.gold for s in samples] == ["yes", "no"]


def test_without_the_package_datasets_the_message_says_what_to_install(monkeypatch):
    import sys

    from mmplat.suites import _hub

    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        ConfigError, match=r"install `mmplat\[data\]`, or download the dataset and give its folder as `path`"
    ):
        list(_hub.rows("lmms-lab/MME", None, "test", "a" * 40))


def test_results_of_two_machines_meet(shelf, tmp_path):
    """Prepared here or there, the samples are the same."""
    params = shelf.pope()
    here = prepare(bind("pope", params), Results(tmp_path / "here"))
    there = prepare(bind("pope", moved(params, shelf.root, tmp_path / "elsewhere")), Results(tmp_path / "there"))
    assert here.parent.name == there.parent.name
    assert load_samples(here.parent) == load_samples(there.parent)
