"""What a grid may say of an endpoint, what it can be asked for, and the check before the first sample."""

import json

import pytest
from builders import ask_all
from chat_server import serving
from typer.testing import CliRunner

from mmplat.cli.app import app
from mmplat.errors import ConfigError, ModelError
from mmplat.models import bind, families
from mmplat.views import catalog as views

HERE = {"url": "http://127.0.0.1:9/v1", "model": "m"}


def bound(**params):
    return bind("gpt", {"family": "endpoint", "params": {**HERE, **params}})


def test_an_endpoint_needs_no_path_and_may_be_called_like_a_hub_name():
    assert bound().path is None
    assert bind("openai/gpt", {"family": "endpoint", "params": HERE}).path is None


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"top_logprob": 5}, "params.top_logprob is unknown. Allowed params: url, model, key_env, .*docs/endpoints.md"),
        ({"url": "localhost:8000"}, "params.url: a URL such as https://api.openai.com/v1"),
        ({"concurrency": 0}, "params.concurrency: Input should be greater than or equal to 1"),
        ({"max_cost": 5}, "max_cost needs price_in and price_out"),
        ({"decoding": "k5"}, "params.decoding: chat APIs know no top_k"),
        ({"decoding": "warm"}, "Unknown decoding 'warm'"),
        ({"answers": "guessed"}, "params.answers: Input should be 'auto', 'logprobs' or 'sampled'"),
        ({"one": 1, "two": 2}, "params.one is unknown; params.two is unknown"),
    ],
)
def test_a_wrong_parameter_is_told_while_planning(params, message):
    with pytest.raises(ConfigError, match=f"Model 'gpt' .family endpoint.: .*{message}"):
        bound(**params)


def test_url_and_model_are_needed():
    with pytest.raises(ConfigError, match="params.url: Field required; params.model: Field required"):
        bind("gpt", {"family": "endpoint"})


def test_what_belongs_to_a_checkpoint_is_refused():
    with pytest.raises(ConfigError, match="is an endpoint and has no path, dtype"):
        bind("gpt", {"family": "endpoint", "path": "x/y", "dtype": "float16", "params": HERE})


def test_views_that_no_message_can_carry_are_skipped_with_the_reason(planned):
    text = f"campaign: c\nmodels: [{{name: gpt, family: endpoint, params: {HERE}}}]\nsuites: [world-objects]\n"
    plan = planned(text + "methods: [naive, posthoc-none, vdd-unk, vcd, posthoc-zero]\nviews: [black, noise]\n")
    assert {seeded.method.spec.name for seeded in plan.pairs[0].methods} == {"naive", "posthoc-none"}
    assert {skip.method for skip in plan.skipped} == {"vdd-unk", "vcd", "posthoc-zero"}
    assert all("an endpoint takes" in skip.reason for skip in plan.skipped)
    assert [view.name for view in plan.pairs[0].views] == ["image", "none", "black"]


def test_every_view_is_available_or_has_a_reason():
    unavailable = families.get("endpoint").unavailable
    assert {name for name in views if not unavailable(name)} >= {"image", "none", "black", "white"}
    assert {name for name in views if unavailable(name)} >= {"unk", "noise", "zero", "one"}


def test_an_endpoint_has_nothing_to_be_compared_with():
    done = CliRunner().invoke(app, ["models", "check", "gpt", "--family", "endpoint"])
    assert isinstance(done.exception, ConfigError)
    assert "no weights here, so there is nothing to compare them with" in str(done.exception)
    assert "`mmplat ask` before its first sample" in str(done.exception)


def test_an_endpoint_that_is_down_is_one_clear_error_before_anything_is_lost(planned, results, grid, endpoint):
    with serving(type(endpoint)()) as gone:
        url = gone.url
    with pytest.raises(ModelError, match=f"{url} gives no answer: no answer .*, 2 times. Nothing was asked. Is it up"):
        ask_all(planned(grid(url=url, max_retries=1)), results)
    assert not list(results.evidence_root.rglob("*.parquet"))


def test_a_wrong_path_names_url_and_model(planned, results, grid, endpoint):
    with pytest.raises(
        ModelError, match="no such path /v2/chat/completions. Check `url` .with /v1 at its end.. and `model`"
    ):
        ask_all(planned(grid(url=endpoint.url.replace("/v1", "/v2"))), results)


def test_an_endpoint_that_tells_fewer_is_not_taken_for_one_that_tells_none(planned, results, grid, endpoint):
    endpoint.most = 5
    with pytest.raises(
        ModelError, match="does not tell 20 log-probabilities: status 400: top_logprobs must be at most 5"
    ):
        ask_all(planned(grid()), results)
    (outcome,) = ask_all(planned(grid(top_logprobs=5)), results)
    assert outcome.failures == []


def test_where_log_probabilities_are_demanded_none_is_an_error(planned, results, grid, endpoint):
    endpoint.most = 0
    with pytest.raises(
        ModelError, match="tells no log-probabilities of 'remote' .none in its reply.. With `answers: sampled`"
    ):
        ask_all(planned(grid(answers="logprobs")), results)


def test_an_account_without_money_ends_the_run(planned, results, grid, endpoint):
    def broke(handler, body):
        error = {"message": "You exceeded your quota", "code": "insufficient_quota"}
        handler.send(429, json.dumps({"error": error}))
        return True

    endpoint.always = broke
    with pytest.raises(ModelError, match="You exceeded your quota. What was asked is kept: settle the account"):
        ask_all(planned(grid(concurrency=1)), results)
    assert len(endpoint.times) == 1
