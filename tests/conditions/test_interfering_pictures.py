"""Another picture in the image's place, or none."""

from dataclasses import replace

import numpy as np
import pytest
from builders import run_grid
from PIL import Image

from mmplat.conditions import applied, bind, catalog
from mmplat.errors import ConfigError
from mmplat.grid import parse_grid
from mmplat.plan import make_plan
from mmplat.samples import RawSample

PICTURE = np.zeros((20, 30, 3), np.uint8)
ASKED = RawSample("1", "Where does Anna live?", ("A", "B"), "A", images=(PICTURE,))
MANY = [replace(ASKED, sample_id=str(number)) for number in range(200)]
PAINTED = [name for name in catalog if catalog.get(name).images]


def made(name, sample, **params):
    return applied(bind(name, params), sample)


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize(
    ("images", "size", "expected"),
    [
        ((PICTURE,), "same", [(20, 30, 3)]),
        ((), "same", [(336, 336, 3)]),
        ((PICTURE,), 48, [(48, 48, 3)]),
        ((PICTURE, np.zeros((9, 8, 3), np.uint8)), "same", [(20, 30, 3), (9, 8, 3)]),
    ],
)
def test_a_picture_has_the_samples_own_size_or_the_one_that_is_asked_for(name, images, size, expected):
    under = made(name, replace(ASKED, images=images), size=size)
    assert [picture.shape for picture in under.images] == expected


def test_random_pixels_are_drawn_evenly_and_out_of_a_pool():
    under = [made("random-pixels", sample, pictures=5, size=64) for sample in MANY]
    assert len({sample.images[0].tobytes() for sample in under}) == 5
    pixels = under[0].images[0]
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert pixels.mean() == pytest.approx(127.5, abs=3)
    counts = np.bincount(pixels.ravel(), minlength=256)
    assert ((counts - 48) ** 2 / 48).sum() < 350, "chi-square of 255 degrees of freedom"


def test_screens_and_scenes_are_many_and_flat_pictures_are_flat():
    for name in ("screenshots", "irrelevant-image"):
        assert len({made(name, sample, size=32).images[0].tobytes() for sample in MANY}) > 50
    assert made("black", ASKED).images[0].max() == 0
    assert made("white", ASKED).images[0].min() == 255


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    for name, value in (("b.png", 10), ("below/a.jpg", 200)):
        Image.fromarray(np.full((16, 24, 3), value, np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


@pytest.mark.parametrize("name", ["irrelevant-image", "screenshots"])
def test_a_folder_of_images_is_a_pool_known_by_its_content(name, folder, tmp_path_factory):
    under = [made(name, sample, folder=str(folder)) for sample in MANY]
    assert {sample.images[0].shape for sample in under} == {(16, 24, 3)}
    assert {sample.reference["condition"]["pictures"][0] for sample in under} == {"b.png", "below/a.jpg"}
    spec = bind(name, {"folder": str(folder)})
    assert spec.name == name
    moved = folder.rename(tmp_path_factory.mktemp("elsewhere") / "pool")
    assert bind(name, {"folder": str(moved)}).settings == spec.settings
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(moved / "c.png")
    assert bind(name, {"folder": str(moved)}).settings != spec.settings


def test_a_broken_image_and_an_empty_folder_are_told_by_name(folder):
    (folder / "b.png").write_bytes(b"no image")
    (folder / "below" / "a.jpg").unlink()
    with pytest.raises(ConfigError, match=r"Image .*b.png cannot be read"):
        made("irrelevant-image", ASKED, folder=str(folder))
    with pytest.raises(ConfigError, match=r"'screenshots'.*there is no image below .*nothing"):
        bind("screenshots", {"folder": str(folder / "nothing")})


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("black", {"size": 4}, "size = 4. Allowed: a whole number from 8, or same"),
        ("random-pixels", {"pictures": 0}, "pictures = 0. Allowed: a whole number from 1"),
        ("random-pixels", {"pictures": "same"}, "pictures = 'same'. Allowed: a whole number from 1"),
        ("no-image", {"size": 4}, "has no parameter size"),
    ],
)
def test_sizes_that_no_picture_has_are_refused(name, params, message):
    with pytest.raises(ConfigError, match=message):
        bind(name, params)


@pytest.mark.parametrize(
    ("suite", "condition"),
    [
        ("world-objects", "irrelevant-image"),
        ("world-facts", "unrelated-facts"),
        ("world-both", "random-pixels"),
        ("world-both", "misleading-description"),
    ],
)
def test_what_decides_is_never_changed(suite, condition):
    with pytest.raises(
        ConfigError, match=rf"Condition '{condition}' in grid:3 .* where the answers of suite '{suite}'"
    ):
        parse_grid(f"campaign: c\nmodels: [fake]\nsuites: [{{name: {suite}, conditions: [{condition}]}}]\n")


GRID = """
campaign: c
models: [tiny]
suites: [{name: world-facts, limit: 6, conditions: [no-image, random-pixels]}]
methods: [naive, posthoc-none]
"""


def test_questions_are_asked_without_a_picture_and_methods_that_need_one_are_left_out_with_the_reason(results):
    plan = make_plan(parse_grid(GRID))
    assert {(skip.suite, skip.method) for skip in plan.skipped} == {("world-facts@no-image", "posthoc-none")}
    ran = run_grid(GRID, results)
    decided = ran.table("runs").group_by("suite").len()
    assert dict(decided.iter_rows()) == {"world-facts": 2, "world-facts@random-pixels": 2, "world-facts@no-image": 1}
    assert ran.value(suite="world-facts@no-image", method="naive") > 0.9
