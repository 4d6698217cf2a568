"""Asking an endpoint over real HTTP: everything is asked once, whatever the endpoint does in between."""

import json
import logging
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from builders import ask_all
from chat_server import cut_off, fails, made_up, pictures_of, says, slowly, text_of, well, where

from mmplat.errors import ModelError
from mmplat.evidence.files import ROWS
from mmplat.evidence.opening import parts
from mmplat.models.endpoint import patience
from mmplat.models.endpoint.replies import read
from mmplat.plan import write_plan
from mmplat.preparing import prepare


def stored(results):
    files = [path for folder in results.evidence_root.rglob("*") if folder.is_dir() for path in parts(folder, ROWS)]
    return pl.concat([pl.read_parquet(path, glob=False) for path in files]) if files else pl.DataFrame()


def asked(planned, results, text):
    (outcome,) = ask_all(planned(text), results)
    return outcome


def test_what_is_told_becomes_evidence_token_by_token(planned, results, grid, endpoint):
    outcome = asked(planned, results, grid(methods="vdd-none"))
    rows = stored(results)
    assert outcome.asked == rows.height > 0
    assert outcome.failures == []
    body = next(b for b in endpoint.bodies if pictures_of(b))
    said = dict(made_up(body))
    row = next(
        r
        for r in rows.filter(view="image").iter_rows(named=True)
        if r["top_logits"][0] == np.float32(max(said.values()))
    )
    assert row["top_logits"] == pytest.approx(sorted(said.values(), reverse=True)[:20], abs=1e-6)
    both = [np.logaddexp(said[" yes"], said["Yes"]), np.logaddexp(said["no"], said[" No"])]
    assert row["labels"] == ["yes", "no"]
    assert row["label_logits"] == pytest.approx(both, abs=1e-6)
    assert row["untold"] == pytest.approx(1 - np.exp(sorted(said.values())[-20:]).sum(), abs=1e-6)
    assert row["device"] == f"endpoint {endpoint.url.split('/')[2]}"


def test_a_request_shows_the_picture_and_asks_for_one_token_of_the_unchanged_distribution(
    planned, results, grid, endpoint
):
    asked(planned, results, grid(methods="posthoc-none", limit=1, system="Be brief."))
    with_picture, without = sorted(endpoint.bodies, key=lambda body: -len(pictures_of(body)))
    assert len(pictures_of(with_picture)) == 1
    assert pictures_of(without) == []
    for body in (with_picture, without):
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        options = {key: value for key, value in body.items() if key != "messages"}
        assert options == {"model": "remote", "max_completion_tokens": 1, "logprobs": True, "top_logprobs": 20,
                           "temperature": 1.0, "top_p": 1.0}  # fmt: skip
    with_picture["messages"][-1]["content"].pop(0)
    assert with_picture == without


def test_a_view_of_the_picture_is_shown_as_a_picture(planned, results, grid, endpoint):
    asked(planned, results, grid(limit=1) + "views: [black, white]\n")
    shown = sorted(float(pictures_of(body)[0].mean()) for body in endpoint.bodies)
    assert shown[0] == 0
    assert shown[-1] == 255
    assert len(shown) == 3


def test_a_drawn_token_below_the_likeliest_is_not_taken_for_one_of_them():
    """Between it and the others lie tokens that were not told: it would make the row look as if it reached further."""
    tops = [{"token": t, "logprob": p} for t, p in (("w9", -9.0), ("yes", -0.1), ("no", -2.5))]

    def reply(drawn):
        choice = {"message": {"content": "w9"}, "logprobs": {"content": [{**drawn, "top_logprobs": tops}]}}
        return read(json.dumps({"model": "m", "choices": [choice]}), 0.0)

    assert reply(tops[0]).told == (("yes", -0.1), ("no", -2.5))
    assert reply(tops[1]).told == (("yes", -0.1), ("no", -2.5), ("w9", -9.0))


def test_nothing_is_asked_twice_and_a_wider_grid_asks_what_is_new(planned, results, grid, endpoint):
    first = asked(planned, results, grid())
    again = asked(planned, results, grid())
    assert (again.asked, again.kept) == (0, first.asked)
    more = asked(planned, results, grid(methods="naive, posthoc-none", limit=18))
    assert more.kept == first.asked
    assert more.asked == stored(results).height - first.asked
    at_main = stored(results).filter(view="none")["at_main"]
    assert set(at_main.list.len()) == {20}  # a reference that is asked later is kept at the main view's tokens too


def test_equal_questions_without_their_pictures_are_paid_once(planned, results, grid, endpoint):
    outcome = asked(planned, results, grid(methods="posthoc-none", limit=60))
    sent = [json.dumps(body) for body in endpoint.bodies]
    assert len(sent) == len(set(sent)) < outcome.asked


def test_another_name_for_the_same_model_pays_nothing(planned, results, grid, endpoint):
    first = asked(planned, results, grid())
    other = asked(planned, results, grid().replace("name: gpt", "name: gpt-again"))
    assert other.asked == first.asked == len(endpoint.bodies)


def test_as_many_are_asked_at_once_as_the_grid_says(planned, results, grid, endpoint):
    endpoint.always = slowly(0.03)
    asked(planned, results, grid(concurrency=3))
    assert endpoint.busiest == 3


def test_too_many_requests_makes_all_wait_as_long_as_they_are_told(planned, results, grid, endpoint):
    endpoint.script += [fails(429, "slow down", Retry_After="0.4")]
    outcome = asked(planned, results, grid(concurrency=2, limit=6))
    assert outcome.failures == []
    pauses = np.diff(endpoint.times)
    assert pauses.max() >= 0.3
    assert len(endpoint.times) == outcome.asked + 1


def test_a_pause_of_hours_is_not_waited_for(planned, results, grid, endpoint):
    endpoint.script += [well, fails(429, "quota of today", Retry_After="7200")]
    with pytest.raises(ModelError, match="asks to wait 7200 s. What was asked is kept"):
        asked(planned, results, grid(concurrency=1))
    assert stored(results).height == 1


@pytest.mark.parametrize(
    "trouble", [fails(500), fails(503), fails(529), cut_off, slowly(1.0)], ids=["500", "503", "529", "cut off", "slow"]
)
def test_what_passes_is_tried_again(planned, results, grid, endpoint, trouble):
    endpoint.script += [trouble, well, trouble, trouble]
    outcome = asked(planned, results, grid(timeout_s=0.4, concurrency=2))
    assert outcome.failures == []
    assert len(endpoint.bodies) >= outcome.asked == stored(results).height


def test_waits_double_and_are_the_same_in_every_run():
    from mmplat.models.endpoint.settings import Settings

    patient = patience.Patience(Settings(url="http://x/v1", model="m"), str)
    waits = [patient._wait(RuntimeError(), "", attempt, "key") for attempt in range(5)]
    assert waits == [patient._wait(RuntimeError(), "", attempt, "key") for attempt in range(5)]
    full = [patience.FIRST_WAIT_S * 2**attempt for attempt in range(5)]
    assert all(whole / 2 < wait <= whole for wait, whole in zip(waits, full, strict=True))
    assert waits != [patient._wait(RuntimeError(), "", attempt, "other") for attempt in range(5)]


def test_a_sample_that_fails_every_time_fails_alone_and_is_asked_again_next_time(planned, results, grid, endpoint):
    text = grid(max_retries=2, limit=6)
    first = planned(text)
    endpoint.always = where(lambda body: "lamp" in text_of(body), fails(500, "the server chokes on lamps"))
    (outcome,) = ask_all(first, results)
    assert 0 < len(outcome.failures) < outcome.asked + len(outcome.failures)
    assert all(f["error"] == "status 500: the server chokes on lamps, 3 times" for f in outcome.failures)
    endpoint.always = None
    (second,) = ask_all(first, results)
    assert (second.asked, second.kept, second.failures) == (len(outcome.failures), outcome.asked, [])


def completion(**choice):
    return json.dumps({"model": "remote-2026-01-01", "choices": [{"message": {"content": "yes"}, **choice}]})


LIKELY = {"token": "yes", "logprob": 7.5}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("<html>", "the reply is no chat completion"),
        ("", "the reply is no chat completion"),
        ('{"model": "x"}', "choices: Field required"),
        (completion(), "the endpoint told no log-probabilities of this answer"),
        (completion(logprobs={"content": [{**LIKELY, "top_logprobs": [LIKELY]}]}), "their probabilities sum to"),
    ],
)
def test_a_reply_that_cannot_be_read_fails_its_sample_alone(planned, results, grid, endpoint, said, why):
    endpoint.script += [well, says(said)]
    outcome = asked(planned, results, grid(concurrency=1, limit=6))
    (failure,) = outcome.failures
    assert why in failure["error"]
    assert outcome.asked == 5
    again = asked(planned, results, grid(concurrency=1, limit=6))
    assert (again.asked, again.failures) == (1, [])


def test_a_request_that_is_refused_fails_its_sample_alone(planned, results, grid, endpoint):
    endpoint.script += [well, fails(400, "the picture breaks a rule of ours")]
    outcome = asked(planned, results, grid(concurrency=1, limit=6))
    (failure,) = outcome.failures
    assert failure["error"] == "status 400: the picture breaks a rule of ours"
    assert len(endpoint.times) == 6  # it was not tried again


def test_an_endpoint_that_fails_everything_ends_the_run_before_all_is_wasted(planned, results, grid, endpoint):
    endpoint.script += [well] * 4
    endpoint.always = fails(400, "no pictures here")
    with pytest.raises(ModelError, match="failed 10 samples in a row, the last with: status 400: no pictures here"):
        asked(planned, results, grid(limit=60, concurrency=2))
    assert stored(results).height == 4
    assert len(endpoint.times) < 30


@pytest.mark.parametrize(
    ("status", "says_what"),
    [(401, "a key is needed, and `key_env` names none"), (403, "may not use model 'remote'"), (404, "Check `url`")],
)
def test_a_dead_end_in_the_middle_keeps_what_was_asked(planned, results, grid, endpoint, status, says_what):
    endpoint.script += [well] * 3
    endpoint.always = fails(status, "no way")
    with pytest.raises(ModelError, match=says_what):
        asked(planned, results, grid(concurrency=1))
    assert stored(results).height == 3
    assert len(endpoint.times) == 4


def test_a_model_that_changes_behind_its_name_is_not_mixed(planned, results, grid, endpoint):
    def changes(handler, body):
        endpoint.served = "remote-2026-02-02"
        return False

    endpoint.script += [well] * 3 + [changes]
    with pytest.raises(ModelError, match="began to serve 'remote-2026-02-02' as 'remote'"):
        asked(planned, results, grid(concurrency=1))
    outcome = asked(planned, results, grid())
    assert outcome.kept == 0
    assert len(list((results.evidence_root / "model=gpt" / "suite=world-objects").glob("*/evidence.json"))) == 2


def start_asking(plan, grid_file, results):
    """`mmplat ask` in a process of its own, all prepared."""
    write_plan(plan, results)
    for suite in plan.grid.suites:
        prepare(suite, results)
    command = [sys.executable, "-c", "from mmplat.cli.app import main; main()", "ask"]
    command += ["--grid", str(grid_file), "--results", str(results.root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(true):
    deadline = time.monotonic() + 30
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_job_that_is_killed_pays_nothing_twice(planned, results, grid, endpoint, tmp_path):
    text = grid(limit=60, concurrency=2)
    plan, file = planned(text), tmp_path / "grid.yaml"
    file.write_text(text)
    endpoint.always = slowly(0.02)
    job = start_asking(plan, file, results)
    wait_until(lambda: len(endpoint.bodies) >= 12)
    job.send_signal(signal.SIGKILL)
    job.communicate(timeout=30)
    before = len(endpoint.bodies)
    endpoint.always = None
    (outcome,) = ask_all(plan, results)
    assert outcome.asked == stored(results).height
    sent = [json.dumps(body) for body in endpoint.bodies]
    assert len(sent) - len(set(sent)) <= 2  # what was on its way when the job was killed
    assert before >= 12


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_told_to_end_keeps_what_came_and_waits_for_no_pause(
    planned, results, grid, endpoint, tmp_path, how
):
    file = tmp_path / "grid.yaml"
    file.write_text(grid(concurrency=2))
    endpoint.script += [well] * 4
    endpoint.always = fails(429, "later", Retry_After="300")
    job = start_asking(planned(file.read_text()), file, results)
    wait_until(lambda: len(endpoint.times) >= 6)
    job.send_signal(how)
    _, said = job.communicate(timeout=20)
    assert job.returncode == 130, said
    assert stored(results).height == 4


def test_a_warning_says_that_answers_are_drawn_where_no_log_probabilities_are_told(
    planned, results, grid, endpoint, caplog
):
    endpoint.most = 0
    with caplog.at_level(logging.WARNING):
        outcome = asked(planned, results, grid(draws=3, limit=4))
    assert "tells no log-probabilities of 'remote': answers are drawn" in caplog.text
    assert len(endpoint.bodies) == 3 * outcome.asked
