import numpy as np
import polars as pl
import pytest

from mmplat.errors import ArtifactError, ConfigError
from mmplat.preparing import load_metadata, load_picture, load_samples, picture_name, prepare
from mmplat.records import SuiteSpec
from mmplat.suites import RawSample, Suite, bind, catalog

PICTURE = np.zeros((4, 6, 3), np.uint8)


def made_of(monkeypatch, samples, **settings):
    """A suite that yields these samples."""
    catalog._load()
    monkeypatch.setitem(
        catalog._items, "made", Suite("made", "", 1, lambda spec: iter(samples), lambda spec: None, **settings)
    )
    return SuiteSpec(name="made", kind="made", version=1)


def sample(number, **changes):
    settings = {"sample_id": str(number), "question": f"is it {number}?", "labels": ("yes", "no"), "gold": "yes"}
    return RawSample(**{**settings, **changes})


def test_equal_images_are_stored_once_and_named_by_their_pixels(results, monkeypatch):
    spec = made_of(monkeypatch, [sample(1, images=(PICTURE,)), sample(2, images=(PICTURE.copy(),))])
    folder = prepare(spec, results).parent
    assert [p.name for p in (folder / "images").iterdir()] == [picture_name(PICTURE)]
    assert np.array_equal(load_picture(folder, picture_name(PICTURE)), PICTURE)
    assert load_metadata(folder)["images"] == 1


def test_the_content_of_a_suite_decides_its_content_id_and_nothing_else(results, monkeypatch, tmp_path):
    from mmplat.artifacts import Results

    spec = made_of(monkeypatch, [sample(1), sample(2)])
    one = load_metadata(prepare(spec, results).parent)["content_id"]
    assert load_metadata(prepare(spec, Results(tmp_path / "b")).parent)["content_id"] == one
    spec = made_of(monkeypatch, [sample(1), sample(2, gold="no")])
    assert load_metadata(prepare(spec, Results(tmp_path / "c")).parent)["content_id"] != one


def test_a_limit_cuts_a_suite_that_knows_no_limits(results, monkeypatch):
    spec = made_of(monkeypatch, [sample(i) for i in range(9)])
    folder = prepare(spec.model_copy(update={"limit": 4}), results).parent
    assert len(load_samples(folder)) == 4


@pytest.mark.parametrize(
    ("samples", "settings", "message"),
    [
        ([sample(1), sample(1)], {}, "one sample id to several"),
        ([sample(1, gold="maybe")], {}, "gold 'maybe' is none of"),
        ([sample(1, labels=("A", "B"), gold="A")], {"positive": "yes"}, "the positive label 'yes' is none of"),
        ([], {}, "holds no sample"),
    ],
)
def test_a_suite_that_would_be_scored_wrong_in_silence_is_refused(results, monkeypatch, samples, settings, message):
    with pytest.raises(ConfigError, match=message):
        prepare(made_of(monkeypatch, samples, **settings), results)
    assert not list(results.root.rglob("suite.json"))


def test_a_defect_of_a_suite_says_behind_which_sample_it_is(results, monkeypatch):
    def broken(after):
        yield from (sample(i) for i in range(after))
        raise KeyError("answer")

    for after, where in ((2, "the one behind '1'"), (0, "the first")):
        with pytest.raises(KeyError) as caught:
            prepare(made_of(monkeypatch, broken(after)), results)
        assert caught.value.__notes__ == [f"Suite 'made' could not make its samples: this happened at {where}."]


def test_a_broken_samples_file_names_the_folder_to_delete(results):
    folder = prepare(bind("world-objects", limit=6), results).parent
    (folder / "samples.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactError, match="Delete the folder .* and run `mmplat prepare` again"):
        load_samples(folder)


def test_preparing_twice_does_nothing(results):
    done = prepare(bind("world-objects", limit=6), results)
    before = done.stat().st_mtime_ns
    assert prepare(bind("world-objects", limit=6), results).stat().st_mtime_ns == before
    assert pl.read_parquet(done.parent / "samples.parquet", glob=False).height == 6
