"""What MLflow could not take is queued, delays nobody, and is sent later."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from generate import run_record, write_campaign

from mmplat import tracking
from mmplat.artifacts import Results
from mmplat.records import MetricRecord
from mmplat.tracking import ready


@contextlib.contextmanager
def hanging_server() -> Iterator[int]:
    """Takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):  # the server is closed
                while True:
                    held.append(listening.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)
        for one in held:
            one.close()


def test_an_entry_goes_only_when_what_it_names_was_sent(results: Results) -> None:
    tracking.enqueue(results, "demo", "first")
    tracking.enqueue(results, "other", "first")
    tracking.enqueue(results, "demo", "second")  # another publish, while the first is being sent
    tracking.settle(results, "demo", "first")
    assert tracking.queued(results)["demo"] == "second"
    tracking.settle(results, "demo", "second")
    assert list(tracking.queued(results)) == ["other"]


def test_an_entry_that_another_publisher_sends_while_we_look_is_no_error(results: Results) -> None:
    """It was listed, and is gone when it is opened: so is a link to nothing."""
    tracking.enqueue(results, "demo", "first")
    gone = results.mirror_queue("gone")
    gone.parent.mkdir()
    gone.symlink_to("nowhere")
    assert tracking.queued(results) == {"demo": "first"}
    tracking.settle(results, "gone", "first")


def test_a_host_that_does_not_answer_is_told_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ready.silent("sqlite:////anywhere/mlflow.db") is None
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert ready.silent(f"http://127.0.0.1:{port}") is None
    for uri in (f"http://lab:hunter2@127.0.0.1:{port}", f"postgresql+psycopg://lab:hunter2@127.0.0.1:{port}/mlflow"):
        reason = ready.silent(uri)
        assert reason is not None
        assert "does not answer" in reason
        assert "hunter2" not in reason


@pytest.mark.parametrize(
    "uri",
    [
        "http://lab:hun@ter2@127.0.0.1:9",
        "http://lab:hun/ter2@127.0.0.1:9",
        "http://lab:hun?ter2@127.0.0.1:9",
        "http://lab:hun#ter2@127.0.0.1:9",
        "http://lab:hun%ter2@127.0.0.1:9",
        "postgresql+psycopg://lab:hun@ter2@127.0.0.1:9/mlflow",
        "postgresql+psycopg://127.0.0.1:9/mlflow?password=hun%40ter2",
        "http://lab:hunter2@127.0.0.1:notaport",
        "http://lab:hunter2@[::1",
    ],
)
def test_no_warning_shows_a_part_of_a_password(
    demo: Results, mmplat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for words in (("publish",), ("tracking", "send"), ("tracking", "prepare")):
        said = mmplat(*words, "--results", str(demo.root))
        assert "warning:" in said.err
        shown = said.err + (demo.tracking_ready.read_text() if demo.tracking_ready.exists() else "")
        assert "hun" not in shown
        assert "ter2" not in shown
    assert list(tracking.queued(demo)) == ["demo"]


def test_a_dead_server_delays_no_publish_and_what_it_lacks_is_queued(
    demo: Results, mmplat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab:hunter2@127.0.0.1:9")
    write_campaign(demo, "second", samples=2)
    began = time.perf_counter()
    said = mmplat("publish", "--results", str(demo.root))
    assert time.perf_counter() - began < ready.KNOCK_S + 10
    assert (said.code, said.err.count("warning:"), "hunter2" in said.err) == (0, 1, False)
    assert "`mmplat tracking send`, or the next publish" in said.err
    assert demo.published("demo").exists()
    assert set(tracking.queued(demo)) == {"demo", "second"}
    refused = mmplat("tracking", "send", "--results", str(demo.root))
    assert (refused.code, "Still queued: demo, second" in refused.err) == (1, True)


def test_without_tracking_nothing_is_queued(demo: Results, mmplat: Callable[..., Any]) -> None:
    mmplat("publish", "--no-tracking", "--results", str(demo.root))
    assert tracking.queued(demo) == {}
    assert "Nothing is queued" in mmplat("tracking", "send", "--results", str(demo.root)).err


def test_a_queued_campaign_that_is_damaged_stops_no_other(
    demo: Results, mmplat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    write_campaign(demo, "damaged", samples=2)
    tracking.enqueue(demo, "damaged", "content")
    (demo.decided("damaged", "tiny", "world-facts") / "decided.json").write_text("{")
    said = mmplat("publish", "demo", "--results", str(demo.root))
    assert (said.code, "decided.json is not valid JSON" in said.err) == (0, True)
    assert set(tracking.queued(demo)) == {"damaged", "demo"}


@pytest.mark.slow
def test_a_hanging_server_delays_a_publish_by_seconds(
    demo: Results, mmplat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.client("http://127.0.0.1:9")  # imports MLflow before the clock starts
    with hanging_server() as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
        began = time.perf_counter()
        said = mmplat("publish", "--results", str(demo.root))
        seconds = time.perf_counter() - began
    assert (said.code, said.err.count("warning:")) == (0, 1)
    assert seconds < 15
    assert list(tracking.queued(demo)) == ["demo"]


@pytest.fixture(scope="module")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables."""
    results = Results(tmp_path_factory.mktemp("mlflow"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert tracking.prepare(results)["ready"]
    return results.tracking


@pytest.mark.slow
def test_what_a_dead_server_missed_is_sent_when_there_is_one(
    demo: Results, mmplat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, mlflow_store: Path
) -> None:
    where = ("--results", str(demo.root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    mmplat("publish", *where)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{mlflow_store}")
    sent = mmplat("tracking", "send", *where)
    assert (sent.code, "demo: MLflow: 24 written, 0 there before" in sent.err) == (0, True)
    assert tracking.queued(demo) == {}
    again = mmplat("publish", *where)
    assert "demo: MLflow: 0 written, 24 there before" in again.err


@pytest.mark.slow
def test_a_slow_server_gets_its_time_and_goes_on_where_it_stopped(
    results: Results, monkeypatch: pytest.MonkeyPatch, mlflow_store: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{mlflow_store}")
    runs = [run_record("slow", "tiny", "world-facts", f"t{n}", "naive", 6, "r1") for n in range(5)]
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["mmplat.tracking.mirror"], "is_server", lambda uri: True)
        out_of_time = tracking.mirror(results, "slow", runs, lambda missing: {}, patience_s=0.0)
        some = tracking.mirror(results, "slow", runs[:2], lambda missing: {}, patience_s=600.0)
    assert (out_of_time.written, out_of_time.left, some.written, some.left) == (0, 5, 2, 0)
    assert out_of_time.warning is not None
    assert "5 runs are left" in out_of_time.warning
    of_a_file = tracking.mirror(results, "slow", runs, lambda missing: {}, patience_s=0.0)
    assert (of_a_file.written, of_a_file.present, of_a_file.warning) == (3, 2, None)


@pytest.mark.slow
def test_mirroring_takes_at_most_thirty_milliseconds_a_run(
    results: Results, monkeypatch: pytest.MonkeyPatch, mlflow_store: Path
) -> None:
    """Of the process's own time, with 20 metrics each: what others do on this machine says nothing of the mirror."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{mlflow_store}")
    runs = [run_record("fast", "tiny", "world-facts", f"t{n}", "naive", 6, "r1") for n in range(200)]
    row = {"subset": "all", "value": 0.5, "low": 0.4, "high": 0.6, "n": 6}
    twenty = {run.run_id: [MetricRecord(run_id=run.run_id, metric=f"m{n}", **row) for n in range(20)] for run in runs}
    tracking.mirror(results, "fast", runs[:1], lambda missing: twenty)
    began = time.process_time()
    done = tracking.mirror(results, "fast", runs, lambda missing: twenty)
    assert (done.written, done.present) == (199, 1)
    assert (time.process_time() - began) / 199 < 0.030
