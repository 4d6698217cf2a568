"""Compare: two cells on the same samples; whether they differ, on which samples, in which groups, and over all suites."""

from __future__ import annotations

import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st

from mmplat.leaderboard import pages
from mmplat.leaderboard.contrasts import Contrast, contrast, over_suites

RIGHT, WRONG = "right", "wrong"
Cell = tuple[str, str, str]
COLUMNS = ["subset", "first", "second", "difference", "interval", "p_holm", "n"]
SIDES = {"first": listing.number("A", format="%.3f"), "second": listing.number("B", format="%.3f")}


def show() -> None:
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        suite = shared.choose("Suite", "suite", shared.axis(axes, "suites"))
        metric = shared.choose("Metric", "paired", list(pages.PAIRED_ON))
    cells = shared.read(pages.cells_of, campaign, [suite])
    first = choose_cell("A", axes, "", {})
    methods = shared.axis(axes, "methods")
    other = next((name for name in methods if name != first[1]), first[1])
    second = choose_cell(
        "B", axes, "_b", dict(zip(("model", "method", "decoding"), (first[0], other, first[2]), strict=True))
    )
    runs = [run_of(cells, cell) for cell in (first, second)]
    if None in runs:
        which = " and ".join(name for name, run in zip("AB", runs, strict=True) if run is None)
        st.info(f"{which} has no run on this suite. Choose another suite, model, method or decoding.")
    elif runs[0] == runs[1]:
        st.info("A and B are the same run. Choose another model, method or decoding for one of them.")
    else:
        found = shared.read(contrast, runs[0], runs[1], metric)
        say_verdict(found, metric)
        show_where(found, f"{campaign}-{suite}")
        show_flips(
            found,
            dict(zip(("campaign", "suite", "model", "method", "decoding"), (campaign, suite, *first), strict=True)),
        )
    show_suites(campaign, first, second, metric)


def choose_cell(side: str, axes: pl.DataFrame, suffix: str, default: dict[str, str]) -> Cell:
    with st.container(horizontal=True):
        chosen = [
            shared.choose(
                f"{side}: {part}", f"{part}{suffix}", shared.axis(axes, f"{part}s"), default=default.get(part)
            )
            for part in ("model", "method", "decoding")
        ]
    return chosen[0], chosen[1], chosen[2]


def run_of(cells: pl.DataFrame, cell: Cell) -> str | None:
    """The run under its first seed."""
    mine = cells.filter(model=cell[0], method=cell[1], decoding=cell[2]).sort("seed")
    return mine["run_id"][0] if mine.height else None


def say_verdict(found: Contrast, metric: str) -> None:
    whole = found.whole
    with st.container(horizontal=True):
        st.metric("A", f"{whole.first:.3f}", border=True)
        st.metric("B", f"{whole.second:.3f}", border=True)
        st.metric("B − A", f"{whole.difference:+.3f}", border=True, help=f"95 %: {whole.low:+.3f} to {whole.high:+.3f}")
        st.metric("p", f"{whole.p:.4f}", border=True, help="paired sign-flip test by cluster")
        st.metric(
            "fixed / broken",
            f"{found.fixed} / {found.broken}",
            border=True,
            help="samples that B gets right and A wrong / the other way",
        )
    sure = "B is better" if whole.low > 0 else "A is better" if whole.high < 0 else "It is not shown that they differ"
    st.markdown(f"**{sure}**: {metric} differs by {whole.difference:+.3f}, 95 % interval {whole.low:+.3f} to {whole.high:+.3f}, "
                f"on {whole.n:,} samples in {whole.clusters:,} clusters.")  # fmt: skip
    st.caption(
        f"The interval is a paired bootstrap by cluster. McNemar's exact p, which knows no clusters: {found.mcnemar:.4f}; "
        f"design effect {found.design_effect:.2f}. {found.unshared:,} samples were decided by one of them alone, and are left out."
    )


def show_where(found: Contrast, name: str) -> None:
    """In which groups, and how sure A was."""
    left, right = st.columns(2, gap="large")
    for place, title, table in ((left, "By group", found.groups), (right, "By confidence of A", found.confidence)):
        with place:
            st.subheader(title, anchor=False)
            if table.is_empty():
                st.info(
                    "The suite reports no groups." if table is found.groups else "These answers carry no probabilities."
                )
                continue
            named = table.with_columns(row="subset")
            drawn = named.sort("difference", descending=True) if table is found.groups else named
            st.altair_chart(
                charts.intervals(drawn.head(charts.ROWS), title="B − A", value="difference", zero=True), width="stretch"
            )
            listing.aside(listing.with_texts(table), f"compare-{name}-{title}", columns=COLUMNS, looks=SIDES)


def show_flips(found: Contrast, address: dict[str, str]) -> None:
    st.subheader("Flips", anchor=False)
    left, right = st.columns(2, gap="large")
    verdicts = pl.DataFrame(
        {"first": [RIGHT, RIGHT, WRONG, WRONG], "second": [RIGHT, WRONG, RIGHT, WRONG],
         "count": [found.both_right, found.broken, found.fixed, found.both_wrong]}
    )  # fmt: skip
    with left:
        show_transitions(verdicts, [RIGHT, WRONG], "verdicts")
    with right:
        answers = sorted({*found.answers["first"], *found.answers["second"]})
        if len(answers) <= charts.ROWS:
            show_transitions(found.answers, answers, "answers")
    looks = {"answer_first": listing.words("A answers"), "answer_second": listing.words("B answers")}
    picked = listing.show(found.flips, "flips", key=f"flips {address}", looks=looks)
    if picked is None:
        st.caption("Samples that one gets right and the other wrong. Select a row to look at the sample.")
    else:
        shared.link("samples", "Look at this sample", **address, sample=found.flips["sample_id"][picked])


def show_transitions(table: pl.DataFrame, names: list[str], name: str) -> None:
    """How often A says this where B says that."""
    drawing.draw(
        charts.counts(table, x="second", y="first", columns=names, rows=names, x_title="B says", y_title="A says")
    )
    looks = {"first": listing.words("A says"), "second": listing.words("B says"), "count": listing.number("samples")}
    listing.aside(table, f"compare-{name}", columns=["first", "second", "count"], looks=looks)


def show_suites(campaign: str, first: Cell, second: Cell, metric: str) -> None:
    st.subheader("On every suite", anchor=False)
    if not shared.switch("Compare on every suite that both decided", "every_suite"):
        return
    table = shared.read(over_suites, campaign, first, second, metric)
    if table.is_empty():
        st.caption("There is no suite on which both decided the same samples.")
        return
    st.altair_chart(
        charts.intervals(table.with_columns(row="subset"), title="B − A", value="difference", zero=True),
        width="stretch",
    )
    listing.aside(listing.with_texts(table), f"compare-{campaign}", columns=COLUMNS, looks=SIDES)


show()
