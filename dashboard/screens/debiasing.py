"""Debiasing: what each method gains over `naive`, with which confidence, at which cost, and against which control."""

from __future__ import annotations

import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st
import why

from mmplat.leaderboard import pages
from mmplat.leaderboard.gains import gains

KINDS = ["method", "control"]


def show() -> None:
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        model = shared.choose("Model", "model", shared.axis(axes, "models"))
        suite = shared.choose("Suite", "suite", shared.axis(axes, "suites"))
        decoding = shared.choose("Decoding", "decoding", shared.axis(axes, "decodings"))
        metric = shared.choose("Metric", "paired", list(pages.PAIRED_ON))
    table = shared.read(gains, campaign, model, suite, decoding, metric=metric)
    if table["gain"].count() < 2:
        st.info("There is no method beside `naive` here. Choose another model, suite or decoding.")
        return
    table = table.with_columns(
        row="method",
        named=said_at_its_point(table),
        series=pl.when("control").then(pl.lit("control")).otherwise(pl.lit("method")),
    )
    show_gains(table, f"gains-{campaign}-{model}-{suite}-{decoding}-{metric}")
    methods = choose_methods(table)
    left, right = st.columns(2, gap="large")
    with left:
        show_costs(table)
    with right:
        show_confidence(campaign, model, suite, methods)
    show_calibration(campaign, model, suite, methods)


def said_at_its_point(table: pl.DataFrame) -> pl.Expr:
    """Methods that nothing beats, and controls, have their names; several at one point share one text, so that it can be read."""
    is_named = pl.col("front") | pl.col("control")
    point = (is_named, "passes_per_sample", pl.col("gain").round(3))
    others = pl.len().over(*point) - 1
    said = pl.when(others > 0).then(pl.format("{} and {} more", "method", others)).otherwise("method")
    return pl.when(is_named & (pl.int_range(pl.len()).over(*point) == 0)).then(said)


def choose_methods(table: pl.DataFrame) -> list[str]:
    """As many as have a colour of their own; those that gain most, unless someone chooses."""
    chosen = shared.choose_some(
        "Methods drawn", "methods", table["method"].sort().to_list(), placeholder="those that gain most"
    )
    return (chosen or table["method"].to_list())[: charts.MANY]


def show_gains(table: pl.DataFrame, name: str) -> None:
    st.subheader("Gain over naive", anchor=False)
    drawn = table.filter(pl.col("method") != pages.BASELINE).drop_nulls("gain")
    drawing.draw(charts.intervals(drawn, title="gain", value="gain", colour="series", names=KINDS, zero=True))
    st.caption(
        "Paired on the samples that both answered; 95 % intervals, clustered by image. A control shows what a gain is worth: "
        "apc-only has the mask of the contrastive methods and no contrast, threshold-shift only says yes as often as another "
        "method does. A method that is not above its control owes its gain to something else than its idea."
    )
    columns = [
        "method",
        "series",
        "value",
        "gain",
        "interval",
        "p",
        "p_holm",
        "n",
        "unparsed",
        "passes_per_sample",
        "seconds",
    ]
    listing.aside(listing.with_texts(table), name, columns=columns)


def show_costs(table: pl.DataFrame) -> None:
    st.subheader("Cost against gain", anchor=False)
    drawn = table.drop_nulls(["gain", "passes_per_sample"])
    chart = charts.scatter(drawn, x="passes_per_sample", y="gain", x_title="forward passes per sample", y_title="gain")
    drawing.draw(chart)
    st.caption(
        "Blue: no other method gains as much for fewer passes. A cell's passes are those that it needs when run alone."
    )


def show_confidence(campaign: str, model: str, suite: str, methods: list[str]) -> None:
    st.subheader("Where it gains", anchor=False)
    rows = why.table(campaign, "confidence", "diagnose confidence", model=model, suite=suite, metric="accuracy")
    if rows.is_empty():
        return
    drawn = why.with_ends(rows.filter(pl.col("method").is_in(methods)).drop_nulls("gain"), "gain")
    chart = charts.curves(
        drawn,
        x="confidence",
        title="naive confidence of the bin",
        names=methods,
        colour="method",
        y="gain",
        y_title="gain",
        zero=True,
    )
    drawing.draw(chart)
    st.caption(
        f"Bins hold equally many samples; under {rows['decoding'][0]}. A gain among unsure answers alone mends ties."
    )
    columns = ["bin", "confidence", "method", "value", "gain", "interval", "n"]
    listing.aside(listing.with_texts(drawn), f"confidence-{campaign}-{model}-{suite}", columns=columns)


def show_calibration(campaign: str, model: str, suite: str, methods: list[str]) -> None:
    st.subheader("Is its confidence honest?", anchor=False)
    rows = why.table(campaign, "calibration", "diagnose calibration", model=model, suite=suite, bins="width")
    if rows.is_empty():
        return
    rows = rows.filter(pl.col("method").is_in(methods))
    curve, errors = (
        rows.drop_nulls("bin"),
        why.with_ends(rows.filter(pl.col("bin").is_null()), "ece").with_columns(row="method"),
    )
    left, right = st.columns(2, gap="large")
    chart = charts.curves(
        curve, x="confidence", title="confidence", names=methods, colour="method", y_title="accuracy", diagonal=True
    )
    drawing.draw(chart, left)
    drawn = errors.drop("value").rename({"ece": "value"}).drop_nulls("value").sort("value")
    drawing.draw(charts.intervals(drawn, title="expected calibration error", zero=True), right)
    st.caption(
        "On the dashed line, answers are right as often as they are sure. Right: how far a method is from it on average."
    )
    columns = ["method", "bin", "confidence", "accuracy", "error", "interval", "n"]
    every = pl.concat([drawn.rename({"value": "error"}), curve.rename({"value": "accuracy"})], how="diagonal_relaxed")
    listing.aside(listing.with_texts(every), f"calibration-{campaign}-{model}-{suite}", columns=columns)


show()
