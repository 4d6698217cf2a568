"""docs/cookbook.md: twenty questions, each asked of a grid that was really run; and SQL's debiasing is that of the methods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest
from builders import run_grid

from mmplat.artifacts import Results
from mmplat.leaderboard import connect, query
from mmplat.store import publish

DOC = (Path(__file__).parents[2] / "docs" / "cookbook.md").read_text(encoding="utf-8")
ASKED = re.findall(r"^### (.+?)\n\n```sql\n(.+?)```", DOC, re.MULTILINE | re.DOTALL)
# The names of the demo, on a model that needs no torch.
GRID = """
campaign: demo
models:
  - {name: tiny, family: fake}
  - {name: tiny-biased, family: fake, params: {vocab_size: 80}}
suites: [world-objects, world-spurious]
decodings: [greedy, sample]
methods: [naive, posthoc-none, vdd-none]
views: [black]
limit: 150
"""


@pytest.fixture(scope="module")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("cookbook") / "results")
    run_grid(GRID, results)
    publish(results, "demo", url=f"sqlite:///{results.store}")
    return results


@pytest.fixture(scope="module")
def opened(demo_store: Results) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(demo_store)
    yield connection
    connection.close()


def test_there_are_twenty_questions() -> None:
    assert len(ASKED) == len({question for question, _ in ASKED}) == 20
    assert DOC.count("```sql") == 20


@pytest.mark.parametrize(("question", "sql"), ASKED, ids=[question for question, _ in ASKED])
def test_each_question_has_an_answer(opened: duckdb.DuckDBPyConnection, question: str, sql: str) -> None:
    answer = query(opened, sql)
    assert answer.height > 0, question
    assert answer.height > answer.null_count().max_horizontal()[0] or "versions" in sql, "a column is null throughout"


def test_post_hoc_debiasing_in_sql_is_that_of_the_method(opened: duckdb.DuckDBPyConnection) -> None:
    both = query(
        opened,
        """
        SELECT posthoc(seen.label_logits, blind.label_logits) AS sql, probs
        FROM predictions AS p JOIN runs USING (run_id)
        JOIN samples AS s ON s.suite = p.suite AND s.suite_key = runs.suite_key AND s.sample_id = p.sample_id
        JOIN evidence AS seen ON seen.model = p.model AND seen.suite = p.suite AND seen.sample_key = s.sample_key
        JOIN evidence AS blind ON blind.model = p.model AND blind.suite = p.suite AND blind.sample_key = s.sample_key
        WHERE method = 'posthoc-none' AND decoding = 'sample' AND seen.view = 'image' AND blind.view = 'none'
        """,
    )
    assert both.height == 2 * 2 * 150
    for ours, theirs in zip(both["sql"].to_list(), both["probs"].to_list(), strict=True):
        assert np.allclose(ours, theirs, atol=1e-6)


def test_accuracy_in_sql_is_the_metric_of_the_run(opened: duckdb.DuckDBPyConnection) -> None:
    both = query(
        opened,
        """
        SELECT expected_accuracy_of(probs, labels, gold) AS expected, max(e.value) AS metric,
               accuracy_of(probs, labels, gold) AS among_labels, max(a.value) AS accuracy,
               avg((answer_of(probs, labels) = gold AND p_other <= list_max(probs))::INT) AS likeliest
        FROM predictions JOIN metrics AS e USING (run_id) JOIN metrics AS a USING (run_id)
        WHERE e.metric = 'expected_accuracy' AND e.subset = 'all' AND a.metric = 'accuracy' AND a.subset = 'all'
        GROUP BY run_id
        """,
    )
    assert both.height == 2 * 2 * 2 * 3
    assert both["expected"].to_list() == pytest.approx(both["metric"].to_list())
    assert (both["among_labels"] >= both["accuracy"] - 1e-12).all()  # there, saying none of them is not right
    assert both["likeliest"].to_list() == pytest.approx(both["accuracy"].to_list())
