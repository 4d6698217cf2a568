"""What token ids say, remembered beside the evidence."""

from pathlib import Path

import polars as pl
from builders import run_grid

from mmplat.artifacts import Results
from mmplat.evidence.tokens import read_tokens, remember_tokens, write_tokens


class Speaker:
    def __init__(self):
        self.asked: list[int] = []

    def say(self, tokens):
        self.asked += tokens
        return f"<{tokens[0]}>"


def part(folder: Path, name: str, ids: list[list[int]], label_tokens: list[list[int] | None]) -> None:
    columns = {"top_ids": ids, "label_tokens": label_tokens}
    kinds = {"top_ids": pl.List(pl.Int32), "label_tokens": pl.List(pl.Int16)}
    pl.DataFrame(columns, schema=kinds).write_parquet(folder / f"part-{name}.parquet")


def test_every_kept_token_is_said_once_and_places_of_labels_are_no_tokens(tmp_path):
    part(tmp_path, "a", [[5, 3], [3, 8]], [None, None])
    part(tmp_path, "b", [[0, 1]], [[1, 2]])
    speaker = Speaker()
    remember_tokens(tmp_path, speaker)
    assert read_tokens(tmp_path) == {3: "<3>", 5: "<5>", 8: "<8>"}
    part(tmp_path, "c", [[8, 9]], [None])
    remember_tokens(tmp_path, speaker)
    assert speaker.asked == [3, 5, 8, 9]
    assert read_tokens(tmp_path)[9] == "<9>"


def test_jobs_that_write_beside_each_other_lose_nothing(tmp_path):
    write_tokens(tmp_path, {1: "one", 2: "two"})
    write_tokens(tmp_path, {2: "two", 3: "three"})
    assert read_tokens(tmp_path) == {1: "one", 2: "two", 3: "three"}
    before = sorted(tmp_path.iterdir())
    write_tokens(tmp_path, {3: "three"})
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_that_says_nothing_leaves_nothing(tmp_path):
    ran = run_grid(
        "campaign: c\nmodels: [fake]\nsuites: [world-objects]\ndecodings: [greedy]\nmethods: [naive]\nlimit: 12\n",
        Results(tmp_path / "r"),
    )
    assert not list(ran.results.root.rglob("tokens-*.json"))
