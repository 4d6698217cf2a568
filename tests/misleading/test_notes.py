"""Notes: written by rules, by an endpoint or taken from released data; split, checked, stored, and put into questions."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import yaml
from builders import run_grid
from endpoint.chat_server import Endpoint, fails, pictures_of, serving, text_of
from suites.mub_files import item, write_mub
from typer.testing import CliRunner

from mmplat.cli.app import app
from mmplat.conditions import applied, bind
from mmplat.conditions._wordings import FAMILIES
from mmplat.errors import ConfigError
from mmplat.misleading.notes import split
from mmplat.models.endpoint import patience
from mmplat.notes import Note, flags_of, read_notes, write_notes
from mmplat.records import Sample
from mmplat.samples import LeftOut, RawSample
from mmplat.suites import bind as bind_suite
from mmplat.suites import catalog as suites
from mmplat.world import notes as world

CHOICE = Sample("1", "1", "1", "What is it?", ("cat", "dog", "red hen"), ("A", "B", "C"), "B", ())
YES_NO = Sample("2", "2", "2", "Is there a cat?", (), ("yes", "no"), "no", ())


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("1. One.\n///\n\n2. Two.\n///\n3) Three.", ["One.", "Two.", "Three."]),
        ("Only one, 3. of its kind", ["Only one, 3. of its kind"]),
        ("- a\n/// \n///- b", ["a", "b"]),
        ("  ", []),
    ],
)
def test_notes_are_split_and_lose_their_numbers(text, notes):
    assert split(text) == notes


@pytest.mark.parametrize(
    ("sample", "direction", "text", "flags"),
    [
        (CHOICE, "guiding", "It barks at everyone who comes by.", ()),
        (CHOICE, "guiding", "It barks, so the dog is meant.", ("holds-the-right-option",)),
        (CHOICE, "guiding", "Look at the ears: option B fits.", ("names-the-answer",)),
        (CHOICE, "guiding", "Look at the ears; option A fits.", ("names-another-answer",)),
        (CHOICE, "misleading", "The ears make option A the ideal fit.", ("names-the-answer",)),
        (CHOICE, "misleading", "A red hen is the correct animal here.", ("names-the-answer",)),
        (CHOICE, "misleading", "The answer is dog, whatever is seen.", ("names-another-answer",)),
        (CHOICE, "misleading", "A cat often sits so. A dog does not.", ()),
        (YES_NO, "misleading", "The answer is yes, I think.", ("names-the-answer",)),
        (YES_NO, "misleading", "There is no cat where dogs are.", ()),
        (CHOICE, "misleading", "These notes doubt the ears.", ("repeats-its-instructions",)),
        (CHOICE, "guiding", "Point out why the ears fit.", ("repeats-its-instructions",)),
        (CHOICE, "misleading", "它的耳朵很长。", ("other-language",)),
        (CHOICE, "misleading", "Ears.", ("too-short",)),
    ],
)
def test_what_is_wrong_with_a_note_is_named(sample, direction, text, flags):
    assert flags_of(sample, direction, text) == flags


def test_chinese_notes_belong_to_chinese_questions():
    chinese = Sample("3", "3", "3", "图中文物的名称是什么？", ("鼎", "壶"), ("A", "B"), "A", ())
    assert flags_of(chinese, "misleading", "它有一个长嘴。") == ()
    assert flags_of(chinese, "misleading", "答案是A，因为嘴长。") == ("names-another-answer",)
    assert flags_of(chinese, "misleading", "It has a long spout.") == ("other-language",)


# By rules.

WORDINGS = (world.AWAY, world.HERE, world.LIKE, world.UNLIKE)


def all_of(path):
    return [note for notes in read_notes(path).values() for note in notes.values()]


@pytest.mark.parametrize("wordings", WORDINGS)
def test_the_rules_speak_the_words_that_the_tiny_models_know(wordings):
    from mmplat.world.vlm import vocabulary, words

    known = set(vocabulary())
    for text in (*wordings.trained, *wordings.held_out):
        assert set(words(text.replace("{0}", " ").replace("{1}", " "))) <= known, text


def test_no_wording_that_is_kept_for_measuring_begins_like_one_that_may_be_trained_on():
    trained = [*FAMILIES["world-trained"].trained, *FAMILIES["world-more"].trained]
    trained += [text for wordings in WORDINGS for text in wordings.trained]
    held_out = [*FAMILIES["world-held-out"].held_out, *(text for wordings in WORDINGS for text in wordings.held_out)]
    assert len(trained) == 5 + 8 + 4 * 10
    assert len(held_out) == 3 + 4 * 5
    assert not {*map(opening, trained)} & {*map(opening, held_out)}


def opening(text):
    return tuple(text.split()[:3])


def of_the_world(kind, n=18):
    return list(suites.get(kind).samples(bind_suite(kind, {"n": n, "seed": 5})))


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("direction", ["misleading", "guiding"])
@pytest.mark.parametrize("suite", ["world-objects", "world-spurious", "world-both"])
def test_the_checks_find_nothing_in_what_the_rules_write(suite, direction, held_out):
    for sample in of_the_world(suite):
        texts = world.notes_on(sample, direction, held_out=held_out)
        assert len({*texts}) == (5 if held_out else 10)
        assert not any(flags_of(sample, direction, text) for text in texts)


def test_the_rules_have_nothing_to_say_where_no_thing_of_the_world_is_asked_about():
    assert not world.notes_on(CHOICE, "misleading")  # a red hen is none
    assert not any(world.notes_on(sample, "guiding") for sample in of_the_world("world-facts"))


RULES = """
suite: {{name: world-objects, params: {{n: 36, seed: 5}}}}
by: rules
notes: 5
out: {out}
"""


@pytest.fixture
def by_rules(tmp_path, results):
    (tmp_path / "notes.yaml").write_text(RULES.format(out=tmp_path / "notes.jsonl"))
    done = CliRunner().invoke(app, ["mub", "notes", str(tmp_path / "notes.yaml"), "--results", str(results.root)])
    assert done.exit_code == 0, done.output
    return tmp_path / "notes.jsonl"


def test_rules_write_five_notes_in_each_direction_and_none_of_them_is_flagged(by_rules):
    notes = all_of(by_rules)
    assert len(notes) == 36 * 2 * 5
    assert not any(note.flags for note in notes)
    assert {note.by["rules"] for note in notes} == {"world"}


@pytest.mark.parametrize("kind", ["misleading-note", "guiding-note"])
def test_a_condition_says_by_rule_what_the_file_would_have_said(by_rules, kind):
    for sample in of_the_world("world-objects", 36):
        for k in (0, 4):
            stored = applied(bind(kind, {"path": str(by_rules), "k": k}), sample)
            assert applied(bind(kind, {"by": "rules", "k": k}), sample) == stored


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("by: me", "by = 'me': Input should be 'endpoint', 'rules' or 'released'"),
        ("notes: 50", "notes = 50: Input should be less than or equal to 20"),
        ("directions: []", "directions = []"),
        ("directions: [guiding, guiding]", "directions name one twice"),
        ("writer: {url: here}", "`writer` is of `by: endpoint`, and this is `by: rules`"),
        ("by: released", "only released implicit files of suite `mub` hold notes"),
        ("{by: released, wording: held-out}", "`wording` is of `by: rules`"),
        ("suite: {name: world-facts, params: {n: 6}}", "rules speak of the things of the synthetic world alone"),
        ("suite: {name: world-captions, params: {n: 6}}", "no closed questions"),
        ("out: .", "is a folder"),
        ("out: /proc/none/notes.jsonl", "cannot be made"),
    ],
)
def test_mistakes_in_a_file_of_notes_are_told_and_nothing_is_written(tmp_path, results, monkeypatch, mistake, told):
    monkeypatch.chdir(tmp_path)
    said = yaml.safe_load(RULES.format(out="notes.jsonl")) | yaml.safe_load(mistake)
    (tmp_path / "notes.yaml").write_text(yaml.safe_dump(said))
    done = CliRunner().invoke(app, ["mub", "notes", "notes.yaml", "--results", str(results.root)])
    assert isinstance(done.exception, ConfigError)
    assert told in str(done.exception)
    assert not (tmp_path / "notes.jsonl").exists()


def test_fewer_notes_than_asked_for_are_counted(tmp_path, results):
    (tmp_path / "notes.yaml").write_text(RULES.format(out=tmp_path / "notes.jsonl").replace("notes: 5", "notes: 11"))
    done = CliRunner().invoke(app, ["mub", "notes", str(tmp_path / "notes.yaml"), "--results", str(results.root)])
    assert "samples with fewer notes than asked for: {'misleading': 36, 'guiding': 36}" in done.output


NOTED = """
campaign: noted
models: [tiny]
suites:
  - name: world-objects
    params: {{n: 36, seed: 5}}
    conditions:
      - {{name: misleading-note, params: {{{where}}}, as: m0}}
      - {{name: misleading-note, params: {{{where}, k: 1}}, as: m1}}
      - {{name: misleading-note, params: {{{where}, k: 2}}, as: m2}}
      - {{name: guiding-note, params: {{{where}}}, as: g0}}
methods: [naive, cue-contrast]
"""


@pytest.mark.parametrize(("where", "kind"), [("path: {}", "note"), ("by: rules", "note rules")])
def test_notes_are_asked_about_and_reported_one_by_one_and_any_of_three(by_rules, results, where, kind):
    from mmplat.diagnostics import measured, misleading
    from mmplat.diagnostics.conditioned import conditioned

    run_grid(NOTED.format(where=where.format(by_rules)), results)
    (one,) = conditioned(measured(results, "noted"))
    rows = misleading.measure(one, method="naive").filter(subset="all")
    assert rows["cue"].to_list() == [f"{kind}{which}" for which in (" 0", " 1", " 2", ", each", ", any of 3")]
    tf = dict(rows.select("cue", "tf").iter_rows())
    assert tf[f"{kind}, any of 3"] >= max(tf[f"{kind} {k}"] for k in range(3)) > 0
    assert tf[f"{kind}, each"] == pytest.approx(sum(tf[f"{kind} {k}"] for k in range(3)) / 3)
    assert rows["ft"].is_not_null().to_list() == [True, False, False, False, False]  # one guiding note alone


ASKED = RawSample(
    "1", "What is it?\nA cat\nB dog\nLetter only.", ("A", "B"), "B", options=("cat", "dog"), stem="What is it?"
)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "stored.jsonl"
    by = {"model": "m"}
    write_notes(
        path,
        [
            Note(sample_id="1", direction="misleading", k=0, text="It purrs.", by=by),
            Note(sample_id="1", direction="misleading", k=1, text="Option A fits.", by=by, flags=("names-the-answer",)),
        ],
    )
    return path


def test_a_note_stands_before_the_options_and_at_the_end_where_none_are_listed(stored):
    spec = bind("misleading-note", {"path": str(stored)})
    lead = "Please pay attention to this instruction: It purrs."
    assert applied(spec, ASKED).question == f"What is it? {lead}\nA cat\nB dog\nLetter only."
    inside = RawSample("1", "What is it? A) cat B) dog\nLetter only.", ("A", "B"), "B", options=("cat", "dog"),
                       stem="What is it? A) cat B) dog")  # fmt: skip
    assert applied(spec, inside).question.endswith(f"Letter only. {lead}")
    made = applied(spec, ASKED).reference["condition"]
    assert (made["leads"], made["clean"], made["by"]) == ("wrong", ASKED.question, {"model": "m"})


def test_flagged_and_missing_notes_are_left_out_with_the_reason(stored):
    flagged = {"path": str(stored), "k": 1}
    assert (
        applied(bind("misleading-note", flagged), ASKED).reason == "its misleading note 1 is flagged: names-the-answer"
    )
    assert "Option A fits." in applied(bind("misleading-note", {**flagged, "flagged": "keep"}), ASKED).question
    missing = applied(bind("misleading-note", {"path": str(stored), "k": 2}), ASKED)
    assert isinstance(missing, LeftOut)
    assert missing.reason == "there is no misleading note 2 on it"


@pytest.mark.parametrize("where", ["rules", "file"])
def test_a_drawn_note_is_one_of_those_on_the_sample_by_the_seed(by_rules, where):
    sample = of_the_world("world-objects")[0]
    params = {"by": where, "k": "drawn", "path": str(by_rules) if where == "file" else ""}
    drawn = [applied(bind("misleading-note", {**params, "seed": seed}), sample) for seed in range(100)]
    there = world.notes_on(sample, "misleading")[: 5 if where == "file" else 10]
    assert {one.reference["condition"]["note"] for one in drawn} == {*there}


def test_none_is_drawn_of_flagged_notes(stored, tmp_path):
    drawn = [applied(bind("misleading-note", {"path": str(stored), "k": "drawn", "seed": s}), ASKED) for s in range(9)]
    assert {one.reference["condition"]["note"] for one in drawn} == {"It purrs."}
    by = {"by": {}, "direction": "guiding", "flags": ("too-short",)}
    write_notes(tmp_path / "short.jsonl", [Note(sample_id="1", k=0, text="Ears.", **by)])
    spec = bind("guiding-note", {"path": str(tmp_path / "short.jsonl"), "k": "drawn"})
    assert applied(spec, ASKED).reason == "all guiding notes on it are flagged"
    assert (
        applied(bind("guiding-note", {"path": str(stored), "k": "drawn"}), ASKED).reason
        == "there is no guiding note on it"
    )


def test_words_before_a_note_are_the_papers_unless_others_are_given(stored):
    question = applied(bind("misleading-note", {"path": str(stored), "lead": ""}), ASKED).question
    assert question == "What is it? It purrs.\nA cat\nB dog\nLetter only."
    assert (
        "it? Hint: It purrs."
        in applied(bind("misleading-note", {"path": str(stored), "lead": "Hint:"}), ASKED).question
    )


def test_the_wordings_are_in_the_key_of_notes_by_rule(monkeypatch):
    before = [bind("guiding-note", {"by": "rules", "wording": wording}).settings for wording in ("trained", "held-out")]
    assert before[0]["content"] != before[1]["content"]
    monkeypatch.setattr(world, "AWAY", world.AWAY._replace(held_out=("The {0} is in Lima.",)))
    after = [bind("guiding-note", {"by": "rules", "wording": wording}).settings for wording in ("trained", "held-out")]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


def test_what_lies_in_the_file_is_in_the_key_and_where_it_lies_is_not(stored, tmp_path):
    spec = bind("misleading-note", {"path": str(stored)})
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(stored.read_bytes())
    assert bind("misleading-note", {"path": str(moved)}).settings == spec.settings
    moved.write_text(stored.read_text().replace("purrs", "hums"))
    assert bind("misleading-note", {"path": str(moved)}).settings != spec.settings


@pytest.mark.parametrize(
    ("line", "told"),
    [("{}", "notes.jsonl:1: this is no note .*mmplat mub notes"), ("not json", "notes.jsonl:1: this is no note")],
)
def test_a_file_that_holds_something_else_is_told_with_its_line(tmp_path, line, told):
    path = tmp_path / "notes.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(ConfigError, match=told):
        read_notes(path)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({}, "give the file that `mmplat mub notes` wrote, or on suites of the world `by: rules`"),
        ({"path": "nowhere.jsonl"}, "there is no file"),
        ({"path": "nowhere.jsonl", "flagged": "no"}, "Allowed: leave-out, keep"),
        ({"path": "nowhere.jsonl", "wording": "held-out"}, "which is of `by: rules`"),
        ({"by": "rules", "path": "some.jsonl"}, "rules need no file"),
        ({"by": "me"}, "Allowed: file, rules"),
        ({"by": "rules", "wording": "mixed"}, "Allowed: trained, held-out"),
        ({"by": "rules", "k": -1}, "Allowed: whole numbers from 0, drawn"),
    ],
)
def test_mistakes_in_parameters_are_told(params, told):
    with pytest.raises(ConfigError, match=told):
        bind("guiding-note", params)


# Released notes.


def test_released_notes_are_split_and_checked(tmp_path, results):
    leaking = "1. It is old, making option B the ideal fit.\n///\n2. Such things are made of clay."
    notes_of = {"closed_model_response_F": leaking, "closed_model_response_T": "It has a handle."}
    yes_no = {"question_type_CHorYN": "YN", "closed_model_response_F": "Its paint looks fresh."}
    rows = [item(0, "What is it?", "A", {"A": "pot", "B": "jar"}, **notes_of), item(1, "Is it old?", "yes", **yes_no)]
    params = write_mub(tmp_path / "mub", rows, times=1, cut=False)
    config = {"suite": {"name": "mub", "params": params}, "by": "released", "out": str(tmp_path / "notes.jsonl")}
    (tmp_path / "notes.yaml").write_text(json.dumps(config))
    done = CliRunner().invoke(app, ["mub", "notes", str(tmp_path / "notes.yaml"), "--results", str(results.root)])
    assert done.exit_code == 0, done.output
    assert "samples without a note: {'guiding': 1}" in done.output
    notes = all_of(tmp_path / "notes.jsonl")
    assert Counter(note.direction for note in notes) == {"misleading": 3, "guiding": 1}
    assert [note.flags for note in notes if note.flags] == [("names-the-answer",)]


# By an endpoint.


def says_notes(body):
    return [("1. It is often elsewhere in such places.\n///\n2. The answer is no, I think.", 0.0)]


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Endpoint(told=says_notes, usage={"prompt_tokens": 100, "completion_tokens": 20})) as found:
        yield found


def config_for(endpoint, folder, **params):
    config = {
        "suite": {"name": "world-objects", "params": {"n": 6, "seed": 5}},
        "by": "endpoint",
        "notes": 2,
        "directions": ["misleading"],
        "out": str(folder / "notes.jsonl"),
        "writer": {"url": endpoint.url, "model": "writer", **params},
    }
    (folder / "notes.yaml").write_text(json.dumps(config))
    return str(folder / "notes.yaml")


def test_an_endpoint_sees_the_picture_and_writes_notes_that_are_paid_once(endpoint, tmp_path, results):
    words = ["mub", "notes", config_for(endpoint, tmp_path), "--results", str(results.root)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    asked = len(endpoint.bodies)
    assert asked == len({json.dumps(body) for body in endpoint.bodies}) > 3  # equal questions are asked once
    assert all(len(pictures_of(body)) == 1 and "What is right" in text_of(body) for body in endpoint.bodies)
    notes = all_of(tmp_path / "notes.jsonl")
    assert len(notes) == 12
    assert notes[0].by == {"model": "writer", "served": "remote-2026-01-01", "prompt": "misleading-notes", "version": 1}
    assert "names-the-answer" in {flag for note in notes for flag in note.flags}
    assert CliRunner().invoke(app, words).exit_code == 0
    assert len(endpoint.bodies) == asked


def test_a_budget_ends_it_and_what_was_written_is_kept(endpoint, tmp_path, results):
    path = config_for(endpoint, tmp_path, max_tokens_spent=300, concurrency=1)
    done = CliRunner().invoke(app, ["mub", "notes", path, "--results", str(results.root)])
    assert done.exit_code != 0
    assert 0 < len(endpoint.bodies) < 6


def test_samples_that_fail_are_told_and_the_others_are_written(endpoint, tmp_path, results):
    endpoint.script.append(fails(400, "no picture, please"))
    words = ["mub", "notes", config_for(endpoint, tmp_path, concurrency=1), "--results", str(results.root)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code != 0
    assert "failed: 1" in done.output
    assert len(all_of(tmp_path / "notes.jsonl")) == 10


def test_a_note_may_hold_what_unicode_calls_the_end_of_a_line(tmp_path):
    text = "One line.\u2028Another.\u0085And one more."
    path = tmp_path / "notes.jsonl"
    write_notes(path, [Note(sample_id="1", direction="guiding", k=0, text=text, by={"rules": "x"})])
    assert read_notes(path)["1", "guiding"][0].text == text


def test_notes_that_a_new_file_lacks_are_kept_beside_it(endpoint, tmp_path, results):
    words = ["mub", "notes", config_for(endpoint, tmp_path), "--results", str(results.root)]
    out = tmp_path / "notes.jsonl"
    assert CliRunner().invoke(app, words).exit_code == 0
    assert "which is kept as" not in CliRunner().invoke(app, words).output  # the same notes again
    mended = out.read_text().replace("It is often elsewhere in such places.", "It is often found in the kitchen.", 1)
    out.write_text(mended)
    done = CliRunner().invoke(app, words)
    [kept] = tmp_path.glob("notes.*.jsonl")
    assert f"{out} held something else, which is kept as {kept}." in " ".join(done.output.split())
    assert kept.read_text() == mended
    assert len(all_of(out)) == 12
