"""Tables as people and programs read them."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmplat.errors import ConfigError
from mmplat.leaderboard.formats import interval, plain, render

TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)
ROWS = st.lists(
    st.tuples(TEXT, st.none() | st.floats(), st.none() | st.lists(st.integers(-9, 9), max_size=3)),
    min_size=1,
    max_size=5,
)


def table_of(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"name": pl.String, "value": pl.Float64, "ids": pl.List(pl.Int64)}, orient="row")


@given(ROWS)
def test_json_is_valid_and_keeps_every_finite_value(rows: list[tuple[Any, ...]]) -> None:
    read = json.loads(render(table_of(rows), "json"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    finite = [(name, value if value is None or math.isfinite(value) else None, ids) for name, value, ids in rows]
    assert [(row["name"], row["value"], row["ids"]) for row in read] == finite


@given(ROWS)
def test_csv_and_parquet_keep_rows_and_lists(rows: list[tuple[Any, ...]]) -> None:
    table = table_of(rows)
    assert pl.read_parquet(io.BytesIO(render(table, "parquet"))).equals(table, null_equal=True)
    read = pl.read_csv(io.BytesIO(render(table, "csv")), schema_overrides={"name": pl.String, "ids": pl.String})
    assert read.height == table.height
    assert [None if ids is None else json.loads(ids) for ids in read["ids"]] == table["ids"].to_list()


@given(ROWS)
def test_markdown_has_one_line_per_row_whatever_the_text_holds(rows: list[tuple[Any, ...]]) -> None:
    lines = render(table_of(rows), "md").decode().split("\n")
    assert len(lines) == len(rows) + 3
    assert lines[1] == "|---|---:|---|"


def test_what_a_model_wrote_does_not_steer_a_terminal() -> None:
    table = pl.DataFrame({"said": ["\x1b[2Jyes\nno\x9b", "é"]})
    assert plain(table) == "said\n\\x1b[2Jyes\\nno\\x9b\né\n"


def test_plain_text_is_aligned_and_never_cut() -> None:
    table = pl.DataFrame({"model": ["tiny", "x" * 60], "n": [1, 1000]})
    assert render(table, "table").decode().splitlines() == [
        f"{'model':60}     n",
        f"{'tiny':60}     1",
        f"{'x' * 60}  1000",
    ]


def test_an_undefined_value_is_a_dash_and_never_zero() -> None:
    assert interval(None, None, None) == "–"
    assert interval(0.5, None, None) == "0.500"
    assert interval(0.5, 0.25, 0.75) == "0.500 [0.250, 0.750]"


def test_an_unknown_format_names_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"Unknown format 'xml'\. Allowed: table, csv, json, md, parquet"):
        render(pl.DataFrame({"a": [1]}), "xml")
