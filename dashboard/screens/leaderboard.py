"""Leaderboard: who is best at a suite, or over all of them, with intervals and cost; a row opens its run."""

from __future__ import annotations

import json

import charts
import polars as pl
import shared
import streamlit as st

from mmplat import leaderboard
from mmplat.leaderboard import pages

ALL = "all suites"
DRAWN = 12
LISTED = 2000  # rows that travel to the browser; the download has all
NUMBERS = {
    "rank": st.column_config.NumberColumn("#", width=45),
    "value": st.column_config.NumberColumn("value", format="%.3f", width=70),
    "mean_over_suites": st.column_config.NumberColumn("mean", format="%.3f", width=70),
    "interval": st.column_config.TextColumn("95 % interval", width=110),
    "n": st.column_config.NumberColumn("n", format="localized", width=70),
    "unparsed": st.column_config.NumberColumn("unparsed", format="%.1f%%", width=80),
    "n_failed": st.column_config.NumberColumn("failed", help="samples without an answer; they are in no number"),
    "forward_passes": st.column_config.NumberColumn(
        "passes", format="localized", width=80, help="forward passes that this cell needs when it is run alone"
    ),
    "seconds": st.column_config.NumberColumn("seconds", format="%.2f", width=80, help="asking and deciding, run alone"),
    "suites_missing": st.column_config.NumberColumn("missing", help="suites that others have and this row lacks"),
}


def show() -> None:
    st.title("Leaderboard", anchor=False)
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes, measured = shared.read(pages.axes, campaign), shared.read(pages.measured, campaign)
        suites = shared.axis(axes, "suites")
        suite = shared.choose("Suite", "suite", [ALL, *suites] if len(suites) > 1 else suites)
        known = measured if suite == ALL else measured.filter(pl.col("suite") == suite)
        metric = shared.choose("Metric", "metric", known["metric"].unique(maintain_order=True).to_list())
    with st.container(horizontal=True):
        wanted = {
            axis: shared.choose_some(axis.capitalize(), axis, shared.axis(axes, axis))
            for axis in ("models", "methods", "decodings")
        }
    say_what_sharing_saved(campaign)
    if suite == ALL:
        show_all_suites(campaign, metric, wanted)
    else:
        show_suite(campaign, suite, metric, wanted)


def say_what_sharing_saved(campaign: str) -> None:
    one = shared.read(leaderboard.campaigns).filter(pl.col("campaign") == campaign).to_dicts()[0]
    said = f"{one['runs']:,} runs of {one['planned']:,} planned cells"
    if one["forwards"] and one["forwards_cell_by_cell"]:
        ratio = one["forwards_cell_by_cell"] / one["forwards"]
        said += f" · {one['forwards']:,} forward passes; cell by cell {one['forwards_cell_by_cell']:,} ({ratio:.0f}×)"
    if one["failed"]:
        said += f" · {one['failed']:,} runs failed and are in no ranking"
    st.caption(said)


def filtered(table: pl.DataFrame, wanted: dict[str, list[str]]) -> pl.DataFrame:
    """The chosen rows; a rank stays the rank among all."""
    for axis, names in wanted.items():
        if names:
            table = table.filter(pl.col(axis.removesuffix("s")).is_in(names))
    return table


def named(table: pl.DataFrame) -> pl.DataFrame:
    """`row`: what tells the rows apart, and no more."""
    cell = ["model", "method", "decoding"]
    parts = [pl.col(name) for name in cell if table[name].n_unique() > 1] or [pl.col("method")]
    if "seed" in table.columns:
        twin = pl.len().over(cell) > 1
        parts.append(pl.when(twin).then(pl.format("seed {}", "seed")))
    return table.with_columns(pl.concat_str(parts, separator=" · ", ignore_nulls=True).alias("row"))


def with_interval(table: pl.DataFrame) -> pl.DataFrame:
    texts = [
        None if low is None else f"{low:.3f} – {high:.3f}" for low, high in table.select("low", "high").iter_rows()
    ]
    return table.with_columns(pl.Series("interval", texts, dtype=pl.String))


def show_suite(campaign: str, suite: str, metric: str, wanted: dict[str, list[str]]) -> None:
    every = shared.read(pages.board, campaign, suite, metric=metric)
    table = named(with_interval(filtered(every, wanted)))
    if table.is_empty():
        st.info("No run has all that is chosen above.")
        return
    top = table.filter(pl.col("value").is_not_null()).head(DRAWN)
    if not top.is_empty():
        # Of all models, so that a filter changes nobody's colour.
        models = shared.axis(shared.read(pages.axes, campaign), "models")
        st.altair_chart(charts.intervals(top, metric=metric, models=models), width="stretch")
    columns = ["rank", "model", "method", "decoding", "seed", "value", "interval", "n", "unparsed", "n_failed"]
    columns += ["forward_passes", "seconds"]
    if table["seed"].n_unique() == 1:
        columns.remove("seed")
    if not table["n_failed"].sum():
        columns.remove("n_failed")
    say_what_is_listed(table, top.height)
    picked = st.dataframe(
        shared.in_percent(table.select(columns).head(LISTED)), column_config=NUMBERS, hide_index=True, on_select="rerun",
        selection_mode="single-row", key=f"rows {campaign} {suite} {metric}", height="auto",
    )  # fmt: skip
    shared.download(table.drop("row", "interval"), f"leaderboard-{campaign}-{suite}-{metric}")
    if rows := picked.selection.rows:
        show_run(campaign, table.row(rows[0], named=True))
    else:
        st.caption("Select a row to see all metrics of its run by group, its settings, and the versions behind it.")


def say_what_is_listed(table: pl.DataFrame, drawn: int, first: str = "") -> None:
    said = f"The best {drawn} of {table.height:,} rows are drawn; the table has them all."
    if table.height <= drawn:
        said = "The table of what is drawn:"
    elif table.height > LISTED:
        said = f"The best {drawn} of {table.height:,} rows are drawn, the best {LISTED:,} listed; the download has all."
    st.caption(first + said + " Intervals are 95 %, clustered by image.")


def show_run(campaign: str, row: dict[str, object]) -> None:
    """What a number must carry: every metric and group, what it cost, and the versions behind it."""
    st.subheader("Run", anchor=False)
    st.text(f"{row['row']} · run {row['run_id']}")
    left, right = st.columns([3, 2])
    metrics = with_interval(shared.read(leaderboard.metrics_of, row["run_id"]))
    left.dataframe(metrics.select("metric", "subset", "value", "interval", "n"), column_config=NUMBERS, hide_index=True)
    run = shared.read(leaderboard.runs, campaign).filter(pl.col("run_id") == row["run_id"]).to_dicts()[0]
    facts = {name: run[name] for name in ("status", "device", "dtype", "git_revision", "n_near_ties", "error")}
    facts |= {"suite preparation": run["suite_key"], "model identity": run["model_key"]}
    facts |= {f"{part} settings": json.dumps(value) for part, value in json.loads(run["settings"]).items()}
    facts |= {f"version of {name}": value for name, value in json.loads(run["versions"]).items()}
    named_facts = [(name, str(value)) for name, value in facts.items() if value is not None]
    right.dataframe(pl.DataFrame(named_facts, schema=["what", "value"], orient="row"), hide_index=True)


def show_all_suites(campaign: str, metric: str, wanted: dict[str, list[str]]) -> None:
    """The mean over suites, and the suites that it is the mean of: as the big leaderboards show it."""
    means = named(filtered(shared.read(leaderboard.overall, campaign, metric), wanted))
    if means.is_empty():
        st.info("No run has all that is chosen above.")
        return
    every = filtered(shared.read(pages.board, campaign, metric=metric), wanted)
    keys = ["model", "method", "decoding"]
    top = means.head(DRAWN)
    drawn = every.join(top.select(*keys, "row"), on=keys, how="inner").filter(pl.col("value").is_not_null())
    suites = [
        suite for suite in shared.axis(shared.read(pages.axes, campaign), "suites") if suite in set(every["suite"])
    ]
    st.altair_chart(charts.across_suites(top, drawn, suites=suites, metric=metric), width="stretch")
    wide = every.pivot(on="suite", index=keys, values="value", aggregate_function="mean")
    cost = every.group_by(keys).agg(pl.col("unparsed").mean(), pl.col("forward_passes").sum(), pl.col("seconds").sum())
    table = means.join(wide, on=keys, how="left", maintain_order="left").join(
        cost, on=keys, how="left", maintain_order="left"
    )
    columns = [
        "rank",
        *keys,
        "mean_over_suites",
        *suites,
        "suites_missing",
        "n",
        "unparsed",
        "forward_passes",
        "seconds",
    ]
    if not table["suites_missing"].sum():
        columns.remove("suites_missing")
    say_what_is_listed(table, top.height, "Dots are suites, the grey tick is their mean. ")
    numbers = {suite: st.column_config.NumberColumn(suite, format="%.3f") for suite in suites}
    listed = shared.in_percent(table.select(columns).head(LISTED))
    st.dataframe(listed, column_config=NUMBERS | numbers, hide_index=True)
    st.caption(
        "The mean counts each suite once and has no interval: suites are no sample of anything. "
        "n, passes and seconds are sums."
    )
    shared.download(table.drop("row"), f"leaderboard-{campaign}-all-{metric}")


show()
