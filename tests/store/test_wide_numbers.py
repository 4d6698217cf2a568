"""Numbers that SQL gives beyond 64 bits: never NULL, never another number, never a traceback."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import polars as pl
import pytest

from mmplat.leaderboard.formats import render
from mmplat.leaderboard.querying import QueryError, frame

LARGE = "(VALUES (9223372036854775807::BIGINT), (9223372036854775807)) AS t(x)"
SMALL = "(VALUES (1::BIGINT), (2)) AS t(x)"


def found(sql: str) -> pl.DataFrame:
    with duckdb.connect() as connection:
        return frame(connection.execute(sql))


@pytest.mark.parametrize(
    ("what", "value", "kind"),
    [
        ("sum(x)", 3, pl.Int64),
        ("[sum(x)]", [3], pl.List(pl.Int64)),
        ("{'a': sum(x), 'b': [1.5]}", {"a": 3, "b": [1.5]}, None),
        ("MAP {'a': sum(x)}", None, None),
        ("[sum(x)]::HUGEINT[1]", [3], pl.Array(pl.Int64, 1)),
        ("sum(x) + 0.5", 3.5, pl.Float64),
        ("max(9223372036854775807::HUGEINT)", 2**63 - 1, pl.Int64),
        ("sum(x) FILTER (x > 5)", None, pl.Int64),
    ],
)
def test_sums_that_fit_are_plain_numbers_in_every_format(what: str, value: Any, kind: Any) -> None:
    table = found(f"SELECT {what} AS s FROM {SMALL}")
    if kind is not None:
        assert table.schema == {"s": kind}
    if value is not None:
        assert table.row(0) == (value,)
    for form in ("table", "csv", "json", "md"):
        render(table, form)
    json.loads(render(table, "json"))


@pytest.mark.parametrize(
    "what",
    [
        "sum(x)",
        "[sum(x)]",
        "{'a': sum(x)}",
        "MAP {'a': sum(x)}",
        "170141183460469231731687303715884105727::HUGEINT",
        "-170141183460469231731687303715884105727::HUGEINT",
        "340282366920938463463374607431768211455::UHUGEINT",
        "[3::UHUGEINT]",
        "123456789012345678901234567890123456789012345678901234567890::BIGNUM",
    ],
)
def test_a_number_beyond_64_bits_is_refused_and_says_what_to_do(what: str) -> None:
    with pytest.raises(QueryError, match=r"Column 's' .*CAST it to DOUBLE .* or to VARCHAR"):
        found(f"SELECT {what} AS s FROM {LARGE}")


def test_a_cast_gives_the_number_that_was_refused() -> None:
    table = found(f"SELECT sum(x)::VARCHAR AS exact, sum(x)::DOUBLE AS rounded FROM {LARGE}")
    assert table.row(0) == ("18446744073709551614", 2.0**64)
