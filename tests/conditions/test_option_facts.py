"""Two sentences about each wrong option, written by an endpoint on the loopback."""

import json
from dataclasses import replace

import pytest
import yaml
from endpoint.chat_server import Endpoint, serving, text_of
from typer.testing import CliRunner

from mmplat.cli.app import app
from mmplat.conditions import applied, bind
from mmplat.errors import ConfigError
from mmplat.models.endpoint import patience
from mmplat.option_facts import PROMPT, generate, load, summary
from mmplat.suites import bind as bind_suite
from mmplat.suites import catalog as suites


def encyclopedia(body):
    """Tells two sentences about the last word; of a dog whom it chases, and of a cow nothing."""
    option = text_of(body).split()[-1].rstrip(".")
    told = {"dog": "A dog runs.\nIt chases cat and hen and pig.", "cow": " "}.get(
        option, f"A {option} is nice. It is old."
    )
    return [(told, 0.0)]


@pytest.fixture
def writer(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving(Endpoint(told=encyclopedia)) as endpoint:
        yield endpoint


@pytest.fixture
def config(writer, tmp_path):
    path = tmp_path / "facts.yaml"
    suite = {"name": "world-both", "params": {"n": 240}}
    said = {"suites": [suite], "writer": {"url": writer.url, "model": "vicuna"}, "out": str(tmp_path / "facts.jsonl")}
    path.write_text(yaml.safe_dump(said))
    return path


def test_each_wrong_option_is_asked_about_once_and_stored_with_who_wrote_it(config, writer, results):
    written = generate(load(config), results)
    asked = [text_of(body) for body in writer.bodies]
    assert len(asked) == len(set(asked)) == len(written.told) + 1
    rows = [json.loads(line) for line in (config.parent / "facts.jsonl").read_text().splitlines()]
    assert [row["option"] for row in rows] == sorted(row["option"] for row in rows)
    dog = next(row for row in rows if row["option"] == "dog")
    assert dog["text"] == "A dog runs. It chases cat and hen and pig."
    assert dog["by"] == {"model": "vicuna", "served": "remote-2026-01-01", **PROMPT}
    assert written.failures == ["cow: the reply is empty"]


def test_where_a_text_would_name_the_right_answer_is_counted_and_it_is_left_out_there(config, results):
    written = generate(load(config), results)
    spec = bind("misleading-description", {"facts": str(config.parent / "facts.jsonl")})
    samples = list(suites.get("world-both").samples(bind_suite("world-both", {"n": 240})))
    right = {sample.sample_id: sample.options[sample.labels.index(sample.gold)] for sample in samples}
    leaks = [s for s in samples if "dog" in s.options and right[s.sample_id] in ("cat", "hen", "pig")]
    assert summary(written)["left out there"] == {"it names the right answer": len(leaks)}
    assert leaks
    unders = [applied(spec, replace(sample, described={})) for sample in samples]
    assert sum(under.reference["condition"]["facts"] == "file" for under in unders) > 180
    for under in unders:
        assert right[under.sample_id] not in under.question.partition("Which")[0].replace(".", "").split()


def test_the_command_pays_nothing_twice_and_tells_what_is_missing(config, writer, results):
    told = CliRunner().invoke(app, ["facts", "generate", str(config), "--results", str(results.root)])
    assert told.exit_code == 1
    assert "options: " in told.output
    assert "Nothing was told about 1 options" in str(told.exception)
    paid = len(writer.bodies)
    again = CliRunner().invoke(app, ["facts", "generate", str(config), "--keep-going", "--results", str(results.root)])
    assert again.exit_code == 0, again.output
    assert len(writer.bodies) == paid


def test_texts_that_a_new_file_lacks_are_kept_beside_it(config, results):
    out = config.parent / "facts.jsonl"
    out.write_text('{"option": "unicorn", "text": "It was looked up in a book."}\n')
    written = generate(load(config), results)
    assert written.kept is not None
    assert "looked up in a book" in written.kept.read_text()
    assert "unicorn" not in out.read_text()
    assert generate(load(config), results).kept is None


def test_suites_without_options_are_refused(config, results):
    config.write_text(config.read_text().replace("world-both", "world-objects"))
    with pytest.raises(ConfigError, match="None of these suites has questions with options"):
        generate(load(config), results)
