"""Importing piece by piece: what is new is added, what is the same stays, and what contradicts the run is refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from elsewhere import SPLITS, pope, pope_split, said_to
from PIL import Image

from mmplat.artifacts import Results
from mmplat.preparing import load_samples, prepare
from mmplat.suites import bind

Command = Callable[..., Any]
Write = Callable[..., Path]
TURNS = {"random": ("Yes", "No"), "popular": ("Yes",), "adversarial": ("No", "Yes")}
"""Right answers are yes, no, yes, …: all right, half right, all wrong."""


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture
def split(write: Write, mmplat: Command) -> Command:
    """Imports one split of POPE."""

    def run(name: str, *words: str, texts: tuple[str, ...] = (), n: int = 6, first: int = 0) -> Any:
        rows = pope_split(name)
        answers = write(f"answers/llava_{name}.jsonl", said_to(rows, *(texts or TURNS[name]))[first:n])
        files = ["--annotations", write(f"pope/coco_pope_{name}.json", rows), "--answers", answers]
        return mmplat("import", "predictions", "--suite", "pope", *files, "--model", "llava", *words)

    return run


@pytest.fixture
def stored(results: Results) -> Callable[[], dict[str, Any]]:
    """What the campaign holds of the model: runs, and accuracy by subset."""

    def read() -> dict[str, Any]:
        folder = results.decided("imported", "llava", "pope")
        runs, metrics, said = (
            pl.read_parquet(folder / f"{name}.parquet") for name in ("runs", "metrics", "predictions")
        )
        accuracy = metrics.filter(metric="accuracy")
        assert set(said["run_id"]) == set(metrics["run_id"]) == set(runs["run_id"])
        return {
            "runs": runs.to_dicts(),
            "accuracy": dict(accuracy.select("subset", "value").iter_rows()),
            "n": dict(accuracy.select("subset", "n").iter_rows()),
            "answers": said.sort("sample_id").drop("run_id").to_dicts(),
        }

    return read


def files_below(results: Results) -> dict[str, bytes]:
    kept = (path for path in results.root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path): path.read_bytes() for path in kept}


def test_the_splits_of_pope_imported_one_by_one_are_one_run_of_all(split: Command, stored: Command) -> None:
    said = [split(name) for name in SPLITS]
    assert [one.code for one in said] == [0, 0, 0], [one.err for one in said]
    assert ["new answers" in one.err and f"{n} in the run" in one.err for one, n in zip(said, (6, 12, 18), strict=True)]
    assert "written: 6 new answers, 18 in the run" in said[-1].err
    found = stored()
    assert found["accuracy"]["all"] == pytest.approx(1 / 2)
    assert {name: found["accuracy"][f"split={name}"] for name in SPLITS} == pytest.approx(
        {"random": 1, "popular": 0.5, "adversarial": 0}
    )
    assert found["accuracy"]["worst:split"] == 0
    assert (found["n"]["all"], found["n"]["split=popular"]) == (18, 6)
    [run] = found["runs"]
    files = json.loads(run["settings"])["files"]
    assert {(file["role"], file["name"]) for file in files} == {
        *(("annotations", f"coco_pope_{name}.json") for name in SPLITS),
        *(("answers", f"llava_{name}.jsonl") for name in SPLITS),
    }
    assert all(len(file["content"]) == 16 for file in files)


@pytest.mark.parametrize("order", list(itertools.permutations(SPLITS))[1:3])
def test_all_splits_at_once_and_in_any_order_are_the_same_run(
    split: Command, stored: Command, mmplat: Command, tmp_path: Path, order: tuple[str, ...]
) -> None:
    for name in order:
        split(name)
    one_by_one = stored()
    files = ["--annotations", tmp_path / "pope", "--answers", tmp_path / "answers"]
    at_once = mmplat("import", "predictions", "--suite", "pope", *files, "--model", "llava", "--replace")
    assert at_once.code == 0, at_once.err
    assert stored() | {"runs": 0} == one_by_one | {"runs": 0}
    assert stored()["runs"][0]["run_id"] == one_by_one["runs"][0]["run_id"]
    assert stored()["runs"][0]["suite_key"] == one_by_one["runs"][0]["suite_key"]


def test_samples_and_groups_of_all_splits_are_those_of_the_suite(
    split: Command, results: Results, tmp_path: Path
) -> None:
    for name in SPLITS:
        split(name)
    (tmp_path / "images").mkdir()
    for row in pope(6):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "images" / row["image"])
    params = {"path": str(tmp_path / "pope"), "images": str(tmp_path / "images")}
    measured = load_samples(prepare(bind("pope", params), results).parent)
    run = pl.read_parquet(results.decided("imported", "llava", "pope") / "runs.parquet").to_dicts()[0]
    imported = load_samples(results.suite("pope", run["suite_key"]))
    about = [{(s.sample_id, s.gold, s.cluster, s.groups["split"]) for s in some} for some in (imported, measured)]
    assert about[0] == about[1]


def test_files_folders_and_patterns_are_told_apart_by_the_split_in_their_names(
    split: Command, mmplat: Command, stored: Command, tmp_path: Path
) -> None:
    for name in SPLITS:
        split(name, "--dry-run")
    expected = None
    for told, asked in (
        ([tmp_path / "answers"], [tmp_path / "pope"]),
        ([tmp_path / "answers" / "*.jsonl"], [tmp_path / "pope" / "coco_pope_*.json"]),
        (
            [tmp_path / "answers" / f"llava_{name}.jsonl" for name in SPLITS],
            [tmp_path / "pope" / f"coco_pope_{name}.json" for name in reversed(SPLITS)],
        ),
    ):
        words = [word for path in told for word in ("--answers", path)]
        words += [word for path in asked for word in ("--annotations", path)]
        done = mmplat("import", "predictions", "--suite", "pope", "--model", "llava", *words)
        assert done.code == 0, done.err
        assert "n 18, unjoined 0, unparsed 0" in done.out
        expected = expected or stored()
        assert stored() == expected


def test_files_whose_names_say_nothing_go_together_in_the_order_given(write: Write, mmplat: Command) -> None:
    rows = {name: pope_split(name) for name in SPLITS}
    words: list[Any] = []
    for at, name in enumerate(SPLITS):
        words += ["--annotations", write(f"coco_pope_{name}.json", rows[name])]
        words += ["--answers", write(f"run{at}/out.jsonl", said_to(rows[name], *TURNS[name]))]
    done = mmplat("import", "predictions", "--suite", "pope", "--model", "m", *words, "--dry-run", "--json")
    assert (done.json["n"], done.json["unjoined"]) == (18, 0)
    assert done.json["groups"]["split=adversarial"]["accuracy"] == 0
    unclear = mmplat("import", "predictions", "--suite", "pope", "--model", "m", *words[:-2], "--dry-run")
    assert (unclear.code, unclear.out) == (2, "")
    assert "is not clear from its name" in unclear.err
    assert "adversarial or popular or random" in unclear.err or "random or popular or adversarial" in unclear.err


def test_answers_that_name_another_split_than_their_questions_are_refused(write: Write, mmplat: Command) -> None:
    rows = pope_split("random")
    said = [{"question_id": row["question_id"], "text": "Yes"} for row in rows]  # no prompt that would tell
    words = ["--suite", "pope", "--model", "m", "--dry-run", "--annotations", write("coco_pope_random.json", rows)]
    refused = mmplat("import", "predictions", *words, "--answers", write("llava_popular.jsonl", said))
    assert (refused.code, refused.out) == (2, "")
    assert "llava_popular.jsonl is of the split popular by its name" in refused.err
    assert mmplat("import", "predictions", *words, "--answers", write("llava-Random.jsonl", said)).code == 0


def test_questions_without_a_file_of_answers_are_left_out_of_a_folder_and_refused_by_name(
    split: Command, mmplat: Command, tmp_path: Path
) -> None:
    for name in SPLITS:
        split(name, "--dry-run")
    words = ["--suite", "pope", "--model", "m", "--answers", tmp_path / "answers" / "llava_popular.jsonl", "--dry-run"]
    done = mmplat("import", "predictions", *words, "--annotations", tmp_path / "pope", "--json")
    assert (done.json["n"], done.json["unanswered"]) == (6, [])
    assert "coco_pope_random.json is left out: no file of answers goes with it" in done.err
    named = [w for name in SPLITS for w in ("--annotations", tmp_path / "pope" / f"coco_pope_{name}.json")]
    refused = mmplat("import", "predictions", *words, *named)
    assert (refused.code, "coco_pope_random.json: no file of answers goes with it" in refused.err) == (2, True)


def test_answers_to_the_same_questions_may_lie_in_several_files(
    write: Write, mmplat: Command, results: Results
) -> None:
    rows = pope(12)
    said = said_to(rows, "Yes", "No")
    parts = [
        write(f"part{at}.jsonl", said[at * 5 : at * 5 + 6]) for at in range(3)
    ]  # the last of each is the next's first
    words = ["--suite", "pope", "--annotations", write("coco_pope_random.json", rows), "--model", "m"]
    answers = [word for part in parts for word in ("--answers", part)]
    done = mmplat("import", "predictions", *words, *answers, "--json", "--dry-run")
    assert (done.json["n"], done.json["unjoined"], done.json["accuracy"]) == (12, 0, 1)
    other = write("part3.jsonl", said_to(rows[:1], "No"))
    refused = mmplat("import", "predictions", *words, *answers, "--answers", other)
    assert refused.code == 2
    assert "part3.jsonl:1: the answer to '1' is 'No', and 'Yes' in" in refused.err
    assert "part0.jsonl:1" in refused.err
    assert not results.root.exists()


def test_the_rest_of_a_split_fills_in_what_had_no_answer(split: Command, stored: Command) -> None:
    assert "written: 4 new answers, 4 in the run" in split("random", n=4).err
    assert [(run["status"], run["n"], run["n_failed"]) for run in stored()["runs"]] == [("incomplete", 4, 2)]
    assert "written: 2 new answers, 6 in the run; 1 were in it already" in split("random", first=3).err
    assert [(run["status"], run["n"], run["n_failed"]) for run in stored()["runs"]] == [("done", 6, 0)]
    whole = stored()
    assert "Nothing new: run" in split("random", n=2).err
    assert stored() == whole


def test_other_answers_to_the_same_samples_are_refused_and_nothing_is_lost(split: Command, results: Results) -> None:
    for name in SPLITS[:2]:
        split(name)
    before = files_below(results)
    for words in ((), ("--dry-run",)):
        refused = split("random", *words, texts=("No",))
        assert refused.code == 2
        assert "accuracy" in refused.out  # what the files say is told nevertheless
        for said in (
            "llava on pope, naive, unknown, seed 0; 12 answers from llava_popular.jsonl, llava_random.jsonl",
            "6 of the 6 samples from llava_random.jsonl are in it already, 3 of them with another answer",
            "random-1 for one has 'Yes' there and 'No' here",
            "--replace puts this import in the place of that whole run",
        ):
            assert said in refused.err
        assert files_below(results) == before


def test_a_replacement_is_named_and_leaves_the_new_answers_alone(split: Command, stored: Command) -> None:
    for name in SPLITS[:2]:
        split(name)
    run = stored()["runs"][0]["run_id"]
    would = split("random", "--replace", "--dry-run", texts=("No",))
    assert f"to be replaced: run {run} (llava on pope" in would.err
    assert "to be written: 6 new answers, 6 in the run" in would.err
    assert stored()["runs"][0]["run_id"] == run
    done = split("random", "--replace", "--json", texts=("No",))
    assert f"replaced: run {run} (llava on pope" in done.err
    assert (done.json["run"]["replaced"], done.json["run"]["n"]) == (run, 6)
    assert (stored()["n"], len(stored()["runs"])) == (
        {"all": 6, "split=random": 6, "worst:split": 6},
        1,
    )


def test_a_dry_run_shows_what_the_import_would_make_of_the_run(split: Command, results: Results) -> None:
    split("random")
    before = files_below(results)
    text = split("popular", "--dry-run")
    assert "to be written: 6 new answers, 12 in the run" in text.err
    assert "the whole run, with what was imported before: n 12" in text.out
    said = split("popular", "--dry-run", "--json").json
    assert (said["accuracy"], said["n"]) == (0.5, 6)
    assert (said["run"]["accuracy"], said["run"]["n"], said["run"]["new_answers"]) == (0.75, 12, 6)
    assert files_below(results) == before


COLUMNS = "id=question_id,answer=text,gold=label,question=text"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--parser", "official"), "parser strict there and official here"),
        (("--from", "jsonl", "--columns", COLUMNS), "format llava there and jsonl here"),
        (("--labels", "no,yes"), "labels yes, no there and no, yes here"),
    ],
)
def test_answers_read_by_other_rules_are_not_mixed(
    split: Command, results: Results, words: tuple[str, ...], said: str
) -> None:
    split("random")
    before = files_below(results)
    refused = split("popular", *words)
    assert (refused.code, said in refused.err) == (2, True), refused.err
    assert "Numbers of two rules do not mix" in refused.err
    assert files_below(results) == before
    assert split("popular", *words, "--replace").code == 0


def test_labels_that_the_right_answers_show_are_the_same_for_all_files(write: Write, mmplat: Command) -> None:
    def table(name: str, golds: str) -> Path:
        return write(name, [{"id": f"{name}{at}", "answer": gold, "gold": gold} for at, gold in enumerate(golds)])

    words = ["--suite", "mmmu", "--from", "jsonl", "--model", "m"]
    both = ["--answers", table("a.jsonl", "ABBA"), "--answers", table("b.jsonl", "ABCD")]
    assert mmplat("import", "predictions", *words, *both[:2]).code == 0
    refused = mmplat("import", "predictions", *words, *both[2:])
    assert (refused.code, "labels A, B there and A, B, C, D here" in refused.err) == (2, True)
    assert mmplat("import", "predictions", *words, *both, "--replace").code == 0


def test_other_questions_under_the_same_ids_are_refused(split: Command, write: Write, mmplat: Command) -> None:
    """The sources of POPE name their samples alike."""
    split("random")
    rows = [{**row, "image": f"gqa_{row['image']}"} for row in pope_split("random")]
    files = {"--annotations": write("gqa_pope_random.json", rows), "--answers": write("gqa.jsonl", said_to(rows, "No"))}
    words = [word for pair in files.items() for word in pair]
    refused = mmplat("import", "predictions", "--suite", "pope", "--model", "llava", *words)
    assert refused.code == 2
    assert "random-1 for one has another question" in refused.err
    assert "gqa_COCO" in refused.err
    both = mmplat("import", "predictions", "--suite", "pope", "--model", "both", *words, "--annotations",
                  write("coco_pope_random.json", pope_split("random")), "--answers",
                  write("coco.jsonl", said_to(rows, "No")))  # fmt: skip
    assert (both.code, "the sample id 'random-1' is taken by" in both.err) == (2, True)


@pytest.mark.parametrize(
    ("file", "time"),
    [
        ("samples.parquet", 0),
        ("predictions.parquet", 0),
        ("metrics.parquet", 0),
        ("runs.parquet", 0),
        ("predictions.parquet", 1),
        ("metrics.parquet", 1),
        ("plan.json", 0),
        ("decided.json", 0),
    ],
)
def test_a_merge_that_is_killed_anywhere_loses_no_answer(
    split: Command, stored: Command, results: Results, monkeypatch: pytest.MonkeyPatch, file: str, time: int
) -> None:
    """It dies when `file` is to be written for the first or second time."""
    from mmplat.importing import _recording

    split("random", "--method", "vcd")
    split("random")
    written: list[str] = []

    def or_die(whole: Command) -> Command:
        def write(path: Path, content: Any) -> None:
            if path.name == file and written.count(file) == time:
                raise KeyboardInterrupt
            written.append(path.name)
            whole(path, content)

        return write

    with monkeypatch.context() as patched:
        for name in ("_write", "write_json"):
            patched.setattr(_recording, name, or_die(getattr(_recording, name)))
        assert split("popular").code != 0
    said = split("popular")
    assert said.code == 0, said.err
    found = stored()
    assert [(run["method"], run["n"]) for run in sorted(found["runs"], key=lambda run: run["method"])] == [
        ("naive", 12), ("vcd", 6)
    ]  # fmt: skip
    assert (results.decided("imported", "llava", "pope") / "decided.json").exists()


def test_a_run_whose_samples_are_gone_is_not_added_to(split: Command, results: Results) -> None:
    split("random")
    for path in results.suites_root.rglob("suite.json"):
        path.unlink()
    refused = split("popular")
    assert (refused.code, "is no prepared suite" in refused.err) == (1, True)
    assert split("popular", "--replace").code == 0


def test_names_that_a_folder_cannot_tell_apart_are_refused(
    write: Write, mmplat: Command, results: Results, stored: Command
) -> None:
    rows = pope(6)
    files = ["--annotations", write("coco_pope_random.json", rows), "--answers", write("a.jsonl", said_to(rows, "Yes"))]
    words = ["import", "predictions", "--suite", "pope", *files]
    assert mmplat(*words, "--model", "org/llava").code == 0
    before = files_below(results)
    refused = mmplat(*words, "--model", "org_llava")
    assert (refused.code, "would share the folder 'org_llava' with 'org/llava'" in refused.err) == (2, True)
    mmplat(*words, "--model", "m", "--campaign", "a b")
    assert mmplat(*words, "--model", "m", "--campaign", "a_b").code == 2
    assert before.items() <= files_below(results).items()


def test_a_format_that_holds_its_questions_takes_no_annotations(write: Write, mmplat: Command) -> None:
    table = write("t.tsv", "index\tquestion\tanswer\tprediction\n1\tIs it?\tYes\tyes\n")
    words = ["--suite", "pope", "--from", "vlmevalkit", "--model", "m", "--dry-run", "--answers", table]
    refused = mmplat("import", "predictions", *words, "--annotations", write("x.json", pope(2)))
    assert (refused.code, "leave --annotations away" in refused.err) == (2, True)


def test_tables_and_logs_in_several_files_are_one_run(write: Write, mmplat: Command) -> None:
    for at in (1, 2, 3):
        write(f"tables/part{at}.tsv", f"index\tquestion\tanswer\tprediction\n{at}\tIs it {at}?\tYes\tyes\n")
    words = ["--suite", "pope", "--from", "vlmevalkit", "--model", "m"]
    folder = write("tables/notes.md", "no table").parent
    done = mmplat("import", "predictions", *words, "--answers", folder, "--json")
    assert (done.json["n"], done.json["accuracy"]) == (3, 1)
    again = write("again.tsv", "index\tquestion\tanswer\tprediction\n1\tIs it 1?\tYes\tno\n")
    refused = mmplat("import", "predictions", *words, "--answers", folder, "--answers", again)
    assert (refused.code, "the sample id '1' is taken by" in refused.err) == (2, True)
    empty = folder.parent / "empty"
    empty.mkdir()
    refused = mmplat("import", "predictions", *words, "--answers", empty)
    assert (refused.code, "the folder holds no *.tsv or *.xlsx" in refused.err) == (2, True)
    refused = mmplat("import", "predictions", *words, "--answers", folder / "*.xlsx")
    assert (refused.code, "no file fits this pattern" in refused.err) == (2, True)


def test_a_failed_request_is_made_up_for_by_a_later_file_in_whatever_order(write: Write, mmplat: Command) -> None:
    def output(name: str, **said: str | None) -> Path:
        return write(name, [reply(key.removeprefix("q"), text) for key, text in said.items()])

    def reply(key: str, text: str | None) -> dict[str, Any]:
        if text is None:
            return {"custom_id": key, "response": None, "error": {"message": "expired"}}
        body = {"choices": [{"message": {"content": text}}]}
        return {"custom_id": key, "response": {"status_code": 200, "body": body}, "error": None}

    first, second = output("first.jsonl", q1="Yes", q2=None, q3="Yes", q4=None), output("second.jsonl", q2="No")
    words = ["--suite", "pope", "--from", "openai-batch", "--annotations", write("coco_pope_random.json", pope(4))]
    for files in ((first, second), (second, first)):
        answers = [word for file in files for word in ("--answers", file)]
        said = mmplat("import", "predictions", *words, *answers, "--model", "m", "--dry-run", "--json").json
        assert (said["n"], said["accuracy"]) == (3, 1)
        assert [(left["key"], left["reason"]) for left in said["unanswered"]] == [("4", "expired")]


def test_the_missing_subtask_of_mme_is_added_to_the_run(write: Write, mmplat: Command) -> None:
    pairs = "1.jpg\tIs it a cat?\tYes\tYes\n1.jpg\tIs it a dog?\tNo\tNo.\n"
    words = ["--suite", "mme", "--model", "m", "--json"]
    mmplat("import", "predictions", *words, "--answers", write("first/existence.txt", pairs).parent)
    said = mmplat("import", "predictions", *words, "--answers", write("second/count.txt", pairs)).json
    assert (said["n"], said["run"]["n"], said["run"]["mme_score"]) == (2, 4, 400)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("twice.json", '{"a_Art_1": "A", "a_Art_1": "B"}', "'a_Art_1' is there twice in one JSON object"),
        ("twice.csv", "id,answer,answer,gold\n1,yes,no,yes\n", "the column 'answer' is there twice"),
    ],
)
def test_what_a_file_says_twice_is_not_dropped_in_silence(
    write: Write, mmplat: Command, name: str, content: str, said: str
) -> None:
    dictionary = write("dictionary.json", {"a_Art_1": {"ground_truth": "A"}})
    words = {
        "twice.json": ["--suite", "mmmu", "--annotations", dictionary],
        "twice.csv": ["--suite", "mine", "--labels", "yes,no", "--from", "csv"],
    }[name]
    done = mmplat("import", "predictions", *words, "--answers", write(name, content), "--model", "m")
    assert (done.code, said in done.err) == (2, True), done.err


def results_file(accuracy: float, *tasks: str) -> dict[str, Any]:
    return {
        "results": {task: {"alias": task, "acc,none": accuracy, "f1,none": 0.25} for task in tasks},
        "n-samples": {task: {"original": 10, "effective": 10} for task in tasks},
        "date": accuracy,
    }


def test_a_second_results_file_of_a_task_is_refused_and_none_of_its_tasks_is_written(
    write: Write, mmplat: Command, results: Results
) -> None:
    words = ["import", "results", "--model", "m"]
    assert mmplat(*words, write("results_monday.json", results_file(0.5, "arc"))).code == 0
    assert "arc: nothing new" in mmplat(*words, write("copy.json", {**results_file(0.5, "arc"), "date": 2})).err
    before = files_below(results)
    tuesday = write("results_tuesday.json", results_file(0.6, "aaa", "arc"))
    refused = mmplat(*words, tuesday)
    assert refused.code == 2
    assert "results_tuesday.json, task 'arc': the cell holds run" in refused.err
    assert "from results_monday.json" in refused.err
    assert files_below(results) == before
    done = mmplat(*words, tuesday, "--replace")
    assert (done.code, "arc: replaced: run" in done.err, "aaa: replaced" in done.err) == (0, True, False)
    alike = mmplat(*words, write("alike.json", results_file(0.6, "a/b", "a_b")), "--campaign", "other")
    assert (alike.code, "would share the folder 'a_b'" in alike.err) == (2, True)


def test_a_results_file_does_not_take_the_place_of_answers_nor_answers_that_of_its_numbers(
    split: Command, write: Write, mmplat: Command, results: Results
) -> None:
    split("random")
    before = files_below(results)
    file = write("results.json", results_file(0.9, "pope"))
    refused = mmplat("import", "results", file, "--model", "llava")
    assert (refused.code, "6 answers from llava_random.jsonl" in refused.err) == (2, True)
    assert files_below(results) == before
    assert mmplat("import", "results", file, "--model", "llava", "--replace").code == 0
    refused = split("random")
    assert (refused.code, "format lm-eval results there and llava here" in refused.err) == (2, True)


def test_what_runs_of_one_pair_were_asked_is_no_garbage(split: Command, mmplat: Command, results: Results) -> None:
    """decided.json names the samples of the last import alone."""
    split("random", "--method", "vcd")
    split("popular")
    mmplat("gc", "--delete")
    assert "written: 6 new answers, 12 in the run" in split("popular", "--method", "vcd").err
    listed = mmplat("gc").out  # the samples of the run before it was added to
    assert listed.count("prepared suite") == 1


def test_the_plan_of_a_grid_does_not_take_the_place_of_imports(
    split: Command, write: Write, mmplat: Command, results: Results
) -> None:
    split("random")
    before = files_below(results)
    grid = write("grid.yaml", "campaign: imported\nmodels: [fake]\nsuites: [world-objects]\n")
    refused = mmplat("plan", "--grid", grid, "--write")
    assert (refused.code, "holds 1 imported runs" in refused.err) == (2, True), refused.err
    assert files_below(results) == before
