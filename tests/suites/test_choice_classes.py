"""Pictures of classes as multiple choice: which options stand beside the right one, and what they are called."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from benchmark_files import png
from choice_files import CLASSES, ChoiceShelf

from mmplat.errors import ConfigError
from mmplat.suites import bind
from mmplat.suites.image_classes import COLLECTIONS


@pytest.fixture
def shelf(tmp_path):
    return ChoiceShelf(tmp_path / "data")


def by_id(samples):
    return {sample.sample_id: (sample.question, sample.gold) for sample in samples}


def test_a_picture_is_asked_about_with_its_class_and_others(shelf, prepared):
    samples, _ = prepared("caltech-101", shelf.caltech())
    assert len(samples) == 18
    for sample in samples:
        assert len(set(sample.options)) == 4
        assert sample.options[sample.labels.index(sample.gold)] == sample.groups["class"]
        assert sample.question.startswith("What type of object is in this photo?\nA. ")
        assert sample.cluster == sample.sample_id  # each picture stands alone
    car = next(s for s in samples if s.groups["class"] == "car side")
    names = {f"car_side/image_000{number}.jpg" for number in (1, 2, 3)}
    assert car.sample_id in {hashlib.md5(name.encode()).hexdigest() for name in names}


def test_the_wording_of_the_papers_figure_is_a_parameter(shelf, prepared):
    samples, _ = prepared("caltech-101", {**shelf.caltech(), "wording": "animal"})
    assert samples[0].question.startswith("Which animal is this picture classified as?\nA. ")
    with pytest.raises(ConfigError, match="wording = 'fish' is unknown. Allowed: object, animal"):
        bind("caltech-101", {**shelf.caltech(), "wording": "fish"})


@pytest.mark.parametrize("options", [2, 3, 5])
def test_the_number_of_options_is_a_parameter_and_makes_chance(shelf, prepared, options):
    samples, _ = prepared("caltech-101", {**shelf.caltech(), "options": options})
    assert {len(s.labels) for s in samples} == {options}


def test_neither_a_limit_nor_other_pictures_change_an_item(shelf, prepared):
    few = by_id(prepared("caltech-101", shelf.caltech(images=2))[0])
    limited = by_id(prepared("caltech-101", shelf.caltech(images=2), limit=5)[0])
    many = by_id(prepared("caltech-101", shelf.caltech(images=5))[0])
    assert (len(few), len(limited), len(many)) == (12, 5, 30)
    assert limited.items() <= few.items() <= many.items()


def test_a_limit_sees_more_than_the_first_class(shelf, prepared):
    samples, _ = prepared("caltech-101", shelf.caltech(images=8), limit=8)
    assert len({s.groups["class"] for s in samples}) >= 3


def test_another_seed_draws_other_options_for_the_same_pictures(shelf, prepared):
    one, two = (by_id(prepared("caltech-101", {**shelf.caltech(), "seed": seed})[0]) for seed in (0, 1))
    assert one.keys() == two.keys()
    assert one != two


def test_options_and_the_slot_of_the_right_one_are_uniform():
    """10,000 draws: each of 20 other classes and each of 4 slots as often as the others, within 4.5 standard deviations."""
    names = {f"c{n}": f"class {n}" for n in range(21)}
    spec = bind("world-objects").model_copy(update={"params": {"seed": 0, "options": 4}})
    slots, beside = Counter(), Counter()
    for number in range(10_000):
        options, slot = COLLECTIONS["mini-imagenet"].drawn("c7", f"picture {number}", names, spec)
        slots[slot] += 1
        beside.update(set(options) - {"class 7"})
    for counts, share, cells in ((slots, 1 / 4, 4), (beside, 3 / 20, 20)):
        deviation = np.sqrt(10_000 * share * (1 - share))
        assert len(counts) == cells
        assert max(abs(count - 10_000 * share) for count in counts.values()) < 4.5 * deviation


def test_caltechs_clutter_and_cropped_faces_are_left_out_and_counted(shelf, prepared):
    params = shelf.caltech((*CLASSES, "BACKGROUND_Google", "Faces", "Faces_easy"), images=2)
    samples, said = prepared("caltech-101", params)
    offered = {option for sample in samples for option in sample.options}
    assert "Faces" in offered
    assert not {"BACKGROUND Google", "Faces easy"} & offered
    assert {reason: len(ids) for reason, ids in said["left_out"].items()} == {
        "it shows whatever a search gave: clutter is no class": 2,
        "it is a photo of the class Faces, cut out": 2,
    }


def test_a_head_is_no_wrong_answer_to_its_animal(shelf, prepared):
    samples, _ = prepared("caltech-101", shelf.caltech(images=12))
    of = {sample.sample_id: sample.groups["class"] for sample in samples}
    asked = [s for s in samples if of[s.sample_id].startswith("crocodile")]
    assert not any({"crocodile", "crocodile head"} <= set(s.options) for s in asked)
    assert any({"crocodile", "crocodile head"} & set(s.options) for s in samples if s not in asked)


def test_food_reads_the_list_of_its_split(shelf, prepared):
    params = shelf.food()
    assert len(prepared("food-101", params)[0]) == 4
    assert len(prepared("food-101", {**params, "split": "train"})[0]) == 12
    with pytest.raises(
        ConfigError, match=r"split = 'validation' has no list in .*There are meta/train.txt, meta/test.txt"
    ):
        bind("food-101", {**params, "split": "validation"})


def test_what_a_list_names_must_be_there(shelf, prepared):
    params = shelf.food()
    (Path(params["path"]) / "images" / "pho" / "0.jpg").unlink()
    with pytest.raises(
        ConfigError, match=r"1 images are missing; the first is .*pho/0.jpg, asked about in .*test.txt:3"
    ):
        prepared("food-101", params)
    (Path(params["path"]) / "meta" / "test.txt").write_text("apple_pie/0\npho")
    with pytest.raises(ConfigError, match=r"test.txt:2: a line is class/file, not 'pho'"):
        bind("food-101", params)


def test_an_empty_list_is_no_permission_to_read_everything(shelf):
    params = shelf.food()
    (Path(params["path"]) / "meta" / "test.txt").write_text("")
    with pytest.raises(ConfigError, match=r"meta/test.txt names no picture of a class .*`path` is the released folder"):
        bind("food-101", params)


def test_mini_imagenet_calls_wordnet_ids_by_their_names(shelf, prepared):
    samples, _ = prepared("mini-imagenet", shelf.mini_imagenet())
    assert {s.groups["class"] for s in samples} == {"house finch", "golden retriever", "frying pan", "trifle"}


@pytest.mark.parametrize(
    "said",
    [
        {"n01532829": "house_finch", "n02099601": "golden_retriever", "n03400231": "frying_pan", "n07613480": "trifle"},
        {"12": ["n01532829", "house_finch"], "207": ["n02099601", "golden_retriever"], "567": ["n03400231", "frying_pan"],
         "927": ["n07613480", "trifle"]},
    ],
)  # fmt: skip
def test_names_may_be_json(shelf, prepared, said):
    params = shelf.mini_imagenet()
    names = shelf.root / "names.json"
    names.write_text(json.dumps(said))
    assert prepared("mini-imagenet", {**params, "names": str(names)})[0] == prepared("mini-imagenet", params)[0]


def test_names_are_part_of_the_key_and_their_place_is_not(shelf, tmp_path):
    params = shelf.mini_imagenet()
    before, text = bind("mini-imagenet", params).key, Path(params["names"]).read_text()
    other = tmp_path / "elsewhere.txt"
    other.write_text(text)
    assert bind("mini-imagenet", {**params, "names": str(other)}).key == before
    other.write_text(text.replace("trifle", "pudding"))
    assert bind("mini-imagenet", {**params, "names": str(other)}).key != before


def test_a_wordnet_id_is_no_name(shelf):
    params = shelf.mini_imagenet()
    with pytest.raises(
        ConfigError, match="4 classes have no name but a number or a WordNet id; the first is 'n01532829'. Give `names`"
    ):
        bind("mini-imagenet", {**params, "names": ""})
    Path(params["names"]).write_text("n01532829 house finch\n")
    with pytest.raises(ConfigError, match="3 classes have no name .*LOC_synset_mapping.txt does not name them"):
        bind("mini-imagenet", params)
    with pytest.raises(ConfigError, match="names = '/no/such' is no file. It says what classes are called"):
        bind("mini-imagenet", {**params, "names": "/no/such"})


def test_two_classes_of_one_name_are_refused(shelf):
    """ImageNet has a crane that flies and one that lifts."""
    params = shelf.mini_imagenet()
    Path(params["names"]).write_text("n01532829 crane\nn02099601 Crane, lifting\nn03400231 pan\nn07613480 trifle\n")
    with pytest.raises(ConfigError, match="the classes 'n01532829' and 'n02099601' are both called 'Crane'"):
        bind("mini-imagenet", params)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (7, "options = 7: from 2 to 5 are possible with these 6 classes"),
        (6, "options = 6: from 2 to 5"),  # beside a crocodile there are four classes that are none
        (1, "options = 1: from 2 to 5"),
        ("four", "options = 'four': from 2 to 5"),
    ],
)
def test_more_options_than_classes_are_refused(shelf, options, message):
    with pytest.raises(ConfigError, match=message):
        bind("caltech-101", {**shelf.caltech(), "options": options})


def test_a_folder_per_split_is_read_too(shelf, prepared):
    params = shelf.caltech()
    folder = Path(params["path"])
    (folder / "101_ObjectCategories").rename(folder / "test")
    assert len(prepared("mini-imagenet", params)[0]) == 18


def test_a_table_calls_its_classes_by_the_names_that_it_carries(shelf, prepared):
    rows = [(label, 10 * label + n) for label in range(5) for n in range(4)]
    params = shelf.class_table(rows, ["apple_pie", "baklava", "pho", "ramen", "tacos"])
    samples, _ = prepared("food-101", params)
    assert len(samples) == 20
    assert samples[0].sample_id == hashlib.md5(b"apple_pie/1").hexdigest()
    assert all(s.options[s.labels.index(s.gold)] == s.groups["class"] for s in samples)
    limited, _ = prepared("food-101", params, limit=6)
    assert len(limited) == 6
    assert len({s.groups["class"] for s in limited}) >= 3  # the table is sorted by class, a limit is not
    assert by_id(limited).items() <= by_id(samples).items()


def test_labels_of_a_table_may_be_words(shelf, prepared):
    rows = [
        {"image": {"bytes": png(n), "path": None}, "label": name} for n, name in enumerate(("ant", "bee", "cat", "dog"))
    ]
    shelf.parquet("words/test.parquet", rows)
    samples, _ = prepared("mini-imagenet", {"path": str(shelf.root / "words")})
    assert {s.groups["class"] for s in samples} == {"ant", "bee", "cat", "dog"}


def test_a_label_that_a_table_keeps_to_itself_is_no_class(shelf, prepared):
    """-1 is no index from the end."""
    params = shelf.class_table([(0, 1), (1, 2), (-1, 3)], ["ant", "bee", "cat"])
    with pytest.raises(ConfigError, match="1 classes have no name but a number or a WordNet id; the first is '-1'"):
        prepared("mini-imagenet", {**params, "options": 2})


def test_what_a_table_cannot_be_asked_about_is_left_out(shelf, prepared):
    names = ["background_google", "faces", "faces_easy", "ant", "bass", "crab"]
    samples, said = prepared("caltech-101", shelf.class_table([(n, n) for n in range(6)], names))
    assert sorted(s.groups["class"] for s in samples) == ["ant", "bass", "crab", "faces"]
    assert sum(len(ids) for ids in said["left_out"].values()) == 2


def test_datasets_names_the_classes_of_its_rows(shelf):
    datasets = pytest.importorskip("datasets", reason="the extra `data` is not installed")
    from mmplat.suites import _hub

    features = datasets.Features({"label": datasets.ClassLabel(names=["ant", "bee"]), "image": datasets.Image()})
    rows = [{"label": n % 2, "image": {"bytes": png(n), "path": None}} for n in range(3)]
    folder = shelf.root / "hub"
    datasets.Dataset.from_list(rows, features=features).to_parquet(str(folder / "test.parquet"))
    found = list(_hub.rows(str(folder), None, "test", None))
    assert [row.text("label") for row in found] == ["ant", "bee", "ant"]
    only = list(_hub.rows(str(folder), None, "test", None, ["label"]))
    assert [dict(row.data) for row in only] == [{"label": "ant"}, {"label": "bee"}, {"label": "ant"}]


def test_a_picture_that_is_no_picture_is_named(shelf, prepared):
    params = shelf.caltech()
    victim = Path(params["path"]) / "101_ObjectCategories" / "lotus" / "image_0002.jpg"
    victim.write_bytes(victim.read_bytes()[:60])
    with pytest.raises(ConfigError, match=r"lotus/image_0002.jpg: its image cannot be read .* Is it cut off"):
        prepared("caltech-101", params)


def test_a_dataset_saved_to_disk_names_its_classes_too(shelf, prepared):
    datasets = pytest.importorskip("datasets", reason="the extra `data` is not installed")
    features = datasets.Features(
        {"label": datasets.ClassLabel(names=["ant", "bee", "cat", "dog"]), "image": datasets.Image()}
    )
    rows = [{"label": n, "image": {"bytes": png(n), "path": None}} for n in range(4)]
    datasets.Dataset.from_list(rows, features=features).save_to_disk(str(shelf.root / "saved"))
    samples, _ = prepared("mini-imagenet", {"path": str(shelf.root / "saved")})
    assert {s.groups["class"] for s in samples} == {"ant", "bee", "cat", "dog"}
