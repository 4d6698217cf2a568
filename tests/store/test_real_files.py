"""What the verbs before write is what is read here: a grid run on the fake model, published, ranked and queried."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mmplat import leaderboard
from mmplat.artifacts import Results
from mmplat.store import publish


@pytest.fixture
def ran(fake_run: Any, tmp_path: Path) -> Results:
    copied = Results(tmp_path / "copied")
    shutil.copytree(fake_run.results.root, copied.root)
    return copied


def test_a_decided_grid_is_published_with_every_planned_cell(ran: Results, fake_run: Any) -> None:
    done = publish(ran, "test")
    assert (done.runs, done.incomplete, done.failed) == (fake_run.plan.planned, 0, 0)
    connection = leaderboard.connect(ran)
    table = leaderboard.ranking(connection, "test")
    assert table.height == done.runs
    assert table["value"].null_count() == table["low"].null_count() == table["unparsed"].null_count() == 0
    connection.close()


def test_every_view_has_every_value_of_the_files(ran: Results, fake_run: Any) -> None:
    publish(ran, "test")
    connection = leaderboard.connect(ran)
    predictions = fake_run.table("predictions")
    read = leaderboard.query(connection, "FROM predictions").select(predictions.columns)
    assert read.sort("run_id", "sample_id").equals(predictions.sort("run_id", "sample_id"))
    for view in ("evidence", "samples", "models", "suites", "campaigns"):
        assert leaderboard.query(connection, f"FROM {view}").height > 0, view
    sample_id = predictions["sample_id"][0]
    seen = leaderboard.evidence_of(connection, "fake", "world-objects", sample_id)
    assert seen["view"][0] == "image"
    paths = leaderboard.sample(connection, "world-objects", sample_id)["image_paths"][0]
    assert all(Path(path).is_file() for path in paths)
    connection.close()


def test_accuracy_from_the_predictions_is_the_metric_of_the_run(ran: Results) -> None:
    publish(ran, "test")
    connection = leaderboard.connect(ran)
    both = leaderboard.query(
        connection,
        """
        SELECT value, avg(p_correct) AS counted FROM predictions JOIN metrics USING (run_id)
        WHERE metric = 'expected_accuracy' AND subset = 'all' GROUP BY run_id, value
        """,
    )
    assert both["value"].to_list() == pytest.approx(both["counted"].to_list())
    connection.close()
