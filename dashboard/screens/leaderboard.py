"""Leaderboard: who is best at a suite, or over all of them, with intervals, robustness and cost; a row opens its run."""

from __future__ import annotations

import charts
import drawing
import listing
import polars as pl
import run_parts
import shared
import streamlit as st

from mmplat import leaderboard
from mmplat.leaderboard import pages, ranges, standings
from mmplat.leaderboard.comparing import find_run

ALL, NO_OTHER = "all suites", "–"
DRAWN = 12
MEAN, ROBUST = "mean", "robust"
CELL = ["model", "method", "decoding"]
OPTIONAL = {
    "origin": "origin", "family": "family", "size_b": "size", "n_failed": "failed samples", "n_near_ties": "near ties",
    "device": "device", "run_id": "run",
}  # fmt: skip
"""Columns that stand in the table where someone wants them; the others are always there."""


def show() -> None:
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        suites = shared.axis(axes, "suites")
        suite = shared.choose("Suite", "suite", [ALL, *suites] if len(suites) > 1 else suites)
        metric = shared.choose_metric(campaign, None if suite == ALL else suite)
        order = shared.choose("Order by", "order", [MEAN, ROBUST], help=standings.ROBUST) if suite == ALL else MEAN
        before = choose_before(campaign)
    if metric is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = {
            axis: shared.choose_some(axis.capitalize(), axis, shared.axis(axes, axis))
            for axis in ("models", "methods", "decodings")
        }
        extra = more_filters(campaign, wanted)
    say_what_sharing_saved(campaign)
    if suite == ALL:
        show_all_suites(campaign, metric, before, wanted, extra, by_robust=order == ROBUST)
    else:
        show_suite(campaign, suite, metric, before, wanted, extra)


def choose_before(campaign: str) -> str | None:
    """The campaign that changes are counted from: the last one before this, unless someone chooses another, or none."""
    others = shared.read(standings.comparable_campaigns, campaign)
    if not others:
        return None
    newest = pages.newest_first(shared.results(), [campaign, *others])
    older = newest[newest.index(campaign) + 1 :]
    options = [NO_OTHER, *[name for name in newest if name != campaign]]
    chosen = shared.choose("Change since", "before", options, default=older[0] if older else NO_OTHER)
    return None if chosen == NO_OTHER else chosen


def more_filters(campaign: str, wanted: dict[str, list[str]]) -> list[str]:
    """Filters that are needed less often, and the columns of the table."""
    models = shared.read(standings.models_of, campaign)
    families = models["family"].drop_nulls().unique().sort().to_list()
    sizes = [f"{size:g}B" for size in models["size_b"].drop_nulls().unique().sort()]
    with st.popover("More", icon=":material/tune:"):
        if len(families) > 1:
            wanted["families"] = shared.choose_some("Families", "families", families)
        if sizes:
            wanted["sizes"] = shared.choose_some("Sizes", "sizes", sizes)
        wanted["origins"] = shared.choose_some("Origins", "origins", shared.read(standings.origins_of, campaign))
        titles = shared.choose_some("More columns", "columns", list(OPTIONAL.values()), placeholder="none")
    return [name for name, title in OPTIONAL.items() if title in titles]


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
    of = {
        "families": pl.col("family"),
        "sizes": pl.format("{}B", pl.col("size_b").map_elements("{:g}".format, pl.String)),
    }
    for axis, names in wanted.items():
        if names:
            table = table.filter(of.get(axis, pl.col(axis.removesuffix("s"))).is_in(names))
    return table


def named(table: pl.DataFrame) -> pl.DataFrame:
    """`row`: what tells the drawn rows apart, and no more; `in_common` says the rest."""
    parts = [pl.col(name) for name in CELL if table[name].n_unique() > 1] or [pl.col("method")]
    if "seed" in table.columns:
        parts.append(pl.when(pl.len().over(CELL) > 1).then(pl.format("seed {}", "seed")))
    return table.with_columns(pl.concat_str(parts, separator=" · ", ignore_nulls=True).alias("row"))


def show_suite(
    campaign: str, suite: str, metric: str, before: str | None, wanted: dict[str, list[str]], extra: list[str]
) -> None:
    every = shared.read(standings.standings, campaign, suite, metric=metric, before=before)
    table = listing.with_texts(filtered(every, wanted))
    if table.is_empty():
        st.info("No run has all that is chosen above.")
        return
    top = named(table.filter(pl.col("value").is_not_null()).head(DRAWN))
    if not top.is_empty():
        # Of all models, so that a filter changes nobody's colour.
        models = shared.axis(shared.read(pages.axes, campaign), "models")
        chart = charts.intervals(
            top, title=metric, colour="model" if len(models) <= charts.MANY else None, names=models
        )
        drawing.draw(chart)
    say_what_is_listed(table, top)
    if ranges.are_dear(every) and shared.switch(f"Ranges of ranks, from {every['n'].sum():,} predictions", "ranges"):
        with st.spinner("This takes some seconds, once."):
            every = shared.read(standings.standings, campaign, suite, metric=metric, before=before, ranges=True)
        table = listing.with_texts(filtered(every, wanted))
    columns = [
        "rank",
        "ranks",
        *CELL,
        "seed",
        "value",
        "interval",
        "change",
        "n",
        "unparsed",
        "forward_passes",
        "seconds",
    ]
    picked = listing.show(
        table, f"leaderboard-{campaign}-{suite}-{metric}", columns=worth_a_column(table, columns) + extra, metric=metric,
        key=f"rows {campaign} {suite} {metric}", everything=table.drop("interval", "ranks"),
    )  # fmt: skip
    if picked is None:
        st.caption("Select a row to see all metrics of its run by group, its settings, and the versions behind it.")
    else:
        st.subheader("Run", anchor=False)
        run_parts.show(shared.read(find_run, table["run_id"][picked]))


def worth_a_column(table: pl.DataFrame, columns: list[str]) -> list[str]:
    """Without columns that say nothing here: one seed for all, no range, nothing to compare with."""
    dull = {name for name in ("ranks", "change") if name in table.columns and table[name].count() == 0}
    dull |= {"seed"} if table["seed"].n_unique() == 1 else set()
    return [name for name in columns if name in table.columns and name not in dull]


def in_common(drawn: pl.DataFrame) -> str:
    names = [shared.literal(drawn[name][0]) for name in CELL if drawn[name].n_unique() == 1]
    return f" (all {' · '.join(names)})" if names and drawn.height > 1 else ""


def say_what_is_listed(table: pl.DataFrame, drawn: pl.DataFrame, first: str = "") -> None:
    said = f"The best {drawn.height} of {table.height:,} rows{in_common(drawn)} are drawn; the table has them all."
    if table.height <= drawn.height:
        said = f"The table has what is drawn{in_common(drawn)}."
    st.caption(first + said + " Intervals are 95 %, clustered by image.")


def show_all_suites(
    campaign: str, metric: str, before: str | None, wanted: dict[str, list[str]], extra: list[str], *, by_robust: bool
) -> None:
    """The mean over suites, and the suites that it is the mean of: as the big leaderboards show it."""
    every = shared.read(standings.over_all_suites, campaign, metric, before=before, by_robust=by_robust)
    table = filtered(every, wanted)
    if table.is_empty():
        st.info("No run has all that is chosen above.")
        return
    top = named(table.head(DRAWN))
    suites = shared.axis(shared.read(pages.axes, campaign), "suites")
    board = filtered(
        shared.read(pages.board, campaign, metric=metric),
        {name: wanted[name] for name in ("models", "methods", "decodings")},
    )
    drawn = board.join(top.select(*CELL, "row"), on=CELL, how="inner").filter(pl.col("value").is_not_null())
    drawing.draw(charts.across_suites(top, drawn, suites=suites, metric=metric))
    columns = [
        "rank",
        *CELL,
        "mean_over_suites",
        "robust",
        "change",
        *suites,
        "suites_missing",
        "n",
        "unparsed",
    ]
    columns += [
        "forward_passes",
        "seconds",
        "weakest",
        *[name for name in extra if name in ("origin", "family", "size_b")],
    ]
    if not table["suites_missing"].sum():
        columns.remove("suites_missing")
    if "change" not in table.columns or not table["change"].count():
        columns.remove("change")
    say_what_is_listed(table, top, "Dots are suites, the grey tick is their mean. ")
    listing.show(
        table, f"leaderboard-{campaign}-all-{metric}", columns=[name for name in columns if name in table.columns],
        metric=metric, everything=table,
    )  # fmt: skip
    st.caption(f"{standings.ROBUST}. Neither has an interval: suites are no sample of anything, and the lowest of noisy numbers "
               "is biased low. n, passes and seconds are sums.")  # fmt: skip


show()
