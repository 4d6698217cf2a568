"""Interference: which answers change when only what a question does not need is changed."""

from __future__ import annotations

import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st
import why

WORST = "worst:"
NEEDS = "suites with conditions that change the other modality (`conditions: [unrelated-facts, irrelevant-image]`)"
FLIPS = {
    "right_to_wrong": "right → wrong",
    "wrong_to_right": "wrong → right",
    "wrong_to_other": "wrong → another wrong",
}
RIGHT, WRONG = "right", "wrong"
COLUMNS = [
    "model",
    "method",
    "condition",
    "clean",
    "perturbed",
    "drop",
    "interval",
    *FLIPS,
    "delta_cp",
    "tv",
    "kl",
    "js",
    "over_naive",
    "n",
]


def show() -> None:
    with st.container(horizontal=True):
        campaign, suite, rows = why.choose_suite_of("interference", needs=NEEDS)
        method = shared.choose("Method", "method", rows["method"].unique(maintain_order=True).to_list())
    models = rows["model"].unique(maintain_order=True).to_list()
    mine = rows.filter(pl.col("method") == method)
    show_drops(mine, models)
    show_flips(mine, models)
    listing.aside(with_drop(rows), f"interference-{campaign}-{suite}", columns=COLUMNS)


def show_drops(rows: pl.DataFrame, models: list[str]) -> None:
    """The worst condition is the headline; each model's conditions stand beside it."""
    st.subheader("Accuracy lost under each condition", anchor=False)
    is_worst = pl.col("condition").str.starts_with(WORST)
    row = pl.when(is_worst).then(pl.lit("the worst of them")).otherwise("condition")
    drawn = why.with_ends(rows, "drop").with_columns(row=row, difference="drop")
    drawn = drawn.sort(~is_worst, maintain_order=True)
    chart = charts.intervals(
        drawn, title="accuracy lost", value="drop", colour="model", names=models, zero=True, beside=True
    )
    drawing.draw(chart)
    reference = rows["reference"][0]
    st.caption(
        f"Lost against the clean reference `{reference}`, under {rows['decoding'][0]}, paired on the samples that were answered "
        "under every condition; right of zero is worse. Which condition is the worst may differ from model to model (point at it); "
        "its interval admits that it was selected. Models before and after training stand beside each other."
    )


def show_flips(rows: pl.DataFrame, models: list[str]) -> None:
    st.subheader("Which answers change", anchor=False)
    with st.container(horizontal=True):
        model = shared.choose("Model", "model", models)
        mine = rows.filter((pl.col("model") == model) & ~pl.col("condition").str.starts_with(WORST))
        condition = shared.choose("Condition", "condition", mine["condition"].to_list())
    left, right = st.columns([3, 2], gap="large")
    long = pl.concat(
        [
            mine.select("condition", "n", row="condition", series=pl.lit(title), value=name, low=f"{name}_low", high=f"{name}_high")
            for name, title in FLIPS.items()
        ]
    )  # fmt: skip
    chart = charts.intervals(
        long, title="share of all answers", colour="series", names=list(FLIPS.values()), zero=True, beside=True
    )
    drawing.draw(chart, left)
    one = mine.filter(condition=condition).row(0, named=True)
    counted = moved(one)
    chart = charts.counts(
        counted,
        x="second",
        y="first",
        columns=[RIGHT, WRONG],
        rows=[RIGHT, WRONG],
        x_title=condition,
        y_title="clean",
    )
    drawing.draw(chart, right)
    right.caption(f"How many of {one['n']:,} answers went from where to where under {condition}.")
    with right:
        listing.aside(
            counted,
            f"flips-{model}-{condition}",
            looks={"first": listing.words("clean"), "second": listing.words("under it")},
        )


def moved(one: dict[str, float]) -> pl.DataFrame:
    """right and wrong before × right and wrong after, as numbers of samples."""
    lost, won = one["right_to_wrong"], one["wrong_to_right"]
    shares = {
        (RIGHT, RIGHT): one["clean"] - lost,
        (RIGHT, WRONG): lost,
        (WRONG, RIGHT): won,
        (WRONG, WRONG): 1 - one["clean"] - won,
    }
    rows = [(*names, round(share * one["n"])) for names, share in shares.items()]
    return pl.DataFrame(rows, schema={"first": pl.String, "second": pl.String, "count": pl.Int64}, orient="row")


def with_drop(rows: pl.DataFrame) -> pl.DataFrame:
    return listing.with_texts(why.with_ends(rows, "drop")).select(COLUMNS)


show()
