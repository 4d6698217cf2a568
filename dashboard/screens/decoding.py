"""Decoding: how a metric moves with temperature, top-p and top-k, and what the best setting is worth on fresh samples."""

from __future__ import annotations

import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st
import why

from mmplat.leaderboard import pages

GREEDY = pl.col("greedy").fill_null(False)
UNSET = {name: pl.col(name).is_null() for name in ("temperature", "top_p", "top_k")}
ALONE = UNSET["temperature"] | (pl.col("temperature") == 1)
SWEEPS = {
    "temperature": GREEDY | (UNSET["temperature"].not_() & UNSET["top_p"] & UNSET["top_k"]),
    "top_p": ALONE & GREEDY.not_() & UNSET["top_k"] & (UNSET["top_p"].not_() | UNSET["temperature"].not_()),
    "top_k": ALONE & GREEDY.not_() & UNSET["top_p"] & UNSET["top_k"].not_(),
}
"""Decodings that differ from plain sampling in one setting alone."""
OVER = {"over_sample": "over sampling", "over_greedy": "over greedy"}


def show() -> None:
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        suite = shared.choose("Suite", "suite", shared.axis(axes, "suites"))
        metric = shared.choose_metric(campaign, suite)
        method = shared.choose("Method", "method", shared.axis(axes, "methods"))
    if metric is None:
        return
    swept = shared.read(pages.sweep, campaign, suite, metric=metric).filter(method=method, seed=0)
    if swept.is_empty():
        st.info("This method has no run on this suite.")
        return
    models = shared.axis(axes, "models")
    show_sweeps(swept, metric, models)
    show_every(swept, metric, models)
    listing.aside(
        listing.with_texts(swept.sort("rank")), f"decodings-{campaign}-{suite}-{method}-{metric}",
        columns=["rank", "model", "decoding", "temperature", "top_p", "top_k", "value", "interval", "n", "unparsed"],
    )  # fmt: skip
    show_best(campaign, method)


def show_sweeps(swept: pl.DataFrame, metric: str, models: list[str]) -> None:
    lines = {name: of_sweep(swept, name) for name in SWEEPS}
    lines = {name: line for name, line in lines.items() if line.height > line["model"].n_unique()}
    if not lines:
        return
    st.subheader("One setting at a time", anchor=False)
    for place, (name, line) in zip(st.columns(len(lines), gap="medium"), lines.items(), strict=True):
        chart = charts.curves(
            line,
            x="at",
            title=name.replace("_", "-"),
            names=models,
            colour="model",
            y_title=metric,
            log=name == "top_k",
        )
        drawing.draw(chart, place)
    st.caption(
        "A temperature of 0 is greedy, a top-p of 1 plain sampling. Bars are 95 % intervals; point at a dot for n."
    )


def of_sweep(swept: pl.DataFrame, name: str) -> pl.DataFrame:
    """The decodings of one sweep with the setting in `at`."""
    at = {"temperature": pl.when(GREEDY).then(0.0).otherwise("temperature"), "top_p": pl.col("top_p").fill_null(1.0)}
    return swept.filter(SWEEPS[name]).with_columns(at.get(name, pl.col(name)).cast(pl.Float64).alias("at")).sort("at")


def show_every(swept: pl.DataFrame, metric: str, models: list[str]) -> None:
    st.subheader("Every decoding", anchor=False)
    several = swept["model"].n_unique() > 1
    row = pl.concat_str("model", "decoding", separator=" · ") if several else pl.col("decoding")
    drawn = swept.drop_nulls("value").with_columns(row=row).head(charts.ROWS)
    drawing.draw(charts.intervals(drawn, title=metric, colour="model", names=models))
    if swept.height > drawn.height:
        st.caption(f"The best {drawn.height} of {swept.height:,} are drawn; the table has them all.")


def show_best(campaign: str, method: str) -> None:
    """Chosen on one half of the samples and reported on the other: the best of many on one set of samples is too good."""
    st.subheader("Best decoding against the defaults", anchor=False)
    rows = why.table(campaign, "decodings-best", "decodings best", method=method)
    if rows.is_empty():
        return
    st.caption(
        "The best decoding is chosen on one half of the samples; its lead is measured, paired, on the other half."
    )
    lead = pl.concat(
        [
            why.with_ends(rows, name).select("model", "suite", "best", "low", "high", "n", gain=name, against=pl.lit(title))
            for name, title in OVER.items()
        ]
    ).drop_nulls("gain").with_columns(row=pl.format("{} · {}: {}", "model", "suite", "best"))  # fmt: skip
    names = list(OVER.values())
    for title, place in zip(names, st.columns(len(names), gap="large"), strict=True):
        drawn = lead.filter(against=title)
        if drawn.height:
            drawing.draw(charts.intervals(drawn, title=f"lead {title}", value="gain", zero=True), place)
    columns = [
        "model",
        "suite",
        "best",
        "value",
        "interval",
        "n",
        "on_same_data",
        "optimism",
        "chosen_again",
        "over_sample",
        "over_greedy",
    ]
    listing.aside(listing.with_texts(rows), f"decodings-best-{campaign}", columns=columns)


show()
