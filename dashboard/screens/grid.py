"""Grid: every method under every decoding, of one model on one suite; values, or differences from `naive`."""

from __future__ import annotations

import charts
import polars as pl
import shared
import streamlit as st

from mmplat import leaderboard
from mmplat.leaderboard import pages

VALUE, DIFFERENCE = "value", "difference from naive"
CELL = ["method", "decoding"]


def show() -> None:
    st.title("Grid", anchor=False)
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes, measured = shared.read(pages.axes, campaign), shared.read(pages.measured, campaign)
        model = shared.choose("Model", "model", shared.axis(axes, "models"))
        suite = shared.choose("Suite", "suite", shared.axis(axes, "suites"))
        metrics = measured.filter(pl.col("suite") == suite)["metric"].to_list()
        if not metrics:
            st.info("No run of this suite has a metric.")
            return
        metric = shared.choose("Metric", "metric", metrics)
        shown = shared.choose("Cells show", "cells", [VALUE, DIFFERENCE])
        cells = of_one_seed(shared.read(leaderboard.grid, campaign, model, suite, metric=metric))
    skipped = shared.read(pages.skipped, campaign, model, suite)
    if cells.is_empty():
        st.info("This model has no run on this suite.")
        list_holes(campaign, model, suite, skipped)
        return
    cells = with_differences(cells, campaign, model, suite, metric)
    methods, decodings = shared.axis(axes, "methods"), shared.axis(axes, "decodings")
    drawn = with_holes(cells, skipped, methods, decodings).with_columns(
        shown=pl.col("difference" if shown == DIFFERENCE else "value")
    )
    if shown == DIFFERENCE and drawn["difference"].count():
        drawn = drawn.filter(pl.col("method") != pages.BASELINE)
    chart = charts.heatmap(
        drawn,
        methods=drawn["method"].unique(maintain_order=True).to_list(),
        decodings=decodings,
        diverging=shown == DIFFERENCE,
    )
    st.altair_chart(chart, width="stretch")
    say_how_to_read(shown, metric)
    list_holes(campaign, model, suite, skipped)
    with st.expander("Table", icon=":material/table:"):
        list_cells(cells, f"grid-{campaign}-{model}-{suite}-{metric}")


def of_one_seed(cells: pl.DataFrame) -> pl.DataFrame:
    """One row per cell. A method without a random view ran under the first seed only, and says the same under all."""
    seeds = cells["seed"].unique().sort().to_list()
    if len(seeds) < 2:
        return cells
    seed = int(shared.choose("Seed", "seed", [str(each) for each in seeds]))
    nearest = cells.filter((pl.col("seed") == seed) | (pl.col("seed") == seeds[0]))
    return nearest.sort((pl.col("seed") != seed), maintain_order=True).unique(CELL, keep="first", maintain_order=True)


def with_differences(cells: pl.DataFrame, campaign: str, model: str, suite: str, metric: str) -> pl.DataFrame:
    """Paired differences with intervals where the metric allows it, plain ones elsewhere."""
    paired = shared.read(pages.against_baseline, campaign, model, suite, metric=metric)
    paired = paired.rename({"low": "difference_low", "high": "difference_high"}).drop("n")
    cells = cells.join(paired, on=[*CELL, "seed"], how="left", maintain_order="left")
    baseline = cells.filter(pl.col("method") == pages.BASELINE).select("decoding", baseline="value")
    cells = cells.join(baseline, on="decoding", how="left", maintain_order="left")
    plain = pl.when(pl.col("method") != pages.BASELINE).then(pl.col("value") - pl.col("baseline"))
    return cells.with_columns(
        pl.coalesce("difference", plain).alias("difference"),
        interval("low", "high", ".3f").alias("interval"),
        interval("difference_low", "difference_high", "+.3f").alias("difference_interval"),
    ).drop("baseline")


def interval(low: str, high: str, form: str) -> pl.Expr:
    def text(ends: dict[str, float | None]) -> str | None:
        return None if ends[low] is None else f"{ends[low]:{form}} to {ends[high]:{form}}"

    return pl.struct(low, high).map_elements(text, return_dtype=pl.String)


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
    if shown == VALUE:
        st.caption("Point at a cell for its interval, n and unparsed share.")
    elif metric in pages.PAIRED_ON:
        st.caption(
            "Each cell minus `naive` under the same decoding, paired on the samples that both answered; blue is better, "
            "orange worse, where more is better. Point at a cell for its interval (95 %, clustered by image, not "
            "corrected for the number of comparisons)."
        )
    else:
        st.caption(
            "Each cell minus `naive` under the same decoding. This metric is no mean over samples: no paired interval."
        )


def list_holes(campaign: str, model: str, suite: str, skipped: pl.DataFrame) -> None:
    """Nothing is left out in silence: what was skipped, and what failed, with reasons."""
    if not skipped.is_empty():
        st.subheader("Skipped by the plan", anchor=False)
        st.dataframe(skipped, hide_index=True, column_config={"reason": st.column_config.TextColumn(width="large")})
    unfinished = shared.read(pages.unfinished, campaign, model, suite)
    if not unfinished.is_empty():
        st.subheader("Failed or incomplete runs", anchor=False)
        st.dataframe(unfinished, hide_index=True, column_config={"error": st.column_config.TextColumn(width="large")})


def list_cells(cells: pl.DataFrame, name: str) -> None:
    columns = [*CELL, "seed", "value", "interval", "difference", "difference_interval", "n", "unparsed"]
    three = {each: st.column_config.NumberColumn(format="%.3f") for each in ("value", "difference")}
    looks = three | {
        "difference_interval": st.column_config.TextColumn("paired interval"),
        "unparsed": st.column_config.NumberColumn(format="%.1f%%"),
    }
    st.dataframe(shared.in_percent(cells.select(columns)), hide_index=True, column_config=looks)
    shared.download(cells, name)


show()
