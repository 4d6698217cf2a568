"""A key is in the environment and in the request, and nowhere else: not in files, logs, output or errors."""

import logging
import os
import subprocess
import sys

import pytest
from builders import ask_all, run_grid
from chat_server import fails, made_up, says, well

from mmplat.artifacts import Results
from mmplat.errors import ConfigError, ModelError
from mmplat.models import bind

KEY = "sk-test-5f0e1c7d9b3a4826"


@pytest.fixture
def keyed(endpoint, monkeypatch):
    """An endpoint that wants a key, and repeats it wherever it can."""
    endpoint.key = KEY
    endpoint.told = lambda body: [*made_up(body)[:10], (KEY, -30.0), *made_up(body)[10:]]
    monkeypatch.setenv("FAR_KEY", KEY)
    return endpoint


def assert_nowhere(results: Results, *texts: str) -> None:
    files = [path for path in results.root.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path
        assert KEY not in str(path)
    for text in texts:
        assert KEY not in text


def test_a_key_is_sent_and_lands_in_no_file_and_no_log(results, grid, keyed, caplog):
    keyed.script += [fails(500, f"your key is {KEY}"), well, fails(400, f"bad key {KEY}?"), says(f'{{"key": "{KEY}"')]
    with caplog.at_level(logging.DEBUG):
        ran = run_grid(grid(key_env="FAR_KEY", methods="posthoc-none", concurrency=1), results)
    assert all(headers["authorization"] == f"Bearer {KEY}" for headers in keyed.headers)
    assert ran.table("predictions")["error"].drop_nulls().str.contains("***", literal=True).any()
    assert len(caplog.text) > 100
    assert_nowhere(results, caplog.text, str(ran.table("predictions").to_dicts()))


def test_nothing_that_the_command_line_prints_holds_the_key(results, grid, keyed, tmp_path):
    """With the client's own log at its most talkative, and an endpoint that repeats the key in its errors."""
    file = tmp_path / "grid.yaml"
    file.write_text(grid(key_env="FAR_KEY"))
    keyed.script += [well, fails(403, f"{KEY} may not do this")]
    command = [sys.executable, "-c", "from mmplat.cli.app import main; main()"]
    environment = {**os.environ, "OPENAI_LOG": "debug"}
    said = []
    for verb in ("prepare", "ask"):
        done = subprocess.run(
            [*command, verb, "--grid", str(file), "--results", str(results.root)],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip
        said += [done.stdout, done.stderr]
    assert done.returncode == 1
    assert "answers status 403: *** may not do this" in done.stderr
    assert_nowhere(results, *said)


def test_a_wrong_key_names_its_variable_and_is_not_tried_again(results, grid, keyed, planned, monkeypatch):
    monkeypatch.setenv("FAR_KEY", "sk-wrong")
    with pytest.raises(ModelError, match="answers 401: the key in FAR_KEY was not accepted") as error:
        ask_all(planned(grid(key_env="FAR_KEY")), results)
    assert "sk-wrong" not in str(error.value)
    assert len(keyed.headers) == 1
    assert keyed.times == []


def test_a_missing_key_is_noticed_before_anything_is_sent(results, grid, keyed, planned):
    with pytest.raises(ConfigError, match="in the environment variable NO_SUCH_KEY, which is not set"):
        ask_all(planned(grid(key_env="NO_SUCH_KEY")), results)
    assert keyed.headers == []


def test_a_key_of_openai_goes_to_no_other_host(results, grid, endpoint, planned, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    ask_all(planned(grid(limit=2)), results)
    assert len(endpoint.headers) > 1
    assert KEY not in str(endpoint.headers)


@pytest.mark.parametrize(
    "params",
    [
        {"url": "http://x/v1", "model": "m", "api_key": KEY},
        {"url": "http://x/v1", "model": "m", "key_env": KEY},
        {"url": "http://x/v1", "model": "m", "key_env": f"AIza{KEY}".replace("-", "")},
        {"url": f"http://me:{KEY}@x/v1", "model": "m"},
        {"url": f"http://x/v1?key={KEY}", "model": "m"},
        {"url": f"http://me:a/{KEY}@x/v1", "model": "m"},
        {"url": f"http://me:1/{KEY}@x/v1", "model": "m"},
        {"url": f"http://me:{KEY}/v1", "model": "m"},
        {"url": f"http://me:{KEY}[x/v1", "model": "m"},
        {"url": f"http://{KEY}\u2100/v1", "model": "m"},
    ],
)
def test_a_key_that_was_put_into_the_grid_is_refused_and_not_repeated(params):
    with pytest.raises(ConfigError) as error:
        bind("gpt", {"family": "endpoint", "params": params})
    assert KEY[-12:] not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
