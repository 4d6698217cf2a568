"""Images, tables and builds as people give them: read, or refused with what is wrong, where, and what to do."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from known_scenes import CLASSES
from PIL import Image

from mmplat.building import load_build
from mmplat.building.items import Picture, read_lines
from mmplat.building.settings import parse_build
from mmplat.errors import ArtifactError, ConfigError, ModelError


def pictures(build):
    return read_lines(build.lines("read"), Picture, made_by="x")


def test_a_table_says_the_same_as_folders(bench):
    import polars as pl

    by_folder = pictures(bench.run("read"))
    rows = [{"file": one.file, "class": one.label, "source": "set A"} for one in by_folder]
    folder = bench.folder / "images"
    pl.DataFrame(rows).write_csv(folder / "labels.csv")
    pl.DataFrame(rows).write_parquet(bench.folder / "labels.parquet")
    for images in (
        {"path": str(folder / "labels.csv")},
        {"path": str(bench.folder / "labels.parquet"), "root": str(folder)},
    ):
        by_table = pictures(bench.run("read", images=images))
        assert [one.model_copy(update={"source": "the world"}) for one in by_table] == by_folder
        assert {one.source for one in by_table} == {"set A"}


def test_classes_that_look_like_numbers_keep_their_names(bench):
    images = sorted((bench.folder / "images").rglob("*.png"))
    lines = [f"{path.relative_to(bench.folder)},{'007' if n % 2 else '7'}" for n, path in enumerate(images)]
    table = bench.folder / "labels.csv"
    table.write_text("\n".join(["file,class", *lines]))
    assert {one.label for one in pictures(bench.run("read", images={"path": str(table)}))} == {"007", "7"}


def test_equal_images_are_one_and_two_classes_for_one_image_are_refused(bench):
    heron = next((bench.folder / "images" / "heron").iterdir())
    shutil.copy(heron, heron.with_name("copy.png"))
    counts = bench.run("read").record("read")["counts"]
    assert (counts["images"], counts["duplicates"]) == (20, 1)
    shutil.copy(heron, bench.folder / "images" / "bat" / "copy.png")
    with pytest.raises(ConfigError, match=r"is the same image as .*, and one is .*'heron'"):
        bench.run("read")


def test_images_that_cannot_be_read_are_counted_and_listed(bench):
    broken = bench.folder / "images" / "seal" / "broken.jpg"
    broken.write_bytes(b"no image")
    cut = next((bench.folder / "images" / "bat").iterdir())
    cut.write_bytes(cut.read_bytes()[:400])
    counts = bench.run("read", "select").record("select")["counts"]
    assert counts["images"] == 19
    assert [line.split(":")[0] for line in sorted(counts["unreadable"])] == [f"bat/{cut.name}", "seal/broken.jpg"]


def test_an_image_that_is_gone_is_an_error_and_no_broken_image(bench):
    build = bench.run("read")
    next((bench.folder / "images" / "heron").iterdir()).unlink()
    with pytest.raises(ArtifactError, match="is gone since it was listed. `mmplat spubench read` lists what is there"):
        bench.run("select")
    bench.run("read")
    assert build.record("read")["counts"]["images"] == 19


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,class\na.png,x\n", "has no column 'file'; it has 'name', 'class'"),
        ("file,class\na.png,\n", "row 1 has no class. Complete or remove it"),
        ("file,class\na.png,x\nb.png,y\n", "2 of 2 images are missing; the first is .*a.png. Is images.root"),
        ("file,class\n", "holds 0 images of 0 classes; a mistaken image needs two classes"),
        ("file,class\na.png,x\nb.png,x\n", "holds 2 images of 1 classes"),
    ],
)
def test_a_wrong_table_is_told_by_what_is_wrong_in_it(bench, table, message):
    path = bench.folder / "labels.csv"
    path.write_text(table)
    with pytest.raises(ConfigError, match=message):
        bench.run("read", images={"path": str(path)})


def test_a_place_without_images_is_told(bench):
    with pytest.raises(
        ConfigError, match=r"images.path = 'nowhere' does not exist. Give a folder with a folder per class"
    ):
        bench.run("read", images={"path": "nowhere"})
    (bench.folder / "notes.txt").write_text("file,class")
    with pytest.raises(ConfigError, match=r"is no table that can be read: .csv, .parquet"):
        bench.run("read", images={"path": str(bench.folder / "notes.txt")})
    Image.new("RGB", (4, 4)).save(bench.folder / "images" / "loose.png")
    with pytest.raises(ConfigError, match=r"loose.png lies in no class's folder"):
        bench.run("read")


def test_names_of_classes_that_are_none_and_names_given_twice_are_refused(bench):
    with pytest.raises(ConfigError, match=r"names 1 classes that no image has, such as 'hern'. Classes: bat, camel"):
        bench.run("read", images={"names": {"hern": ["heron"]}})
    with pytest.raises(ConfigError, match="Two classes are called 'bat', so nothing tells them apart"):
        bench.run("read", images={"names": {"seal": ["bat"]}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"build": "a b"}, r"b.yaml:\d+: build = 'a b'"),
        ({"sead": 1}, r"b.yaml:\d+: unknown key 'sead'. Did you mean 'seed'"),
        ({"images": {"pth": "x"}}, r"unknown key 'pth'. Did you mean 'path'"),
        ({"select": {"prompts": ["a photo"]}}, r"needs one {} for the class"),
        ({"select": {"model": "some/where"}}, r"'some/where' in b.yaml:\d+ .select.model. needs a `revision` of 40 hex digits"),
        ({"select": {"model": "./no/folder"}}, r"There is no checkpoint folder './no/folder' in b.yaml:\d+"),
        ({"writer": {"params": {"model": "m"}}}, r"The writer in b.yaml:\d+ .writer.: .*params.url: Field required"),
        ({"writer": {"params": {"url": "http://x/v1", "model": "m", "system": "Hi"}}}, "params.system, which mean nothing for a"),
        ({"checker": {"params": {"url": "x", "model": "m"}}}, r"The checker in b.yaml:\d+ .*a URL such as"),
        ({"images": {"names": {"bat": []}}}, "Class 'bat' in b.yaml.* has no name"),
        ({"check": {"overlap": 0}}, "check.overlap = 0"),
    ],
)  # fmt: skip
def test_a_wrong_build_is_told_with_its_line_before_anything_is_read(bench, changes, message):
    with pytest.raises(ConfigError, match=message):
        parse_build(yaml.safe_dump(bench.said(**changes)), "b.yaml")


def test_the_example_is_a_build():
    spec = load_build(Path("config/spubench/example.yaml"))
    assert spec.names("n02105855") == ["Shetland sheepdog", "sheltie"]
    assert spec.names("sea_lion") == ["sea lion"]
    assert spec.writes.params["model"] != spec.checks.params["model"]


def test_weights_that_are_no_safetensors_and_networks_that_embed_nothing_are_refused(bench, clip, tmp_path):
    from checkpoints_a import llava

    pickled = tmp_path / "pickled"
    shutil.copytree(clip, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded from .* failed: OSError"):
        bench.run("read", "select", select={"model": str(pickled)})
    other = tmp_path / "llava"
    llava(other)
    with pytest.raises(ModelError, match="embeds no images and texts. Give CLIP or a relative of it"):
        bench.run("read", "select", select={"model": str(other)})


def test_several_prompts_are_averaged(clip):
    import numpy as np

    from mmplat.models.zero_shot import ZeroShot

    encoder = ZeroShot(str(clip))
    texts = [[f"a photo of a {name}.", f"a {name}."] for name in CLASSES]
    both, single = encoder.classes(texts), [encoder.classes([[text] for text in pair]) for pair in texts]
    mean = np.stack([pair.mean(axis=0) for pair in single])
    assert np.allclose(both, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-6)
    assert np.allclose(np.linalg.norm(both, axis=1), 1, atol=1e-6)


def test_an_image_of_which_the_model_gives_no_number_is_no_mistake(tmp_path):
    """NaN is the largest to argmax: such an image would be kept as mistaken for whatever class it stood at."""
    from mmplat.building.selecting import NO_NUMBER, _scored

    class Overflows:
        def images(self, pictures):
            return np.array([[np.nan, 0.0], [0.0, 1.0]], np.float32)[: len(pictures)]

    pictures = []
    for name in ("a", "b"):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{name}.png")
        pictures.append(Picture(image_id=name, file=f"{name}.png", label="cat", source=""))
    found = {
        one.image_id: one
        for one in _scored(pictures, tmp_path, ["cat", "dog"], np.eye(2, dtype=np.float32), Overflows())
    }
    assert found["a"].unreadable == NO_NUMBER
    assert (found["b"].predicted, found["b"].unreadable) == ("dog", None)
