"""Each format, read from files as its tool writes them, with metrics that were counted by hand."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elsewhere import pope, said_to

from mmplat.errors import ConfigError
from mmplat.importing import Given, catalog, import_predictions

Command = Callable[..., Any]
Write = Callable[..., Path]


def imported(form: str, suite: str, answers: Path, annotations: Path | None = None, **options: Any) -> Any:
    columns = options.pop("columns", {})
    return import_predictions(catalog.get(form), Given(answers, annotations, columns), suite, **options)


def values(found: Any, subset: str = "all") -> dict[str, float]:
    return {one.metric: one.value for one in found.numbers if one.subset == subset}


def test_llava_answers_are_joined_with_popes_annotations(write: Write) -> None:
    rows = pope(12)
    said = said_to(rows, "Yes", "Yes", "No", "No, there is no such thing.", "I am not sure", "no")
    found = imported("llava", "pope", write("answers.jsonl", said), write("coco_pope_popular.json", rows))
    # Golds go yes, no, yes, no …; answers yes, yes, no, no, none, no. Of 6: hits at 1, 4, 6; one of 6 is no label.
    numbers = values(found)
    assert numbers["accuracy"] == pytest.approx(3 / 6)
    assert numbers["precision"] == pytest.approx(1 / 2)
    assert numbers["recall"] == pytest.approx(1 / 3)
    assert numbers["f1"] == pytest.approx(2 / 5)
    assert numbers["yes_ratio"] == pytest.approx(2 / 6)
    assert numbers["unparsed"] == pytest.approx(1 / 6)
    assert [left.key for left in found.unparsed] == ["5", "11"]
    assert {sample.cluster for sample in found.joined.samples} == {row["image"] for row in rows}
    assert found.joined.samples[0].sample_id == "popular-1"
    assert found.joined.samples[0].groups == {"source": "coco", "split": "popular"}


def test_the_official_parser_is_there_for_published_numbers_and_differs_where_it_guesses(write: Write) -> None:
    rows = pope(6)
    files = write("answers.jsonl", said_to(rows, "Perhaps")), write("coco_pope_random.json", rows)
    assert values(imported("llava", "pope", *files))["unparsed"] == 1
    official = values(imported("llava", "pope", *files, parser="official"))
    assert (official["unparsed"], official["yes_ratio"]) == (0, 1)


def test_equal_ids_of_other_questions_are_not_joined(write: Write) -> None:
    rows = pope(4)
    said = said_to(rows, "Yes", "No")
    said[1]["prompt"] = "Is there a giraffe in the image?"
    said[2]["image"] = "COCO_val2014_000000009999.jpg"
    found = imported("llava", "pope", write("answers.jsonl", said), write("coco_pope_random.json", rows))
    reasons = {left.key: left.reason for left in found.joined.unjoined}
    assert set(reasons) == {"2", "3"}
    assert "giraffe" in reasons["2"]
    assert "000000009999" in reasons["3"]
    assert (found.n, len(found.joined.unanswered)) == (2, 2)


def test_mme_is_read_from_a_file_per_subtask_with_accuracy_plus_and_totals(write: Write) -> None:
    write("mme/existence.txt", "1.jpg\tIs it a cat?\tYes\tYes\n1.jpg\tIs it a dog?\tNo\tNo.\n"
          "2.jpg\tIs it red?\tYes\tYes\n2.jpg\tIs it blue?\tNo\tYes, it is\n")  # fmt: skip
    folder = write(
        "mme/count.txt", "7.png\tAre there two?\tYes\tno\n7.png\tAre there three?\tNo\tTwo\tof them\n"
    ).parent
    found = imported("mme", "mme", folder)
    assert values(found)["accuracy"] == pytest.approx(3 / 6)
    assert values(found)["accuracy_plus"] == pytest.approx(1 / 3)
    assert values(found, "subtask=existence")["mme_score"] == pytest.approx(75 + 50)
    assert values(found, "subtask=count")["unparsed"] == pytest.approx(1 / 2)
    assert values(found)["mme_score"] == pytest.approx(125 + 0)
    assert values(found)["mme_perception"] is None  # 8 of its 10 subtasks are missing
    assert [sample.sample_id for sample in found.joined.samples][:2] == ["count/7/1", "count/7/2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.jpg\tIs it?\tYes\n", "existence.txt:1: a line is image, question, right answer and answer"),
        ("1.jpg\tIs it?\tYes\tYes\n", "existence.txt:1: 'existence/1' has 1 questions"),
        (
            "1.jpg\tQ\tYes\tYes\n1.jpg\tQ\tNo\tNo\n\n1.jpg\tQ\tNo\tNo\n",
            "existence.txt:4: 'existence/1' has 3 questions",
        ),
        ("1.jpg\tQ\tMaybe\tYes\n1.jpg\tQ\tNo\tNo\n", "existence.txt:1: the right answer 'maybe' is none of yes, no"),
    ],
)
def test_a_broken_line_of_mme_is_named_by_file_and_line(write: Write, mmplat: Command, text: str, said: str) -> None:
    folder = write("mme/existence.txt", text).parent
    done = mmplat("import", "predictions", "--suite", "mme", "--answers", folder, "--model", "m", "--dry-run")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_mmmu_is_joined_with_its_dictionary_and_short_answers_follow_its_own_rule(write: Write, tmp_path: Path) -> None:
    answers = {
        "validation_Art_1": "(B)",
        "validation_Art_2": "The answer is C.",
        "validation_Math_1": "It is 12.",
        "validation_Math_2": "7",
        "validation_Math_3": "",
        "validation_Math_9": "A",
    }
    dictionary = {
        "validation_Art_1": {"question_type": "multiple-choice", "ground_truth": "B"},
        "validation_Art_2": {"question_type": "multiple-choice", "ground_truth": "F"},
        "validation_Math_1": {"question_type": "short-answer", "ground_truth": ["12", "twelve"]},
        "validation_Math_2": {"question_type": "short-answer", "ground_truth": "8"},
        "validation_Math_3": {"question_type": "short-answer", "ground_truth": "8"},
    }
    found = imported("mmmu", "mmmu", write("answers.json", answers), write("answer_dict_val.json", dictionary))
    assert values(found)["accuracy"] == pytest.approx(2 / 5)
    assert values(found, "subject=Art")["accuracy"] == pytest.approx(1 / 2)
    assert values(found, "question_type=short-answer")["accuracy"] == pytest.approx(1 / 3)
    assert [left.key for left in found.joined.unjoined] == ["validation_Math_9"]
    assert [left.key for left in found.unparsed] == ["validation_Math_3"]
    with pytest.raises(ConfigError, match="looks for the texts of the options"):
        imported("mmmu", "mmmu", tmp_path / "answers.json", tmp_path / "answer_dict_val.json", parser="official")


def log(doc_id: int, target: Any, said: Any, **doc: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id, "doc": {"question": f"Is there a thing {doc_id}?", **doc}, "target": target,
        "arguments": [["...", {}]], "resps": [[said]], "filtered_resps": [said], "doc_hash": "0" * 64,
        "pope_accuracy": {"question_id": doc_id, "score": 1.0},
    }  # fmt: skip


def test_lmms_evals_sample_log_holds_questions_and_answers(write: Write) -> None:
    rows = [
        log(0, "yes", "Yes", category="random", image_source="a"), log(1, "no", "Yes.", category="random", image_source="a"),
        log(2, "no", "no", category="popular", image_source="b"), log(3, "yes", "cannot say", category="popular"),
    ]  # fmt: skip
    for path in (write("samples_pope.jsonl", rows), write("samples_pope.json", {"args": {}, "logs": rows})):
        found = imported("lmms-eval", "pope", path)
        assert values(found)["accuracy"] == pytest.approx(2 / 4)
        assert values(found)["yes_ratio"] == pytest.approx(2 / 4)  # lmms-eval's own would say .5 whatever is answered
        assert values(found, "category=random")["accuracy"] == pytest.approx(1 / 2)
        assert [sample.cluster for sample in found.joined.samples] == ["a", "a", "b", "3"]


def test_lm_evals_multiple_choice_is_decided_by_its_likelihoods(write: Write) -> None:
    rows = [
        {"doc_id": 0, "doc": {}, "target": 1, "filtered_resps": [[-3.0, False], [-1.0, True], [-2.0, False]]},
        {
            "doc_id": 1,
            "doc": {},
            "target": "0",
            "filtered_resps": [["-3.0", "False"], ["-1.0", "True"], ["-9.5", "False"]],
        },
        {"doc_id": 2, "doc": {}, "target": 2, "resps": [[[-3.0, False]], [[-4.0, False]], [[-2.0, True]]]},
    ]
    found = imported("lm-eval", "arc", write("samples_arc.jsonl", rows), labels=("A", "B", "C"))
    assert found.said == ["B", "B", "C"]
    assert values(found)["accuracy"] == pytest.approx(2 / 3)
    assert "f1" not in values(found)


def test_vlmevalkits_table_is_read_with_its_options_and_line_breaks(write: Write) -> None:
    stream = io.StringIO()
    table = csv.writer(stream, delimiter="\t", lineterminator="\n")
    table.writerow(["index", "question", "A", "B", "C", "D", "answer", "category", "prediction"])
    table.writerow([11, "What is\nthis?", "cat", "dog", "cow", "", "B", "animals", "B. dog"])
    table.writerow([12, "And this?", "red", "blue", "", "", "A", "colours", "blue"])
    found = imported("vlmevalkit", "mmmu", write("model_MMBench.tsv", stream.getvalue()))
    assert found.said == ["B", "B"]
    assert values(found)["accuracy"] == 0.5
    assert [sample.labels for sample in found.joined.samples] == [("A", "B", "C"), ("A", "B")]


def test_a_spreadsheet_without_its_reader_says_what_to_install(write: Write, monkeypatch: Any, mmplat: Command) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)  # what an import finds where it is not installed
    path = write("model_POPE.xlsx", "PK")
    done = mmplat("import", "predictions", "--suite", "pope", "--from", "vlmevalkit", "--answers", path, "--model", "m")
    assert (done.code, "`pip install openpyxl`" in done.err) == (2, True)


def test_a_spreadsheet_is_read_where_its_reader_is_installed(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is optional and not installed here")
    book = openpyxl.Workbook()
    for row in (["index", "question", "answer", "prediction"], [1, "Is it?", "Yes", "yes"], [2, "Is it?", "No", "Yes"]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "model_POPE.xlsx")
    assert values(imported("vlmevalkit", "pope", tmp_path / "model_POPE.xlsx"))["accuracy"] == 0.5


def test_inspects_log_is_read_epoch_by_epoch_and_failed_samples_are_unanswered(write: Write) -> None:
    def sample(identity: Any, epoch: int, said: str, **more: Any) -> dict[str, Any]:
        message = {"role": "assistant", "content": [{"type": "text", "text": said}]}
        return {"id": identity, "epoch": epoch, "input": [{"role": "user", "content": "Which?"}], "choices": ["cat", "dog"],
                "target": "B", "output": {"model": "m", "choices": [{"message": message}]}, **more}  # fmt: skip

    log = {
        "version": 2, "status": "success", "eval": {"task": "animals", "model": "m"},
        "samples": [sample(1, 1, "B"), sample(1, 2, "A"), sample("x", 1, "", error={"message": "context too long"})],
    }  # fmt: skip
    found = imported("inspect", "animals", write("log.json", log), labels=("A", "B"))
    assert values(found)["accuracy"] == 0.5
    assert [(left.key, left.reason) for left in found.joined.unanswered] == [("x", "context too long")]
    assert [sample.cluster for sample in found.joined.samples] == ["1", "1", "x"]


def test_openais_batch_outputs_are_joined_and_failed_requests_listed(write: Write) -> None:
    def row(identity: str, body: dict[str, Any], status: int = 200, error: Any = None) -> dict[str, Any]:
        return {"id": "b", "custom_id": identity, "response": {"status_code": status, "body": body}, "error": error}

    rows = [
        row("1", {"choices": [{"message": {"content": "Yes"}}]}),
        row("2", {"output": [{"type": "message", "content": [{"type": "output_text", "text": "Yes."}]}]}),
        row("3", {}, status=429),
        row("4", {}, error={"code": "batch_expired", "message": "This request could not be executed."}),
    ]
    found = imported("openai-batch", "pope", write("output.jsonl", rows), write("coco_pope_random.json", pope(4)))
    assert (found.n, values(found)["accuracy"]) == (2, 0.5)
    assert {left.key: left.reason for left in found.joined.unanswered} == {
        "3": "the request failed with status 429",
        "4": "This request could not be executed.",
    }


def test_any_table_is_read_by_a_map_of_its_columns(write: Write, mmplat: Command) -> None:
    table = write("mine.csv", 'nr,reply,truth,kind,pic\n1,"Yes, it is",yes,a,x\n2,no,yes,a,x\n3,No,no,b,y\n')
    said = mmplat(
        "import", "predictions", "--suite", "mine", "--labels", "yes,no", "--from", "csv", "--answers", table, "--model", "m",
        "--columns", "id=nr,answer=reply,gold=truth,group.kind=kind,image=pic", "--dry-run", "--json",
    ).json  # fmt: skip
    assert said["accuracy"] == pytest.approx(2 / 3)
    assert said["groups"]["kind=a"]["accuracy"] == 0.5
    assert said["recall"] == 0.5


def test_answers_and_annotations_of_any_table_may_lie_apart(write: Write) -> None:
    asked = write(
        "asked.jsonl",
        [{"id": "a", "gold": "B", "options": "cat|dog|cow"}, {"id": "b", "gold": "cow", "options": "cat|dog|cow"}],
    )
    told = write("told.jsonl", [{"id": "b", "answer": "C"}, {"id": "a", "answer": "dog"}])
    found = imported("jsonl", "zoo", told, asked, labels=("A", "B", "C"))
    assert found.said == ["B", "C"]
    assert values(found)["accuracy"] == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.jsonl",
            '{"question_id": 1, "text": "yes"}\n{"question_id": 2, "text"',
            "a.jsonl:2: this is not valid JSON",
        ),
        ("a.jsonl", '{"question_id": 1}', "a.jsonl:1: there is no 'text' or 'answer'"),
        ("a.jsonl", '{"text": "yes"}', "a.jsonl:1: there is no 'question_id' or 'id'"),
        ("a.jsonl", "[1, 2]", "a.jsonl: row 1: a row is a JSON object"),
        ("a.csv", "question_id,text\n1,yes,more\n", "a.csv:2: this row has not as many fields as the header (2)"),
        ("a.csv", 'question_id,text\n1,"yes\n', "this line cannot be read"),
        (
            "a.jsonl",
            '{"question_id": 77, "text": "yes"}',
            "no answer could be joined with a question. The first reason",
        ),
    ],
)
def test_bad_input_is_named_by_file_and_line(write: Write, mmplat: Command, name: str, content: str, said: str) -> None:
    annotations = write("coco_pope_random.json", pope(4))
    words = ["--suite", "pope", "--annotations", annotations, "--answers", write(name, content), "--model", "m"]
    done = mmplat("import", "predictions", *words, "--dry-run")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--suite", "pop"], "Say in which format the results of 'pop' come, with --from"),
        (["--suite", "pop", "--from", "llava"], "Unknown suite 'pop'. To import results of a suite that mmplat does not have"),
        (["--suite", "pope", "--from", "llva"], "Unknown import format 'llva'. Did you mean 'llava'"),
        (["--suite", "pope", "--parser", "offical"], "Suite 'pope' has no parser 'offical'. Allowed: strict, official, substring"),
        (["--suite", "pope", "--format", "llava"], "--format says how to print"),
        (["--suite", "mmmu-short", "--from", "llava"], "only closed ones"),
        (["--suite", "pope", "--columns", "id"], "--columns is a list of ours=theirs"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_command_is_told_with_what_is_allowed(
    write: Write, mmplat: Command, words: list[str], said: str
) -> None:
    rows = pope(4)
    files = ["--annotations", write("coco_pope_random.json", rows), "--answers", write("a.jsonl", said_to(rows, "yes"))]
    done = mmplat("import", "predictions", *words, *files, "--model", "m", "--dry-run")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_answers_without_their_questions_ask_for_them(write: Write, mmplat: Command) -> None:
    answers = write("a.jsonl", said_to(pope(2), "yes"))
    done = mmplat("import", "predictions", "--suite", "pope", "--answers", answers, "--model", "m")
    assert (done.code, "as --annotations" in done.err) == (2, True)


def test_one_id_for_two_questions_is_refused_with_both_places(write: Write, mmplat: Command) -> None:
    rows = pope(3)
    annotations = write("coco_pope_random.json", [*rows, rows[0]])
    answers = write("a.jsonl", said_to(rows, "yes"))
    done = mmplat(
        "import", "predictions", "--suite", "pope", "--annotations", annotations, "--answers", answers, "--model", "m"
    )
    assert done.code == 2
    assert "random.json:4: the id '1' occurs twice, first in" in done.err
