"""Recipe files: every mistake by its place, what is drawn and how often, and what is in a training's key."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from mmplat.errors import ConfigError, UnknownName
from mmplat.models import bind as bind_model
from mmplat.recipes import CLEAN, Consistency, Losses, Recipe, bind, find
from mmplat.training.data import Batches, items_of, rows_of

SHIPPED = sorted(Path("config/recipes").glob("*.yaml"))
GOOD = {
    "data": [{"suite": {"name": "world-objects", "params": {"n": 12}}, "conditions": ["misleading-description"]}],
    "batch": {"image": 2},
    "optimiser": {"lr": 1e-3},
    "schedule": {"steps": 2},
}


def bound(tmp_path, **changes):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return bind(bind_model("tiny"), str(path))


def part(**changes):
    return [{**GOOD["data"][0], **changes}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": {}}, r"mine.yaml:\d+: unknown key 'optimizer'. Did you mean 'optimiser'\?"),
        ({"optimiser": {"lr": -1}}, r"mine.yaml:\d+: optimiser.lr = -1: .*greater than 0"),
        ({"schedule": {}}, r"give either epochs or steps"),
        ({"batch": {"text": 2}}, r"batch in .*mine.yaml:\d+ \(batch\) asks for items of text, and the data hold image"),
        (
            {"data": part(conditions=["black"])},
            r"Condition 'black' in .*mine.yaml.* changes the image, .*Allowed here: ",
        ),
        ({"data": part(suite="world-objekts")}, r"Unknown suite 'world-objekts' in .*mine.yaml.*world-objects"),
        ({"data": part(clean=0.5)}, r"shares are .*adding up to 1"),
        ({"data": part(target="answer")}, r"is closed, so its samples have none. Allowed: label, option"),
        ({"losses": {"consistency": {"kind": "mse"}}}, r"losses.consistency.kind = 'mse': .*'none', 'kl' or 'js'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_is_allowed(tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said):
        bound(tmp_path, **changes)


def test_an_unknown_recipe_is_answered_with_those_there_are():
    with pytest.raises(UnknownName, match=r"Did you mean .*'interference-kl'.*interference-augment"):
        find("interference-k")


def test_a_model_without_weights_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    with pytest.raises(ConfigError, match=r"has no weights to train. Families that have: .*llava"):
        bind(bind_model("fake"), str(path))


def test_the_key_holds_what_moves_weights_and_nothing_else(tmp_path):
    key = bound(tmp_path).key
    same = {"about": "x", "checkpoint_every": 7, "gradient_checkpointing": True, "needs": {"gpus": 4}}
    assert bound(tmp_path, **same).key == key
    for change in ({"seed": 1}, {"dtype": "bfloat16"}, {"lora": {"rank": 2}}, {"data": part(conditions=[])}):
        assert bound(tmp_path, **change).key != key
    assert str(tmp_path) not in bound(tmp_path).model.model_dump_json()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_say_what_they_are(path):
    text = path.read_text()
    assert text.startswith("# ")
    recipe = Recipe.model_validate(yaml.safe_load(text))
    assert recipe.about
    assert recipe.batch


@pytest.mark.parametrize("path", [p for p in SHIPPED if "world-" in p.read_text()], ids=lambda path: path.stem)
def test_shipped_recipes_of_the_world_bind_to_its_model(path):
    job = bind(bind_model("tiny"), path.stem)
    assert job.model.name == f"tiny+{path.stem}"
    assert job.suites


@pytest.fixture
def pool(job_of, place):
    """Items of the quick recipe by family, and its job."""

    def made(job):
        items = [item for one in job.data for item in items_of(one, place)]
        return {family: [item for item in items if item.family == family] for family in job.recipe.batch}

    return made


def test_an_epoch_shows_each_item_once_and_ends_with_the_shortest_family(job_of, pool):
    job = job_of()
    batches = Batches(pool(job), job)
    assert batches.per_epoch == min(24 // 2, 12 // 1)
    for epoch in range(2):
        rows = [row for number in range(12) for row in batches.rows(epoch * 12 + number)]
        shown = Counter((row.way.sample.sample_id, row.way.name) for row in rows)
        assert set(shown.values()) == {1}
        assert len(shown) == 2 * 24 + 2 * 12
    assert [r.way.sample.sample_id for r in batches.rows(0)] != [r.way.sample.sample_id for r in batches.rows(12)]


def test_processes_share_an_epoch(job_of, pool):
    job = job_of()
    both = [Batches(pool(job), job, process=at, processes=2) for at in range(2)]
    assert both[0].per_epoch == 6
    seen = [{r.way.sample.sample_id for n in range(6) for r in one.rows(n)} for one in both]
    assert not seen[0] & seen[1]


def test_a_recipe_that_asks_for_more_than_there_is_says_so(job_of, pool):
    job = job_of()
    few = {family: items[:1] for family, items in pool(job).items()}
    with pytest.raises(ConfigError, match=r"1 × .*'image': 2.* the data hold \{'image': 1, 'text': 1\}"):
        Batches(few, job)


def test_rows_of_an_item_are_the_clean_one_and_its_variants(job_of, pool):
    job = job_of()
    rows = Batches(pool(job), job).rows(0)
    assert [(row.item, row.way.name) for row in rows if row.family == "image"] == [
        (item, way.name) for item in (0, 1) for way in job.data[0].ways
    ]
    clean, varied = rows[0], rows[1]
    assert varied.way.sample.question.endswith(clean.way.sample.question)
    assert varied.answer == clean.answer == clean.way.sample.gold
    text = [row for row in rows if row.family == "text"]
    assert text[0].way.sample.question == text[1].way.sample.question
    assert text[0].way.sample.images != text[1].way.sample.images


def test_shares_draw_one_way_of_each_item(job_of, pool):
    cues = "[{name: cue-wrong, share: 0.3}, {name: cue-gold, share: 0.2}]\n    clean: 0.5"
    job = job_of(conditions=cues)
    item = pool(job)["image"][0]
    drawn = Counter(rows_of(item, 0, Losses(), seed)[-1].way.name for seed in range(2000))
    shares = {name: count / 2000 for name, count in drawn.items()}
    assert shares == pytest.approx({CLEAN: 0.5, "cue-wrong": 0.3, "cue-gold": 0.2}, abs=0.04)
    plain = rows_of(item, 0, Losses(), 3)
    assert len(plain) == 1
    compared = Losses(consistency=Consistency(kind="kl"))
    for seed in range(20):
        rows = rows_of(item, 0, compared, seed)
        assert rows[0].clean
        assert [row.weight for row in rows] == ([1.0] if len(rows) == 1 else [0.0, 1.0])
