"""Judging over real HTTP: both orders of every answer, each paid for once, whatever the judge does in between."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from endpoint.chat_server import HELLO, cut_off, fails, slowly, text_of, well, where
from taste import FIRST_GAINS, QUESTIONS, REFERENCE, biased, quality, says, shown

from mmplat.campaign import progress_of
from mmplat.errors import ArtifactError, ModelError
from mmplat.models.endpoint.budget import BudgetSpent
from mmplat.preparing import load_samples

COST = 220
"""Tokens of one reply of the server in these tests."""
CELL = {"method": "naive", "decoding": "greedy"}


def texts_of(ran, **cell):
    run = ran.table("runs").filter(**cell)["run_id"][0]
    return dict(ran.table("predictions").filter(run_id=run).select("sample_id", "text").iter_rows())


def number(ran, metric, subset="all", **cell):
    run = ran.table("runs").filter(**(cell or CELL))["run_id"][0]
    return ran.table("metrics").filter(run_id=run, metric=metric, subset=subset).row(0, named=True)


def test_scores_are_the_means_over_both_orders_and_the_bias_of_places_is_told(bench):
    bench.judge()
    ran = bench.decide()
    samples = load_samples(bench.results.suite("llava-bench-wild", ran.plan.pairs[0].suite.key))
    for cell in ({"method": m, "decoding": d} for m in ("naive", "vdd-none") for d in ("greedy", "t2")):
        texts = texts_of(ran, **cell)
        for subset in ("all", "category=conv", "category=detail", "category=complex"):
            answers = [
                quality(texts[s.sample_id]) for s in samples if subset in ("all", f"category={s.groups['category']}")
            ]
            of_answer, of_reference = np.mean(answers) + FIRST_GAINS / 2, REFERENCE + FIRST_GAINS / 2
            wanted = {"judge_score": of_answer, "judge_score_reference": of_reference, "judge_failed": 0, "win_rate": 0,
                      "relative_score": 100 * of_answer / of_reference, "position_bias": FIRST_GAINS}  # fmt: skip
            for metric, value in wanted.items():
                found = number(ran, metric, subset, **cell)
                assert found["value"] == pytest.approx(value), (metric, subset)
                assert found["n"] == len(answers)


def test_the_interval_of_the_ratio_of_means_is_linearised_over_images(bench):
    """By hand, image by image."""
    bench.endpoint.told = lambda body: [(_by_question(body), 0.0)]
    bench.judge()
    ran = bench.decide()
    n = np.arange(QUESTIONS)
    answer, reference, image = 3 + n % 5, 9 - n % 3, n % 4
    ratio = answer.sum() / reference.sum()
    errors = np.bincount(image, answer - ratio * reference) / reference.sum()
    half = 1.959963984540054 * np.sqrt((errors**2).sum() * 4 / 3)
    found = number(ran, "relative_score")
    expected = [100 * ratio, 100 * (ratio - half), 100 * (ratio + half)]
    assert [found["value"], found["low"], found["high"]] == pytest.approx(expected)


def _by_question(body):
    if "[Task]" not in text_of(body):
        return "yes"
    n = int(text_of(body).split("Is there a ")[1].split("?")[0])
    scores = {True: 9 - n % 3, False: 3 + n % 5}
    first, second = (scores[text.startswith("It is")] for text in shown(body))
    return f"{first} {second}"


def test_each_answer_is_shown_in_both_orders_with_all_that_is_known_of_the_image(bench):
    bench.judge()
    orders = {tuple(text.startswith("It is") for text in shown(body)) for body in bench.endpoint.bodies}
    assert orders == {(True, False), (False, True)}
    for body in bench.endpoint.bodies:
        assert body["messages"][0]["role"] == "system"
        assert "A picture of {" in text_of(body)
        options = {name: value for name, value in body.items() if name != "messages"}
        assert options == {"model": "judge", "max_completion_tokens": 1024, "temperature": 0.0, "top_p": 1.0, "seed": 0}


def test_equal_answers_are_paid_once_and_nothing_is_asked_twice(bench):
    first = bench.judge()
    sent = [json.dumps(body) for body in bench.endpoint.bodies]
    assert len(sent) == len(set(sent)) < first.judged == QUESTIONS * 4 * 2
    contacts = len(bench.endpoint.headers)
    again = bench.judge(max_cost=9, price_in=1, price_out=1, concurrency=1)
    assert (again.judged, again.kept) == (0, first.judged)
    assert len(bench.endpoint.headers) == contacts, "another cap is no other judge: it is not even contacted"


def test_another_rubric_is_another_judgment_of_the_same_answers(bench):
    bench.judge()
    bench.endpoint.told = lambda body: [("5" if "\nno\n" in text_of(body) else "2", 0.0)]
    bench.judge(rubric="alone-0-6")
    ran = bench.decide(rubric="alone-0-6")
    no = [text == "no" for text in texts_of(ran, **CELL).values()]
    assert number(ran, "judge_score")["value"] == pytest.approx(2 + 3 * np.mean(no))
    assert number(ran, "hallucination_rate")["value"] == pytest.approx(1 - np.mean(no))
    assert set(bench.judgments()["rubric"]) == {"pair-1-10", "alone-0-6"}


@pytest.mark.parametrize(
    "reply", ["", "8", "8 7 6", "11 3", "0 5", "-1 -1", "Scores: 8 7", "8/7", "eight seven", "nan 7"]
)
def test_a_reply_without_scores_is_counted_and_averaged_into_nothing(bench, reply):
    odd = where(lambda body: "Is there a 3?" in text_of(body), lambda handler, body: _reply(handler, reply))
    bench.endpoint.always = odd
    outcome = bench.judge()
    ran = bench.decide()
    assert outcome.unread == 8  # four cells, two orders
    assert outcome.failures == []
    assert number(ran, "judge_failed")["value"] == pytest.approx(1 / QUESTIONS)
    assert number(ran, "relative_score")["n"] == QUESTIONS - 1
    assert number(ran, "judge_score_reference")["value"] == pytest.approx(REFERENCE + FIRST_GAINS / 2)
    unread = bench.judgments().filter(pl.col("score").is_null())
    assert set(unread["reply"]) == {reply}
    assert set(ran.table("runs")["status"]) == {"done"}


def _reply(handler, text):
    said = handler.server.endpoint.reply({**json.loads('{"temperature": 0, "messages": []}'), "messages": [HELLO_TURN]})
    said["choices"][0]["message"]["content"] = text
    handler.send(200, json.dumps(said))
    return True


HELLO_TURN = {"role": "user", "content": [{"type": "text", "text": HELLO}]}


def test_where_no_reply_has_scores_there_are_no_scores(bench):
    bench.endpoint.told = says("I would rather not say.")
    bench.judge()
    ran = bench.decide()
    assert number(ran, "judge_failed")["value"] == 1
    assert set(ran.table("metrics")["metric"]) == {"judge_failed"}


def test_one_order_that_fails_takes_the_answer_out(bench):
    """The other order alone would count the bias of its place."""
    first = where(lambda body: shown(body)[0].startswith("It is"), lambda handler, body: _reply(handler, "?"))
    bench.endpoint.always = first
    bench.judge()
    ran = bench.decide()
    assert number(ran, "judge_failed")["value"] == 1
    assert "relative_score" not in set(ran.table("metrics")["metric"])


def test_too_many_requests_and_outages_are_waited_for(bench):
    bench.endpoint.script += [fails(429, "slow down", Retry_After="0.3"), well, fails(503), cut_off, well]
    outcome = bench.judge(concurrency=2)
    assert outcome.failures == []
    assert np.diff(bench.endpoint.times).max() >= 0.25
    assert number(bench.decide(), "judge_failed")["value"] == 0


def test_what_cannot_be_judged_makes_its_runs_incomplete_and_is_asked_again_next_time(bench):
    bench.endpoint.always = where(lambda body: "Is there a 3?" in text_of(body), fails(400, "filtered"))
    first = bench.judge()
    assert {f["sample_id"] for f in first.failures} == {"3"}
    ran = bench.decide()
    runs = ran.table("runs")
    assert set(runs["status"]) == {"incomplete"}
    assert set(runs["error"]) == {"1 samples: the judge could not be asked: status 400: filtered"}
    assert number(ran, "relative_score")["n"] == QUESTIONS - 1
    state = progress_of(bench.plan(), bench.results)
    assert (state.fine, len(state.unjudged)) == (False, 1)
    assert "--forcerun judge" in state.verdict
    assert "sample 3" in state.verdict
    bench.endpoint.always = None
    second = bench.judge()
    assert (second.judged, second.kept, second.failures) == (8, first.judged, [])
    assert set(bench.decide().table("runs")["status"]) == {"done"}
    assert progress_of(bench.plan(), bench.results).fine


def test_a_cap_ends_the_run_and_a_higher_one_goes_on(bench):
    with pytest.raises(BudgetSpent, match="of max_tokens_spent = 2,000 are spent .*raise max_tokens_spent"):
        bench.judge(max_tokens_spent=2000)
    assert 2000 - COST < len(bench.endpoint.headers) * COST <= 2000
    paid = len(bench.endpoint.bodies)
    outcome = bench.judge(max_tokens_spent=100_000)
    sent = [json.dumps(body) for body in bench.endpoint.bodies]
    assert len(sent) == len(set(sent)) > paid
    assert outcome.kept > 0
    assert outcome.failures == []


def test_a_judge_that_is_killed_goes_on_and_pays_nothing_twice(bench, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(bench.text(concurrency=1))
    bench.endpoint.always = slowly(0.05)
    job = subprocess.Popen(command("judge", file, bench), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while len(bench.endpoint.bodies) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.communicate()
    assert not list(bench.results.root.rglob("judged.json"))
    paid = len(bench.endpoint.bodies)
    bench.endpoint.always = None
    assert bench.judge().failures == []
    sent = [json.dumps(body) for body in bench.endpoint.bodies]
    assert 5 <= paid < len(set(sent))
    assert len(sent) - len(set(sent)) <= 1, "at most what was on its way when the job died"


def command(verb, file, bench):
    call = [sys.executable, "-c", "from mmplat.cli.app import main; main()", verb]
    return [*call, "--grid", str(file), "--results", str(bench.results.root)]


def test_a_key_is_sent_and_lands_nowhere(bench, monkeypatch, tmp_path):
    key = "sk-test-5f0e1c7d9b3a4826"
    bench.endpoint.key = key
    bench.endpoint.told = lambda body: [(f"{biased(body)[0][0]} Your key is {key}.", 0.0)]
    file = tmp_path / "grid.yaml"
    file.write_text(bench.text(key_env="JUDGE_KEY"))
    environment = {**os.environ, "JUDGE_KEY": key, "OPENAI_LOG": "debug"}
    said = subprocess.run(command("judge", file, bench), capture_output=True, text=True, env=environment, check=True)
    assert all(headers["authorization"] == f"Bearer {key}" for headers in bench.endpoint.headers)
    assert bench.judgments()["reply"].str.contains("Your key is ***", literal=True).all()
    for path in (path for path in bench.results.root.rglob("*") if path.is_file()):
        assert key.encode() not in path.read_bytes(), path
    assert key not in said.stdout + said.stderr
    assert "replies without a score" in said.stdout


def test_a_model_that_is_replaced_under_its_name_judges_everything_anew(bench):
    first = bench.judge()
    bench.endpoint.served = "remote-2027-01-01"
    more = bench.judge()  # nothing is missing, so nobody is contacted
    assert more.kept == first.judged
    for path in bench.results.root.rglob("judged-*.parquet"):
        path.unlink()
    assert bench.judge().judged == first.judged
    (versions,) = set(bench.decide().table("runs")["versions"])
    assert json.loads(versions)["judge"] == "remote-2027-01-01"


def test_a_run_says_who_judged_it_and_by_what(bench):
    bench.judge()
    run = bench.decide().table("runs").row(0, named=True)
    settings, versions = json.loads(run["settings"]), json.loads(run["versions"])
    assert settings["judge"].items() >= {"model": "judge", "served": "remote-2026-01-01", "rubric": "pair-1-10"}.items()
    assert versions["rubric:pair-1-10"] == "1"
    other = bench.judge(rubric="alone-0-6")
    assert other.judged
    assert bench.decide(rubric="alone-0-6").table("runs")["run_id"][0] != run["run_id"]


def test_deciding_takes_no_other_judges_word(bench):
    with pytest.raises(ArtifactError, match="judged.json does not exist. `mmplat judge` makes it"):
        bench.decide()
    bench.judge()
    with pytest.raises(
        ArtifactError, match="is of another judge than the grid names. Run `mmplat judge` with this grid"
    ):
        bench.decide(decoding="sample")


def test_a_judge_that_is_down_is_one_clear_error(bench):
    with pytest.raises(ModelError, match="gives no answer: .*Is it up"):
        bench.judge(url="http://127.0.0.1:9/v1", max_retries=0)


def test_two_processes_do_not_judge_the_same_at_once(bench):
    from mmplat.errors import Busy
    from mmplat.locks import only_writer

    bench.judge()
    (folder,) = {path.parent for path in bench.results.root.rglob("judged-*.parquet")}
    with only_writer(folder, what="x"), pytest.raises(Busy, match="What is judged of tiny on llava-bench-wild"):
        bench.judge()
