"""Tables of the pages: every column looks the same wherever it stands, and every table can be taken home.

At most `LISTED` rows travel to the browser; the downloads have all.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from mmplat.artifacts import safe_name
from mmplat.leaderboard.exporting import as_latex
from mmplat.leaderboard.formats import as_csv, with_interval
from mmplat.leaderboard.ranges import RANGED

LISTED = 1000
number, words = st.column_config.NumberColumn, st.column_config.TextColumn
LOOKS = {
    "rank": number("#", width=45),
    "ranks": words(
        "range", width=80, help=f"the rank is in this range with 95 %; the best {RANGED} of a suite have one"
    ),
    "value": number("value", format="%.3f", width=70),
    "mean_over_suites": number("mean", format="%.3f", width=70, help="plain mean over suites, each counting once"),
    "robust": number("robust", format="%.3f", width=70),
    "weakest": words("weakest at", help="where the robust score finds its lowest value"),
    "before": number("before", format="%.3f", width=70, help="the same cell in the other campaign"),
    "change": number("change", format="%+.3f", width=75, help="value − before; none where the suite's samples differ"),
    "difference": number("difference", format="%+.3f"),
    "gain": number("gain", format="%+.3f"),
    "interval": words("95 % interval", width=115),
    "n": number("n", format="localized", width=70),
    "unparsed": number("unparsed", format="percent", width=80, help="share of answers that are no label"),
    "n_failed": number("failed", help="samples without an answer; they are in no number"),
    "forward_passes": number("passes", format="localized", width=80, help="forward passes of this cell when run alone"),
    "passes_per_sample": number("passes / sample", format="%.2f"),
    "seconds": number("seconds", format="%.2f", width=80, help="asking and deciding, run alone"),
    "size_b": number("size", format="%.3gB", width=70, help="billions of parameters, where name or path tell"),
    "suites_missing": number("missing", help="suites that others have and this row lacks"),
    "p": number("p", format="%.4f", width=70),
    "p_holm": number("p (Holm)", format="%.4f", help="adjusted over this family of comparisons"),
    "reason": words("reason", width="large"),
    "error": words("error", width="large"),
    "near_tie": st.column_config.CheckboxColumn("near tie"),
    "rows_per_s": number("rows/s", format="%.1f"),
    "bytes": number("size", format="bytes"),
    "files": number("files", format="localized"),
}


def show(
    rows: pl.DataFrame,
    name: str,
    *,
    columns: list[str] | None = None,
    metric: str | None = None,
    key: str | None = None,
    looks: dict[str, Any] | None = None,
    everything: pl.DataFrame | None = None,
) -> int | None:
    """The table, with its downloads: CSV, and LaTeX where `metric` names what its values are. With `key` rows can be
    selected; returns which one is. `everything` is what the download holds, where that is more than what is shown."""
    shown = rows.select(columns) if columns else rows
    options: dict[str, Any] = {"on_select": "rerun", "selection_mode": "single-row", "key": key} if key else {}
    head = shown.head(LISTED)
    picked = st.dataframe(head, hide_index=True, column_config=looks_of(head) | (looks or {}), **options)
    if shown.height > LISTED:
        st.caption(f"The first {LISTED:,} of {shown.height:,} rows are listed; the download has all.")
    downloads(rows if everything is None else everything, name, shown=shown, metric=metric)
    selected = picked.selection.rows if key else []
    return selected[0] if selected else None


def aside(rows: pl.DataFrame, name: str, *, title: str = "Table", **options: Any) -> None:
    """The table of a chart, folded away."""
    with st.expander(title, icon=":material/table:"):
        show(rows, name, **options)


def downloads(rows: pl.DataFrame, name: str, *, shown: pl.DataFrame, metric: str | None) -> None:
    """The files are made when they are asked for: a page that is only read pays nothing for them."""
    file = safe_name(name)
    with st.container(horizontal=True):
        _button("CSV", lambda: as_csv(rows).encode(), f"{file}.csv", "text/csv")
        if metric is not None:
            _button("LaTeX", lambda: as_latex(_printed(shown, rows), metric).encode(), f"{file}.tex", "text/x-tex")


def _button(kind: str, made: Any, file: str, mime: str) -> None:
    st.download_button(
        f"Download {kind}", made, file, mime, icon=":material/download:", on_click="ignore", key=f"{kind} {file}"
    )


def _printed(shown: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """As a paper prints it: numbers with three digits, and the interval beside its value."""
    if {"low", "high"} <= set(rows.columns) and "value" in shown.columns:
        shown = with_interval(shown.with_columns(rows["low"], rows["high"])).drop("interval", strict=False)
    texts = [
        pl.Series(name, [None if each is None else f"{each:.3f}" for each in shown[name]], dtype=pl.String)
        for name, kind in shown.schema.items()
        if kind.is_float()
    ]
    return shown.with_columns(texts).cast(pl.String)


def looks_of(rows: pl.DataFrame) -> dict[str, Any]:
    """Columns that nobody described are shown as they are, fractions with three digits."""
    three = {name: number(format="%.3f") for name, kind in rows.schema.items() if kind.is_float()}
    return three | {
        name: LOOKS[name] for name, kind in rows.schema.items() if name in LOOKS and fits(LOOKS[name], kind)
    }


def fits(look: Any, kind: pl.DataType) -> bool:
    """A column of words may carry the name of a number elsewhere."""
    return look["type_config"]["type"] != "number" or kind.is_numeric() or kind == pl.Null


def with_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """`interval` and `ranks` as people read them, from low, high, rank_low and rank_high."""
    pairs = {"interval": ("low", "high", "{:.3f} – {:.3f}"), "ranks": ("rank_low", "rank_high", "{} – {}")}
    for name, (low, high, form) in pairs.items():
        if {low, high} <= set(rows.columns):
            rows = rows.with_columns(ends(rows, low, high, form).alias(name))
    return rows


def ends(rows: pl.DataFrame, low: str, high: str, form: str) -> pl.Series:
    texts = [None if one is None else form.format(one, other) for one, other in rows.select(low, high).iter_rows()]
    return pl.Series(texts, dtype=pl.String)
