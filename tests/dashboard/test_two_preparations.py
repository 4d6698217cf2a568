"""A campaign whose suite was prepared anew holds two preparations until all of it is decided again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from mmplat import leaderboard
from mmplat.artifacts import Results
from mmplat.leaderboard import standings
from mmplat.leaderboard.under_conditions import under_conditions

SUITE, METRIC = "world-objects", "expected_accuracy"
SECOND = """
campaign: second
models: [fake]
suites: [world-objects]
decodings: [greedy]
methods: [naive]
limit: 45
"""


@pytest.fixture
def twice(mine: Results, run_campaign: Callable[[Results, str], None]) -> Results:
    run_campaign(mine, SECOND)
    with closing(sqlite3.connect(mine.store)) as store:
        names = [row[1] for row in store.execute("PRAGMA table_info(suites)")]
        copied = ", ".join("'zzz'" if name == "key" else name for name in names)
        store.execute(f"INSERT INTO suites SELECT {copied} FROM suites WHERE suite = '{SUITE}'")
        store.commit()
    return mine


def test_a_change_is_counted_once_per_run(twice: Results) -> None:
    with closing(leaderboard.connect(twice)) as connection:
        plain = standings.standings(connection, "demo", SUITE, metric=METRIC)
        table = standings.standings(connection, "demo", SUITE, metric=METRIC, before="second")
        assert table["run_id"].to_list() == plain["run_id"].to_list()
        assert table["change"].drop_nulls().to_list() == [0.0]


def test_a_sample_is_that_of_the_preparation_that_was_answered(twice: Results) -> None:
    with closing(leaderboard.connect(twice)) as connection:
        sample = leaderboard.samples(connection, SUITE)["sample_id"][0]
        rows = under_conditions(connection, "demo", SUITE, sample, model="fake", method="naive", decoding="greedy")
        assert rows["answer"].null_count() == 0 < rows.height
