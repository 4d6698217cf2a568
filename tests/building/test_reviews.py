"""What people decide: append-only, the last word counts, and what is released follows from it."""

import json
import re
import threading

import pytest
from known_scenes import SIGNS

from mmplat.building import STAGES, run
from mmplat.building.reviews import Reviews
from mmplat.errors import ArtifactError, ConfigError
from mmplat.suites import bind
from mmplat.suites.base import catalog


def annotations(bench, **changes):
    build = bench.build(**changes)
    run(STAGES["release"], build)
    rows = json.loads((build.release / "annotation.json").read_text())
    return {row["item"]: row for row in rows}


def test_what_passed_waits_until_somebody_decides(drafted):
    reviews = drafted.reviews()
    waiting = reviews.pending()
    assert {item.about.image.label for item in waiting} == {"camel", "seal", "bat"}
    assert {item.about.image.label for item in reviews.rejected()} == {"heron"}
    first, second, *rest = waiting
    reviews.decide(first.item_id, "accept", who="Ann")
    reviews.decide(second.item_id, "reject", who="Ben", note="blurred")
    assert [item.item_id for item in reviews.pending()] == [item.item_id for item in rest]
    assert [item.item_id for item in reviews.accepted()] == [first.item_id]
    assert reviews.picture(first).is_file()


def test_the_last_decision_counts_and_the_history_stays(drafted):
    reviews = drafted.reviews()
    item = reviews.pending()[0]
    reviews.decide(item.item_id, "accept", who="Ann")
    before = reviews.build.reviews.read_bytes()
    reviews.decide(item.item_id, "reject", who="Ben", note="the sign\u2028is hidden")
    assert reviews.build.reviews.read_bytes().startswith(before), "nothing is ever rewritten"
    history = Reviews(reviews.build).history(item.item_id)
    assert [(one.who, one.verdict, one.note) for one in history] == [
        ("Ann", "accept", ""),
        ("Ben", "reject", "the sign\u2028is hidden"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", one.when) for one in history)
    assert reviews.accepted() == []
    assert reviews.standing()[item.item_id].verdict == "reject"


def test_an_edit_is_released_in_its_words_with_its_roles(drafted):
    reviews = drafted.reviews()
    item = reviews.pending()[0]
    options = [f"{option.text}, in the corner" if option.role == "core" else option.text for option in item.options]
    reviews.decide(item.item_id, "edit", who="Ann", question=" By what would you know it? ", options=options)
    (row,) = annotations(drafted).values()
    assert row["question"] == "By what would you know it?"
    assert row["choices"] == options
    assert row["review"] == "edit"
    right = row["choices"]["ABCD".index(row["answer"])]
    assert right in {f"{sign}, in the corner" for sign in SIGNS}
    assert row["roles"][row["choices"].index(right)] == "core"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"question": "Is it a {label}?"}, "is not kept. leak: the question says"),
        ({"question": "  "}, "is not kept. a text is empty"),
        ({"options": ["a", "b", "c"]}, "all 4 options in their order, not 3"),
        ({"options": ["a red thing", "the red thing", "b", "c"]}, "is not kept. duplicate: options"),
        ({}, "An edit gives another question or other options"),
    ],
)
def test_an_edit_is_checked_at_once_by_its_words(drafted, said, message):
    reviews = drafted.reviews()
    item = reviews.pending()[0]
    if "question" in said:
        said = {"question": said["question"].format(label=f"{item.about.image.label}s")}
    with pytest.raises(ConfigError, match=message):
        reviews.decide(item.item_id, "edit", who="Ann", **said)
    assert reviews.history() == []


@pytest.mark.parametrize(
    ("verdict", "said", "message"),
    [
        ("accept", {"who": "  "}, "needs the name of who decides"),
        ("maybe", {"who": "Ann"}, "A decision is accept, edit, reject, not 'maybe'"),
        ("accept", {"who": "Ann", "question": "Why?"}, "and no other decision does"),
    ],
)
def test_an_odd_decision_is_refused(drafted, verdict, said, message):
    reviews = drafted.reviews()
    with pytest.raises(ConfigError, match=message):
        reviews.decide(reviews.pending()[0].item_id, verdict, **said)
    with pytest.raises(ConfigError, match="There is no item 'x' in build 'birds'"):
        reviews.decide("x", "accept", who="Ann")


def test_a_person_outranks_the_checks_and_the_card_counts_it(drafted):
    reviews = drafted.reviews()
    rescued = reviews.rejected()[0]
    reviews.decide(rescued.item_id, "accept", who="Ann")
    assert rescued.item_id not in {item.item_id for item in reviews.rejected()}
    (row,) = annotations(drafted).values()
    assert row["against_checks"] is True
    card = json.loads((drafted.build().release / "card.json").read_text())
    assert card["review"]["against_checks"] == 1


def test_a_decision_belongs_to_the_words_that_were_seen(drafted):
    reviews = drafted.reviews()
    ids = [item.item_id for item in reviews.pending()]
    for name in ids:
        reviews.decide(name, "accept", who="Ann")
    drafted.draft(seed=5)  # by another writer, with another order of options
    changed = drafted.reviews(seed=5)
    assert changed.pending()
    assert len(changed.history()) == len(ids), "what was decided is kept"
    drafted.draft()
    assert not set(ids) & {item.item_id for item in drafted.reviews().pending()}, (
        "as they were is as they were accepted"
    )


def test_people_who_decide_at_the_same_moment_lose_nothing(drafted):
    item = drafted.reviews().pending()[0]

    def decide(n):
        Reviews(drafted.build()).decide(item.item_id, "accept", who=f"reviewer {n}")

    threads = [threading.Thread(target=decide, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.who for one in drafted.reviews().history()} == {f"reviewer {n}" for n in range(12)}


def test_a_broken_decision_is_told_and_not_skipped(drafted):
    reviews = drafted.reviews()
    reviews.decide(reviews.pending()[0].item_id, "accept", who="Ann")
    with reviews.build.reviews.open("a") as stream:
        stream.write('{"item_id": \n')
    with pytest.raises(ArtifactError, match="holds what is no decision"):
        reviews.pending()


def test_without_an_accepted_item_there_is_no_release(drafted):
    with pytest.raises(ConfigError, match=r"Nothing of build 'birds' is accepted: \d+ items wait .*unreviewed: true"):
        annotations(drafted)


def test_only_accepted_items_are_released_unless_the_build_says_otherwise(drafted):
    reviews = drafted.reviews()
    accepted, rejected, *waiting = (item.item_id for item in reviews.pending())
    reviews.decide(accepted, "accept", who="Ann")
    reviews.decide(rejected, "reject", who="Ann")
    assert set(annotations(drafted)) == {accepted}
    more = annotations(drafted, release={"unreviewed": True})
    assert set(more) == {accepted, *waiting}
    assert {row["review"] for name, row in more.items() if name != accepted} == {"unreviewed"}
    readme = (drafted.build().release / "README.md").read_text()
    assert f"**{len(waiting)} of {len(more)} items were reviewed by nobody.**" in readme


def test_another_decision_makes_another_release_without_images_of_the_old_one(drafted):
    reviews = drafted.reviews()
    first, second, *_ = (item.item_id for item in reviews.pending())
    for name in (first, second):
        reviews.decide(name, "accept", who="Ann")
    assert set(annotations(drafted)) == {first, second}
    reviews.decide(first, "reject", who="Ann")
    assert set(annotations(drafted)) == {second}
    release = drafted.build().release
    assert [path.name for path in (release / "data" / "images").iterdir()] == ["000000.png"]
    assert (release / "data/images/000000.png").read_bytes() == reviews.picture(
        next(item for item in reviews.items() if item.item_id == second)
    ).read_bytes()


def test_the_card_counts_what_is_there_and_says_what_a_number_does_not(drafted):
    reviews = drafted.reviews()
    for item in reviews.pending():
        reviews.decide(item.item_id, "accept", who="Ann")
    rows = annotations(drafted, images={"licence": "CC0"})
    build = drafted.build()
    card = json.loads((build.release / "card.json").read_text())
    assert card["items"] == len(rows) == sum(card["types"].values()) == sum(card["letters"].values())
    steps = ("images", "mistaken", "kept", "described", "written", "passed", "released")
    funnel = [card["funnel"][step] for step in steps]
    assert funnel == sorted(funnel, reverse=True)
    assert card["funnel"]["passed"] == card["items"]
    assert card["rejected"] == {"several right answers": len(reviews.rejected())}
    assert card["licence"] == "CC0"
    assert card["sources"] == {"the world": card["items"]}
    assert card["review"]["reviewers"] == {"Ann": card["items"]}
    assert {name: one["version"] for name, one in card["models"].items()} == {"describe": 1, "write": 1, "check": 1}
    assert card["zero_shot"]["revision"] == build.record("select")["by"]["revision"]
    stages = [card["costs"][name]["requests"] for name in ("describe", "write", "check")]
    assert card["costs"]["total"]["requests"] == sum(stages) == 3 * card["funnel"]["kept"]
    readme = (build.release / "README.md").read_text()
    for words in (
        "Selection: every image is one that the zero-shot model",
        "Affinity:",
        "Not seen by the automatic checks:",
    ):
        assert words in readme
    assert "Every item was reviewed." in readme
    spec = bind("mm-spubench", {"path": str(build.release)})
    assert len(list(catalog.get("mm-spubench").samples(spec))) == card["items"]
