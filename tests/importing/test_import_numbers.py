"""Numbers that other tools left: what is none is counted as failed or refused, and never the likeliest."""

import json

import pytest
from test_import_formats import imported, values

from mmplat.errors import ConfigError

NAN = float("nan")
FINE = {"doc_id": 9, "doc": {}, "target": 1, "filtered_resps": [[-3.0, False], [-1.0, True], [-2.0, False]]}


def of_likelihoods(write, *said, target=0):
    rows = [FINE, {"doc_id": 0, "doc": {}, "target": target, "filtered_resps": list(said)}]
    path = write("samples_arc.jsonl", "\n".join(json.dumps(row) for row in rows))
    return imported("lm-eval", "arc", path, labels=("A", "B", "C"))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (([NAN, False], [-1.0, True], [-2.0, False]), "log-likelihood of option A is nan, which is no number"),
        (([-3.0, False], [NAN, False], [-2.0, True]), "option B is nan"),
        (([-3.0, False], [-1.0, True], ["nan", "False"]), "option C is 'nan'"),
        (([-3.0, False], [None, False], [-2.0, True]), "option B is None"),
        (([-3.0, False], None, [-2.0, True]), "option B is None"),
        (([-3.0, False], [float("inf"), True], [-2.0, False]), "option B is inf"),
        (([-3.0, False], [True, True], [-2.0, False]), "option B is True"),
        (([-3.0, False], ["much", True], [-2.0, False]), "option B is 'much'"),
        (([-1.0, False], [-3.0, False], [-1.0, True]), r"options A and C are equally likely \(-1\)"),
        (([-float("inf"), False],) * 3, r"options A and B and C are equally likely \(-inf\)"),
    ],
)
def test_a_likelihood_that_is_no_number_or_a_tie_is_no_answer(write, said, reason):
    found = of_likelihoods(write, *said)
    assert found.said == ["B", None]
    (left,) = found.joined.unanswered
    assert left.key == "0"
    assert pytest.approx(1) == values(found)["accuracy"], "only the question that was answered is counted"
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(left.reason)


def test_an_option_that_cannot_be_said_loses(write):
    found = of_likelihoods(write, [-float("inf"), False], [-5.0, False], [-7.0, False])
    assert found.said == ["B", "B"]


@pytest.mark.parametrize("target", [-1, 3, 1.5, True, NAN, float("inf"), "B", None, "-1"])
def test_the_target_of_a_multiple_choice_is_the_place_of_an_option(write, target):
    with pytest.raises(ConfigError, match="place of its option, from 0 to 2, not|there is no 'target'"):
        of_likelihoods(write, [-3.0, False], [-1.0, True], [-2.0, False], target=target)


def test_more_options_than_letters_are_refused(write):
    with pytest.raises(ConfigError, match="has 11 options; at most 10 can be imported"):
        of_likelihoods(write, *([-float(at), False] for at in range(11)))


def results_file(**entry):
    return {
        "results": {"arc": entry, "b": {"acc,none": 0.5}},
        "n-samples": {"arc": {"effective": 10}, "b": {"effective": 10}},
    }


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"acc,none": NAN}, "acc,none is nan, which is no number"),
        ({"acc_norm,none": float("inf")}, "acc_norm,none is inf, which is no number"),
        ({"acc,none": 75.2}, "acc,none is 75.2. It is a share, from 0 to 1: divide percentages by 100"),
        ({"pope_f1_score,none": -0.1}, "pope_f1_score,none is -0.1. It is a share"),
        ({"exact_match,strict": 1.5}, "exact_match,strict is 1.5. It is a share"),
        ({"acc,none": 0.5, "acc_stderr,none": NAN}, "the standard error of acc,none is nan"),
        ({"acc,none": 0.5, "acc_stderr,none": -0.1}, "the standard error of acc,none is -0.1"),
    ],
)
def test_a_metric_that_is_no_number_or_no_share_is_refused_before_anything_is_written(
    write, mmplat, results, entry, said
):
    done = mmplat("import", "results", write("results.json", results_file(**entry)), "--model", "m")
    assert (done.code, said in done.err) == (2, True), done.err
    assert not (results.root / "campaigns").exists()


def test_a_metric_that_is_a_truth_value_is_none(write, mmplat):
    path = write("results.json", results_file(**{"acc,none": 0.5, "passed,none": True}))
    assert mmplat("import", "results", path, "--model", "m").code == 0
    mmplat("publish", "imported", "--no-tracking")
    rows = mmplat(
        "sql", "SELECT metric FROM metrics JOIN runs USING (run_id) WHERE suite = 'arc'", "--format", "json"
    ).json
    assert rows == [{"metric": "accuracy"}]


def test_a_number_of_samples_that_is_a_truth_value_is_refused(write, mmplat):
    content = {"results": {"arc": {"acc,none": 0.5}}, "n-samples": {"arc": True}}
    done = mmplat("import", "results", write("results.json", content), "--model", "m")
    assert (done.code, "does not say on how many samples" in done.err) == (2, True)


@pytest.mark.parametrize("epoch", [1.5, "2", -1, True])
def test_an_epoch_is_a_whole_number(write, epoch):
    sample = {"id": 1, "epoch": epoch, "input": "Is it?", "target": "yes", "output": {"completion": "yes"}}
    with pytest.raises(ConfigError, match=r"sample 1: the epoch is .*counted from 1"):
        imported("inspect", "pope", write("log.json", {"samples": [sample]}))
