"""From images to a suite: every stage over real HTTP and a real CLIP, cached by content, resumed after a kill."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
import yaml
from builders import run_grid
from endpoint.chat_server import fails, slowly, where
from known_scenes import CLASSES, LOOKS, SIGNS, pixels_of

from mmplat.building import STAGES, builds, open_build, prompts, run
from mmplat.building.images import opened
from mmplat.building.items import Described, Item, Mistaken, Picture, read_lines, write_lines
from mmplat.errors import ArtifactError, Busy, ConfigError, ModelError
from mmplat.models.endpoint.budget import BudgetSpent
from mmplat.preparing import load_metadata, load_picture, load_samples, prepare
from mmplat.spurious import TYPES
from mmplat.suites import bind

COST = 250
"""Tokens of one reply of the server in these tests."""


def told(text):
    """What the world calls an option: phrases of the scene are unique."""
    return next(((kind, looks.index(text)) for kind, looks in LOOKS.items() if text in looks), None)


def test_a_folder_of_images_becomes_a_suite_that_the_harness_asks(make_bench):
    bench = make_bench(60)
    build = bench.draft(release={"unreviewed": True})
    run(STAGES["release"], build)
    spec = bind("mm-spubench", {"path": str(build.release)})
    folder = prepare(spec, bench.results).parent
    samples = load_samples(folder)
    assert load_metadata(folder)["left_out"] == {}
    assert len(samples) == build.record("select")["counts"]["mistaken"] > 30
    assert {sample.groups["source"] for sample in samples} == {"the world"}
    assert len({sample.groups["type"] for sample in samples}) > 5
    for sample in samples:
        scene = bench.writer.scenes[pixels_of(load_picture(folder, sample.images[0]))]
        assert sample.options["ABCD".index(sample.gold)] == SIGNS[scene.klass]
        assert Counter(sample.reference["roles"]) == {"core": 1, "spurious": 3}
        wrong = [told(option) for option in sample.options if option not in SIGNS]
        assert len(wrong) == 3, "three options are built on spurious attributes"
        assert all(scene.attributes[TYPES.index(kind)] == value for kind, value in wrong), "which are true of the image"
        assert sample.groups["type"] in {kind for kind, _ in wrong}
    attributes = bind("mm-spubench-attributes", {"path": str(build.release)})
    assert len(load_samples(prepare(attributes, bench.results).parent)) == len(samples)


def test_a_release_goes_through_a_grid_to_the_metrics_of_the_suite(bench):
    build = bench.draft(release={"unreviewed": True})
    run(STAGES["release"], build)
    suite = {"name": "mm-spubench", "params": {"path": str(build.release)}}
    grid = {"campaign": "mine", "models": ["fake"], "suites": [suite], "methods": ["naive", "vdd-none"]}
    ran = run_grid(yaml.safe_dump(grid), bench.results)
    assert set(ran.table("runs")["status"]) == {"done"}
    assert set(ran.table("runs")["n"]) == {build.record("release")["counts"]["items"]}
    found = set(ran.table("metrics")["metric"])
    assert {"accuracy", "macro_accuracy", "spurious_selection"} <= found
    wrong = ran.value(metric="spurious_selection", method="naive")
    assert wrong == pytest.approx(1 - ran.value(metric="accuracy", method="naive")), (
        "every wrong option is a spurious one"
    )


def test_what_is_kept_are_the_mistakes_of_the_encoder_and_misleading_attributes_cause_them(make_bench):
    """By chance a quarter of the attributes would be those of the mistaken class."""
    bench = make_bench(120)
    build = bench.run("read", "select")
    kept = read_lines(build.lines("select"), Mistaken, made_by="x")
    counts = build.record("select")["counts"]
    assert len(kept) == counts["mistaken"] == round(counts["images"] * (1 - counts["accuracy"]))
    shares = []
    for one in kept:
        assert one.label != one.predicted
        assert one.similarity > one.similarity_label
        scene = bench.writer.scenes[pixels_of(np.asarray(opened(build.images / one.image)))]
        assert CLASSES[scene.klass] == one.label
        shares.append(np.mean(np.array(scene.attributes) == CLASSES.index(one.predicted)))
    low = np.mean(shares) - 2.6 * np.std(shares) / np.sqrt(len(shares))
    assert low > 0.25, (np.mean(shares), len(shares))


def test_the_same_command_again_does_nothing_and_contacts_nobody(bench):
    build = bench.draft(release={"unreviewed": True})
    run(STAGES["release"], build)
    files = {path: path.stat().st_mtime_ns for path in build.folder.rglob("*") if path.is_file()}
    contacts = len(bench.endpoint.headers)
    again = [run(stage, build) for stage in STAGES.values()]
    assert all(ran.known for ran in again)
    assert len(bench.endpoint.headers) == contacts
    unlocked = {path for path in files if path.name != ".lock"}
    assert {path: path.stat().st_mtime_ns for path in unlocked} == {path: files[path] for path in unlocked}


def test_only_what_follows_from_a_change_is_done_again(bench):
    bench.draft()
    sent = bench.sent()
    build = bench.draft(check={"ask": False})
    assert bench.sent() == sent
    assert build.record("check")["by"] == {}
    bench.draft(images={"names": {"bat": ["bat", "flying fox"]}})
    assert bench.sent() == sent, "another synonym is put into no prompt"
    bench.draft(
        writer={"params": {"url": bench.endpoint.url, "model": "writer", "max_cost": 9, "price_in": 1, "price_out": 1}}
    )
    assert bench.sent() == sent, "a cap changes no reply"
    bench.draft(images={"names": {"bat": ["flying fox"]}})
    assert bench.sent() > sent


def test_another_version_of_a_prompt_is_asked_anew_and_the_old_replies_stay(bench, monkeypatch):
    build = bench.draft()
    sent, before = bench.sent(), build.record("write")
    other = dataclasses.replace(prompts.CHECK, version=99, system="You check.")
    monkeypatch.setattr(prompts, "CHECK", other)
    bench.draft()
    assert bench.sent() == sent + before["counts"]["written"]
    assert build.record("check")["by"]["version"] == 99
    assert build.record("write") == before


def test_the_order_of_options_is_drawn_by_the_seed_and_asks_nothing_anew_but_the_check(bench):
    first = {item.item_id: [option.text for option in item.options] for item in (bench.draft(), bench.items())[1]}
    sent = bench.sent()
    bench.draft(seed=1)
    second = {item.item_id: [option.text for option in item.options] for item in bench.items()}
    assert first != second
    assert {name: sorted(texts) for name, texts in first.items()} == {n: sorted(t) for n, t in second.items()}
    assert sent < bench.sent() <= sent + len(first)


def command(*words):
    return [sys.executable, "-c", "from mmplat.cli.app import main; main()", "spubench", *map(str, words)]


def test_a_build_that_is_killed_goes_on_and_pays_nothing_twice(bench):
    """Killed while the writer describes, and again while it writes: within stages and between them."""
    file = bench.file(writer={"params": {"url": bench.endpoint.url, "model": "writer", "concurrency": 1}})
    bench.run("read", "select")  # so that the processes need no torch
    for stage, mark in (("describe", "took it for"), ("write", "A picture shows")):
        asked = where(lambda body, mark=mark: mark in json.dumps(body), slowly(0.3))
        bench.endpoint.always = asked
        before = bench.sent()
        job = subprocess.Popen(command("build", file, "--results", bench.results.root), stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        while count_of(bench, mark) < 4 and time.monotonic() < deadline and job.poll() is None:
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
        job.communicate()
        assert bench.sent() > before
        assert not (bench.results.build("birds") / f"{stage}.json").exists()
    bench.endpoint.always = None
    build = bench.draft()
    sent = [json.dumps(body) for body in bench.endpoint.bodies]
    assert len(sent) - len(set(sent)) <= 2, "at most what was on its way when a job died"
    assert build.record("check")["counts"]["passed"] == build.record("select")["counts"]["kept"]


def count_of(bench, mark):
    return sum(mark in json.dumps(body) for body in list(bench.endpoint.bodies))


def test_a_selection_that_is_killed_scores_no_finished_part_again(bench, monkeypatch):
    from mmplat.building import selecting
    from mmplat.models.zero_shot import ZeroShot

    monkeypatch.setattr(selecting, "PART", 4)
    scored, images = [], ZeroShot.images

    def interrupted(self, pictures):
        if len(scored) == 3:
            raise KeyboardInterrupt
        scored.append(len(pictures))
        return images(self, pictures)

    monkeypatch.setattr(ZeroShot, "images", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.run("read", "select")
    assert sum(scored) == 12
    monkeypatch.setattr(
        ZeroShot, "images", lambda self, pictures: scored.append(len(pictures)) or images(self, pictures)
    )
    build = bench.run("read", "select")
    assert sum(scored) == 20, "each image once"
    monkeypatch.setattr(selecting, "PART", 256)
    whole = build.lines("select").read_text()
    (build.folder / "select.json").unlink()
    bench.run("select")
    assert build.lines("select").read_text() == whole


def test_an_image_that_moves_to_another_class_is_scored_anew(bench):
    before = read_lines(bench.run("read", "select").lines("select"), Mistaken, made_by="x")
    wrong = before[0]
    (file,) = [
        one.file
        for one in read_lines(bench.build().lines("read"), Picture, made_by="x")
        if one.image_id == wrong.image_id
    ]
    images = bench.folder / "images"
    shutil.move(images / file, images / wrong.predicted / "moved.png")
    after = read_lines(bench.run("read", "select").lines("select"), Mistaken, made_by="x")
    assert after == before[1:]


def test_a_limit_keeps_a_draw_of_the_seed_and_not_the_worst_mistakes(bench):
    kept = read_lines(bench.run("read", "select", select={"per_class": 2}).lines("select"), Mistaken, made_by="x")
    assert max(Counter(one.label for one in kept).values()) == 2
    five = read_lines(bench.run("select", select={"limit": 5}).lines("select"), Mistaken, made_by="x")
    other = read_lines(bench.run("select", select={"limit": 5}, seed=3).lines("select"), Mistaken, made_by="x")
    assert len(five) == len(other) == 5
    assert {one.image_id for one in five} != {one.image_id for one in other}


def test_what_is_shown_is_scaled_down_once_and_named_by_what_it_was(bench):
    assert sizes(bench.run("read", "select", select={"longest_side": 16})) == {(16, 16)}
    assert sizes(bench.run("read", "select")) == {(32, 32)}


def sizes(build):
    return {opened(build.images / one.image).size for one in read_lines(build.lines("select"), Mistaken, made_by="x")}


def only(klass, fault):
    return lambda scene: fault if scene.klass == klass else None


@pytest.mark.parametrize(
    ("fault", "why"),
    [("unparsed", "reply: Invalid JSON"), ("untyped", "core.0.type: Value error, 'mood' is none of the nine types")],
)
def test_attributes_that_cannot_be_read_are_counted_and_listed_with_the_replys_words(bench, fault, why):
    bench.writer.fault = only(0, fault)
    build = bench.draft()
    record = build.record("describe")
    herons = build.record("select")["counts"]["kept_by_class"]["heron"]
    assert record["counts"]["unread"] == len(record["unread"]) == herons
    assert all(one["why"].startswith(why) and one["reply"] for one in record["unread"]), record["unread"][0]
    assert record["failures"] == []
    described = read_lines(build.lines("describe"), Described, made_by="x")
    assert "heron" not in {one.image.label for one in described}
    assert len(described) == record["counts"]["asked"] - herons


def test_one_fence_around_the_whole_reply_is_read_and_too_few_options_are_not(bench):
    bench.writer.fault = only(0, "fenced")
    bench.run("read", "select", "describe")
    assert bench.build().record("describe")["counts"]["unread"] == 0
    bench.writer.fault = only(1, "short")
    bench.results.build("birds").joinpath("describe.json").unlink()
    build = bench.run("describe", "write", writer={"params": {"url": bench.endpoint.url, "model": "other"}})
    assert {one["why"].split(":")[0] for one in build.record("write")["unread"]} == {"spurious"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("leak", "leak: the question says 'herons', a name of 'heron'"),
        ("duplicate", "duplicate: options "),
        ("two-core", "several right answers: 'a slanted cross in blue (two-core)' says the core attribute"),
        ("ambiguous", "several right answers: the checker finds "),
        ("none", "no right answer: the checker finds none"),
        ("another", "another right answer: the checker finds "),
        ("unchecked", "unchecked: the checker's reply cannot be read (reply: Invalid JSON"),
    ],
)
def test_a_faulty_item_is_kept_with_its_reason_and_the_others_pass(bench, fault, reason):
    bench.writer.fault = only(0, fault)
    build = bench.draft()
    for item in bench.items():
        if item.about.image.label == "heron":
            assert any(one.startswith(reason) for one in item.reasons), item.reasons
        else:
            assert item.reasons == ()
    counts = build.record("check")["counts"]
    herons = sum(item.about.image.label == "heron" for item in bench.items())
    assert counts["rejected"][reason.split(":")[0]] == herons == counts["items"] - counts["passed"] > 0


def test_items_beyond_what_is_wanted_of_a_type_are_set_aside(bench):
    build = bench.draft(check={"per_type": 1})
    counts = build.record("check")["counts"]
    assert max(counts["types"].values()) == 1
    assert counts["passed"] + counts["rejected"]["balance"] == counts["items"]
    assert set(counts["types"]) == set(TYPES), "types without an item are told"


def test_costs_are_those_of_all_replies_whenever_they_were_paid(bench):
    priced = {"params": {"url": bench.endpoint.url, "model": "writer", "price_in": 2, "price_out": 10}}
    build = bench.draft(writer=priced)
    kept = build.record("select")["counts"]["kept"]
    for stage in ("describe", "write", "check"):
        costs = build.record(stage)["costs"]
        assert (costs["requests"], costs["prompt_tokens"], costs["completion_tokens"]) == (kept, 200 * kept, 50 * kept)
        assert costs["cost"] == pytest.approx(kept * (200 * 2 + 50 * 10) / 1e6)
        assert costs["request_seconds"] > 0
    first = build.record("describe")["costs"]
    (build.folder / "describe.json").unlink()
    bench.run("describe", writer=priced)
    assert build.record("describe")["costs"] == first


def test_what_could_not_be_asked_is_recorded_and_asked_again_by_the_same_command(bench):
    bench.endpoint.always = where(lambda body: "is: heron" in json.dumps(body), fails(400, "filtered"))
    build = bench.run("read", "select", "describe")
    herons = build.record("select")["counts"]["kept_by_class"]["heron"]
    assert len(build.record("describe")["failures"]) == herons
    assert {one["error"] for one in build.record("describe")["failures"]} == {"status 400: filtered"}
    bench.endpoint.always, sent = None, bench.sent()
    bench.run("describe")
    assert build.record("describe")["failures"] == []
    assert bench.sent() == sent + herons


def test_a_cap_ends_the_stage_and_a_higher_one_goes_on(bench):
    capped = {"params": {"url": bench.endpoint.url, "model": "writer", "max_tokens_spent": 2000}}
    with pytest.raises(BudgetSpent, match="of max_tokens_spent = 2,000 are spent"):
        bench.draft(writer=capped)
    assert len(bench.endpoint.headers) * COST <= 2000
    paid = bench.sent()
    capped["params"]["max_tokens_spent"] = 10**6
    build = bench.draft(writer=capped)
    sent = [json.dumps(body) for body in bench.endpoint.bodies]
    assert len(sent) == len(set(sent)) == 3 * build.record("select")["counts"]["kept"] > paid > 0


def test_the_checker_may_be_another_model_and_sees_the_options_in_another_order(bench):
    checker = {"params": {"url": bench.endpoint.url, "model": "checker"}}
    build = bench.draft(checker=checker)
    assert build.record("check")["by"]["model"] == "checker"
    models = Counter(body["model"] for body in bench.endpoint.bodies)
    assert models == {"writer": 2 * models["checker"], "checker": build.record("select")["counts"]["kept"]}
    shown = [
        body["messages"][-1]["content"][-1]["text"] for body in bench.endpoint.bodies if body["model"] == "checker"
    ]
    item_orders = {tuple(option.text for option in item.options) for item in bench.items()}
    orders = {tuple(line[3:] for line in text.splitlines() if line[1:3] == ". ") for text in shown}
    assert orders != item_orders


def test_what_is_gone_or_altered_is_made_again_from_what_is_kept(bench):
    build = bench.draft(release={"unreviewed": True})
    run(STAGES["release"], build)
    sent, written = bench.sent(), build.lines("write").read_bytes()
    build.lines("write").write_bytes(written.replace(b"Which", b"What "))
    shutil.rmtree(build.release)
    known = {name: run(stage, build).known for name, stage in STAGES.items()}
    assert {name for name, one in known.items() if not one} == {"write", "release"}
    assert build.lines("write").read_bytes() == written
    assert bench.sent() == sent
    next(build.images.iterdir()).unlink()
    build.lines("describe").unlink()
    with pytest.raises(ArtifactError, match=r"is missing. Delete .*select.json and run `mmplat spubench select` again"):
        bench.run("describe")


def test_equal_prompts_are_asked_and_counted_once(bench):
    """The writer of questions sees words alone, and two images may be described by the same ones."""
    build = bench.run("read", "select", "describe")
    lines = read_lines(build.lines("describe"), Described, made_by="x")
    first = lines[0]
    same = [one.model_copy(update={"core": first.core, "spurious": first.spurious}) for one in lines]
    looks = [one.image.model_copy(update={"label": "bat", "predicted": "seal"}) for one in lines]
    write_lines(build.lines("describe"), [o.model_copy(update={"image": i}) for o, i in zip(same, looks, strict=True)])
    sent = bench.sent()
    bench.run("write")
    assert build.record("write")["counts"]["written"] == len(lines) > 1
    assert build.record("write")["costs"]["requests"] == 1 == bench.sent() - sent


def test_signs_that_look_like_ends_of_lines_stay_in_a_text(bench):
    reply = '{"question": "Which\\u2028feature?", "core": "a\\u0085b", "spurious": ["c", "d", "e"]}'
    bench.run("read", "select", "describe")
    bench.endpoint.told = lambda body: [(reply, 0.0)]
    build = bench.run("write")
    items = read_lines(build.lines("write"), Item, made_by="x")
    assert {item.question for item in items} == {"Which\u2028feature?"}


def test_an_endpoint_that_is_down_is_one_clear_error(bench):
    with pytest.raises(ModelError, match="gives no answer: .*Is it up"):
        bench.draft(writer={"params": {"url": "http://127.0.0.1:9/v1", "model": "writer", "max_retries": 0}})


def test_a_stage_before_its_time_says_what_comes_first(bench):
    with pytest.raises(ArtifactError, match="read.json does not exist. `mmplat spubench read` makes it"):
        bench.run("select")
    with pytest.raises(ArtifactError, match="check.json does not exist. `mmplat spubench check` makes it"):
        bench.run("release")


def test_two_processes_do_not_build_at_once(bench):
    from mmplat.locks import only_writer

    build = bench.run("read")
    with only_writer(build.folder, what="x"), pytest.raises(Busy, match="Build 'birds' is being written"):
        bench.run("select")


def test_an_encoder_that_makes_no_mistake_leaves_nothing_to_build(bench, clip):
    """Images of a single background colour each: what the encoder was trained on, ρ = 1."""
    from known_scenes import draw

    folder = bench.folder / "easy"
    draw(folder, bench.writer, 8, rho=1.0)
    with pytest.raises(ConfigError, match="takes none of the 8 images for another class .*Give harder images"):
        bench.run("read", "select", images={"path": str(folder)})


def test_a_build_can_be_opened_by_its_name(bench):
    build = bench.draft(check={"per_type": 2})
    assert builds(bench.results) == ["birds"]
    assert open_build(bench.results, "birds") == build
    with pytest.raises(ArtifactError, match="`mmplat spubench build` makes it"):
        open_build(bench.results, "beasts")


def test_a_key_is_sent_and_lands_nowhere(bench, monkeypatch):
    key = "sk-test-5f0e1c7d9b3a4826"
    bench.endpoint.key = key
    monkeypatch.setenv("WRITER_KEY", key)
    bench.draft(writer={"params": {"url": bench.endpoint.url, "model": "writer", "key_env": "WRITER_KEY"}})
    assert bench.sent() > 0
    for path in (path for path in bench.results.root.rglob("*") if path.is_file()):
        assert key.encode() not in path.read_bytes(), path


def test_records_hold_where_nothing_lies_on_this_machine(bench):
    """Another machine that holds the same images and the same encoder does nothing again."""
    build = bench.run("read", "select")
    for name in ("read.json", "read.jsonl", "select.json", "select.jsonl"):
        assert str(bench.folder) not in (build.folder / name).read_text()
    os.rename(bench.folder / "images", bench.folder / "moved")
    ran = run(STAGES["select"], bench.build(images={"path": str(bench.folder / "moved")}))
    assert ran.known
