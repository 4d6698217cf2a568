"""Tables as people and programs read them: plain text, Markdown, CSV, JSON, Parquet."""

from __future__ import annotations

import io
import json
import math
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, get_args

import polars as pl

from mmplat.errors import ConfigError

STEERING = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}
"""Control characters, spelled out."""
Format = Literal["table", "csv", "json", "md", "parquet"]


def render(table: pl.DataFrame, form: str) -> bytes:
    """The bytes of `table` in one of the formats, ending in a newline where it is text."""
    if form == "parquet":
        buffer = io.BytesIO()
        table.write_parquet(buffer)
        return buffer.getvalue()
    texts = {"table": plain, "csv": as_csv, "json": as_json, "md": markdown}
    if form not in texts:
        raise ConfigError(f"Unknown format {form!r}. Allowed: {', '.join(get_args(Format))}.")
    return texts[form](table).encode()


def as_csv(table: pl.DataFrame) -> str:
    """CSV has no lists: they are written as JSON inside their field."""
    nested = [name for name, kind in table.schema.items() if kind.is_nested()]
    flat = [
        pl.Series(name, [_nested_json(value) for value in table[name].to_list()], dtype=pl.String) for name in nested
    ]
    return table.with_columns(flat).write_csv()


def as_json(table: pl.DataFrame) -> str:
    """An array of one object per row, a row per line; what JSON has no number for becomes null."""
    rows = [json.dumps(_jsonable(row), ensure_ascii=False) for row in table.to_dicts()]
    return "[" + ",\n ".join(rows) + "]\n"


def markdown(table: pl.DataFrame) -> str:
    header = "| " + " | ".join(table.columns) + " |"
    rule = "|" + "|".join("---:" if kind.is_numeric() else "---" for kind in table.dtypes) + "|"
    rows = [
        "| " + " | ".join(cell(value).replace("|", "\\|").replace("\n", " ") for value in row) + " |"
        for row in table.iter_rows()
    ]
    return "\n".join([header, rule, *rows]) + "\n"


def plain(table: pl.DataFrame) -> str:
    """Aligned columns without lines, whole values: for pipes and logs."""
    cells = [[harmless(value) for value in row] for row in table.iter_rows()]
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(table.columns)]
    right = [kind.is_numeric() for kind in table.dtypes]

    def line(row: list[str]) -> str:
        padded = (
            text.rjust(width) if r else text.ljust(width) for text, width, r in zip(row, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(table.columns), *(line(row) for row in cells)]) + "\n"


def with_interval(table: pl.DataFrame) -> pl.DataFrame:
    """value, low and high as one readable column, where `value` stands."""
    texts = [interval(*numbers) for numbers in table.select("value", "low", "high").iter_rows()]
    return table.with_columns(pl.Series("value", texts, dtype=pl.String)).drop("low", "high")


def with_rank_range(table: pl.DataFrame) -> pl.DataFrame:
    """rank, rank_low and rank_high as one readable column, `3 (1–5)`; the rank alone where no range is known."""
    ranks = table.select("rank", "rank_low", "rank_high").iter_rows()
    texts = [
        None if rank is None else str(rank) if low is None else f"{rank} ({low}–{high})" for rank, low, high in ranks
    ]
    return table.with_columns(pl.Series("rank", texts, dtype=pl.String)).drop("rank_low", "rank_high")


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """`0.812 [0.790, 0.833]`; a dash where the metric is undefined."""
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return (
        str(_jsonable(value))
        if not isinstance(value, (list, dict))
        else json.dumps(_jsonable(value), ensure_ascii=False)
    )


def harmless(value: Any) -> str:
    """A cell for a terminal: what a model or a file says must not steer it, nor begin a new line."""
    return cell(value).translate(STEERING)


def _nested_json(value: Any) -> str | None:
    return None if value is None else json.dumps(_jsonable(value), ensure_ascii=False)


def _jsonable(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _jsonable(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, (date, datetime, time, timedelta)) else value
