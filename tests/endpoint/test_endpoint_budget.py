"""A cap on tokens or money holds, over all runs, and stopping at it loses nothing."""

import subprocess
import sys

import pytest
from builders import ask_all
from chat_server import slowly

from mmplat.errors import ArtifactError, ModelError
from mmplat.models.endpoint.budget import BudgetSpent
from mmplat.models.endpoint.replies import Ledger, Usage
from mmplat.models.endpoint.settings import Settings

COST = 101
"""Tokens of one reply of the server in these tests."""


def spent(endpoint):
    return len(endpoint.headers) * COST  # the check before the first sample costs as well


@pytest.mark.parametrize("concurrency", [1, 6])
def test_the_cap_is_never_passed_and_what_was_asked_is_kept(planned, results, grid, endpoint, concurrency):
    text = grid(limit=30, concurrency=concurrency, max_tokens_spent=2000)
    endpoint.always = slowly(0.01)
    with pytest.raises(
        BudgetSpent, match=r"of max_tokens_spent = 2,000 are spent .*raise max_tokens_spent in the grid"
    ):
        ask_all(planned(text), results)
    assert 2000 - COST < spent(endpoint) <= 2000
    with pytest.raises(BudgetSpent):  # the cap is over all runs: the same command does not spend it again
        ask_all(planned(text), results)
    assert spent(endpoint) <= 2000 + COST  # the check of the second run
    (outcome,) = ask_all(planned(text.replace("2000", "100000")), results)
    assert outcome.failures == []
    assert outcome.kept == len(endpoint.bodies) - outcome.asked > 0


def test_money_is_counted_by_the_prices_of_the_grid(planned, results, grid, endpoint):
    price = {"price_in": 2.5, "price_out": 10.0}
    each = (100 * 2.5 + 1 * 10.0) / 1e6
    with pytest.raises(BudgetSpent, match="of max_cost = 0.002 are spent"):
        ask_all(planned(grid(limit=60, max_cost=0.002, **price)), results)
    assert 0.002 - each < len(endpoint.headers) * each <= 0.002


def test_until_a_picture_has_told_its_cost_only_one_is_on_its_way(planned, results, grid, endpoint):
    def is_dear(handler, body):
        endpoint.usage = {"prompt_tokens": 900, "completion_tokens": 1}
        return slowly(0.02)(handler, body)

    endpoint.always = is_dear
    with pytest.raises(BudgetSpent):
        ask_all(planned(grid(limit=30, concurrency=8, max_tokens_spent=1950)), results)
    assert len(endpoint.bodies) == 2  # the cheap check told nothing of pictures: eight at once would have cost 7,208


def test_a_ledger_that_a_full_disk_cut_off_is_named_by_its_line(results):
    ledger = Ledger(results.replies, Settings(url="http://localhost/v1", model="m"))
    ledger.add(Usage(prompt_tokens=120, completion_tokens=4))
    with ledger.path.open("a") as stream:
        stream.write("13,4")
    ledger.add(Usage(prompt_tokens=7, completion_tokens=1))
    with pytest.raises(ArtifactError, match=r"spent.csv holds a line that says no tokens: '13,47,1'"):
        list(ledger.news())


def test_a_cap_needs_an_endpoint_that_tells_what_it_used(planned, results, grid, endpoint):
    endpoint.usage = None
    with pytest.raises(ModelError, match="does not say what a request used, so no cap can be kept"):
        ask_all(planned(grid(max_tokens_spent=1000)), results)
    (outcome,) = ask_all(planned(grid()), results)
    assert outcome.failures == []


def test_a_spent_budget_is_a_message_and_an_exit_code(planned, results, grid, endpoint, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(grid(max_tokens_spent=500))
    command = [sys.executable, "-c", "from mmplat.cli.app import main; main()"]
    for verb in ("prepare", "ask"):
        done = subprocess.run(
            [*command, verb, "--grid", str(file), "--results", str(results.root)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: remote at http://127.0.0.1")
    assert "of max_tokens_spent = 500 are spent" in done.stderr
    assert "run the same command again to go on" in done.stderr
