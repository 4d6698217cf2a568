"""Grid: every method under every decoding, of one model on one suite; values, or differences from `naive`."""

from __future__ import annotations

import charts
import drawing
import listing
import polars as pl
import run_parts
import shared
import streamlit as st

from mmplat import leaderboard
from mmplat.leaderboard import pages
from mmplat.leaderboard.comparing import find_run

VALUE, DIFFERENCE = "value", "difference from naive"
CELL = ["method", "decoding"]
SURE = 0.05


def show() -> None:
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        model = shared.choose("Model", "model", shared.axis(axes, "models"))
        suite = shared.choose("Suite", "suite", shared.axis(axes, "suites"))
        metric = shared.choose_metric(campaign, suite)
        if metric is None:
            return
        shown = shared.choose("Cells show", "cells", [VALUE, DIFFERENCE])
        cells = of_one_seed(shared.read(leaderboard.grid, campaign, model, suite, metric=metric))
    skipped = shared.read(pages.skipped, campaign, model, suite)
    if cells.is_empty():
        st.info("This model has no run on this suite.")
        list_holes(campaign, model, suite, skipped)
        return
    cells = with_differences(cells, campaign, model, suite, metric)
    drawn = with_holes(cells, skipped, shared.axis(axes, "methods"), shared.axis(axes, "decodings"))
    clicked = draw(drawn, shared.axis(axes, "decodings"), shown, key=f"{campaign} {model} {suite} {metric} {shown}")
    say_how_to_read(shown, metric)
    if clicked:
        st.subheader("Run", anchor=False)
        run_parts.show(shared.read(find_run, clicked))
    list_holes(campaign, model, suite, skipped)
    list_cells(cells, f"grid-{campaign}-{model}-{suite}-{metric}")


def draw(drawn: pl.DataFrame, decodings: list[str], shown: str, *, key: str) -> str | None:
    """The heatmap; returns the run of the cell that was clicked."""
    differs = shown == DIFFERENCE
    drawn = drawn.with_columns(shown=pl.col("difference" if differs else "value"))
    if differs and drawn["difference"].count():
        drawn = drawn.filter(pl.col("method") != pages.BASELINE)
    drawn = drawn.with_columns(label=label(drawn, differs))
    methods = drawn["method"].unique(maintain_order=True).to_list()
    chart = charts.heatmap(drawn, methods=methods, decodings=decodings, diverging=differs)
    event = drawing.draw(chart, on_select="rerun", selection_mode=charts.CLICKED, key=f"heat {key}")
    found = event.selection.get(charts.CLICKED) or []
    if not found:
        return None
    return drawn.filter(method=found[0]["method"], decoding=found[0]["decoding"])["run_id"].to_list()[0]


def label(drawn: pl.DataFrame, differs: bool) -> pl.Series:
    """The number in a cell; with a star where the difference is there whatever else is compared in this grid."""
    form = "{:+.3f}" if differs else "{:.3f}"
    texts = [
        "–"
        if number is None
        else form.format(round(number, 3) + 0.0) + ("*" if differs and p is not None and p < SURE else "")
        for number, p in drawn.select("shown", "p_holm").iter_rows()
    ]
    return pl.Series(texts, dtype=pl.String)


def of_one_seed(cells: pl.DataFrame) -> pl.DataFrame:
    """One row per cell. A method without a random view ran under the first seed only, and says the same under all."""
    seeds = cells["seed"].unique().sort().to_list()
    if len(seeds) < 2:
        return cells
    seed = int(shared.choose("Seed", "seed", [str(each) for each in seeds]))
    nearest = cells.filter((pl.col("seed") == seed) | (pl.col("seed") == seeds[0]))
    return nearest.sort((pl.col("seed") != seed), maintain_order=True).unique(CELL, keep="first", maintain_order=True)


def with_differences(cells: pl.DataFrame, campaign: str, model: str, suite: str, metric: str) -> pl.DataFrame:
    """Paired differences with intervals and p where the metric allows it, plain ones elsewhere."""
    paired = shared.read(pages.against_baseline, campaign, model, suite, metric=metric)
    paired = paired.rename({"low": "difference_low", "high": "difference_high"}).drop("n")
    cells = cells.join(paired, on=[*CELL, "seed"], how="left", maintain_order="left")
    baseline = cells.filter(pl.col("method") == pages.BASELINE).select("decoding", baseline="value")
    cells = cells.join(baseline, on="decoding", how="left", maintain_order="left")
    plain = pl.when(pl.col("method") != pages.BASELINE).then(pl.col("value") - pl.col("baseline"))
    cells = cells.with_columns(pl.coalesce("difference", plain).alias("difference")).drop("baseline")
    return cells.with_columns(
        listing.ends(cells, "low", "high", "{:.3f} to {:.3f}").alias("interval"),
        listing.ends(cells, "difference_low", "difference_high", "{:+.3f} to {:+.3f}").alias("difference_interval"),
    )


def with_holes(cells: pl.DataFrame, skipped: pl.DataFrame, methods: list[str], decodings: list[str]) -> pl.DataFrame:
    """Every method × decoding; a cell that did not run is empty and says why."""
    reasons = skipped.unique("method", keep="first").select("method", note="reason")
    nowhere = [m for m in reasons["method"] if m not in methods]  # skipped on every suite of this campaign
    rows = [(m, d) for m in [*methods, *nowhere] for d in decodings]
    whole = pl.DataFrame(rows, schema=CELL, orient="row")
    drawn = whole.join(cells, on=CELL, how="left", maintain_order="left")
    drawn = drawn.join(reasons, on="method", how="left", maintain_order="left")
    missing = pl.when(pl.col("run_id").is_null()).then(pl.coalesce("note", pl.lit("not run yet")))
    return drawn.with_columns(note=missing)


def say_how_to_read(shown: str, metric: str) -> None:
    first = "Point at a cell for its interval, n and unparsed share; click it for its run. "
    if shown == VALUE:
        st.caption(first)
    elif metric in pages.PAIRED_ON:
        st.caption(
            f"{first} Each cell minus `naive` under the same decoding, paired on the samples that both answered; blue is "
            "better, orange worse, where more is better. Intervals are 95 %, clustered by image; a star is p < 0.05 after "
            "Holm's correction over all cells of this grid."
        )
    else:
        st.caption(
            f"{first} Each cell minus `naive` under the same decoding. This metric is no mean over samples: it has no paired "
            "interval."
        )


def list_holes(campaign: str, model: str, suite: str, skipped: pl.DataFrame) -> None:
    """Nothing is left out in silence: what was skipped, and what failed, with reasons."""
    if not skipped.is_empty():
        st.subheader("Skipped by the plan", anchor=False)
        st.dataframe(skipped, hide_index=True, column_config=listing.looks_of(skipped))
    unfinished = shared.read(pages.unfinished, campaign, model, suite)
    if not unfinished.is_empty():
        st.subheader("Failed or incomplete runs", anchor=False)
        st.dataframe(unfinished, hide_index=True, column_config=listing.looks_of(unfinished))


def list_cells(cells: pl.DataFrame, name: str) -> None:
    columns = [*CELL, "seed", "value", "interval", "difference", "difference_interval", "p_holm", "n", "unparsed"]
    looks = {"difference_interval": st.column_config.TextColumn("paired interval")}
    listing.aside(cells, name, columns=columns, looks=looks, everything=cells.drop("interval", "difference_interval"))


show()
