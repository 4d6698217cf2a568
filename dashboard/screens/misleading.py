"""Misleading: how often a cue turns a right answer wrong, and how often one turns a wrong answer right."""

from __future__ import annotations

import altair as alt
import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st
import why

WHOLE, EVERY = "all", "all methods"
NEEDS = "suites with cues (`conditions: [cue-gold, cue-wrong]`)"
RATES = {"tf": "T→F", "ft": "F→T", "control_tf": "T→F without a cue", "control_ft": "F→T without a cue"}
ACCURACIES = {"clean": "no cue", "true_cue": "a cue that is true", "false_cue": "a cue that is false"}
COLUMNS = ["model", "method", "decoding", "cue", "subset", "tf", "ft", "mean", "control_tf", "control_ft", "disturbed",
           *ACCURACIES, "invalid", "invalid_cued", "n_t", "n_f", "n"]  # fmt: skip


def show() -> None:
    with st.container(horizontal=True):
        campaign, suite, rows = why.choose_suite_of("misleading", needs=NEEDS)
        decoding = shared.choose("Decoding", "decoding", rows["decoding"].unique(maintain_order=True).to_list())
        cue = shared.choose("Template", "cue", rows["cue"].unique(maintain_order=True).to_list())
        methods = rows["method"].unique(maintain_order=True).to_list()
        method = shared.choose("Method", "method", [*methods, EVERY]) if len(methods) > 1 else EVERY
    mine = rows.filter(decoding=decoding, cue=cue)
    mine = mine if method == EVERY else mine.filter(method=method)
    several = mine["method"].n_unique() > 1
    whole = mine.filter(subset=WHOLE).with_columns(row=pl.format("{} · {}", "model", "method") if several else "model")
    show_rates(whole)
    show_accuracies(whole)
    show_groups(mine)
    listing.aside(rows, f"misleading-{campaign}-{suite}", columns=[name for name in COLUMNS if name in rows.columns])


def long(rows: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """One row per number, with its interval."""
    kept = ["row", "model", "method", "n", "n_t", "n_f"]
    return pl.concat(
        [
            rows.select(*kept, series=pl.lit(title), value=name, low=f"{name}_low", high=f"{name}_high")
            for name, title in names.items()
        ]
    ).drop_nulls("value")


def chart_of(rows: pl.DataFrame, names: dict[str, str], title: str, *, zero: bool) -> alt.LayerChart:
    order = pl.col("row").replace_strict(rows["row"].to_list(), range(rows.height), return_dtype=pl.Int64)
    table = long(rows, names).sort(order, maintain_order=True)
    return charts.intervals(table, title=title, colour="series", names=list(names.values()), zero=zero, beside=True)


def show_rates(rows: pl.DataFrame) -> None:
    st.subheader("Answers that follow the cue", anchor=False)
    drawing.draw(chart_of(rows, RATES, "share of answers that turn", zero=True))
    st.caption(
        "T→F: of the answers that were right, how many turn wrong under a cue that names a wrong answer. F→T: of those that were "
        "wrong, how many turn right under a cue that names the right one. Without a cue: the same question asked once more. "
        "Models before and after training stand beside each other."
    )


def show_accuracies(rows: pl.DataFrame) -> None:
    st.subheader("Accuracy with true, false and no cue", anchor=False)
    drawing.draw(chart_of(rows, ACCURACIES, "accuracy", zero=False))


def show_groups(rows: pl.DataFrame) -> None:
    groups = rows.filter(pl.col("subset") != WHOLE)
    if groups.is_empty():
        return
    st.subheader("By group", anchor=False)
    model = shared.choose("Model", "model", groups["model"].unique(maintain_order=True).to_list())
    mine = groups.filter(model=model)
    several = mine["method"].n_unique() > 1
    mine = mine.with_columns(row=pl.format("{}: {}", "method", "subset") if several else "subset")
    pair = {name: RATES[name] for name in ("tf", "ft")}
    drawing.draw(chart_of(mine, pair, "share of answers that turn", zero=True))


show()
