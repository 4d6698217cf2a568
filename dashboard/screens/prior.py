"""Language prior: what a model answers before it has seen anything, how much of a benchmark that solves, and where it looks."""

from __future__ import annotations

import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st
import why

from mmplat.leaderboard import pages

WHOLE = "all"
RARE = 0.002  # answers less likely than this under every empty input stand in the table alone
SHARES = {"mass": "share of the whole segment", "per_token": "share of one of its tokens"}


def show() -> None:
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        model = shared.choose("Model", "model", shared.axis(axes, "models"))
        suite = shared.choose("Suite", "suite", shared.axis(axes, "suites"))
    show_lean(campaign, model)
    show_answers(campaign, model, suite)
    show_attention(campaign, model, suite)


def show_lean(campaign: str, model: str) -> None:
    st.subheader("Does the benchmark lean on the prior?", anchor=False)
    rows = why.table(campaign, "lean", "diagnose lean", model=model)
    if rows.is_empty():
        return
    facts = rows.unique(["suite", "subset"], keep="first", maintain_order=True).drop("method", "gain", "sign")
    facts = why.with_ends(facts, "lean").rename({"lean": "value"})
    groups = facts["subset"].n_unique() > 1 and shared.switch("Every group", "every_group")
    drawn = (facts if groups else facts.filter(subset=WHOLE)).drop_nulls("value").with_columns(
        row=pl.when(pl.col("subset") == WHOLE).then("suite").otherwise(pl.format("{} {}", "suite", "subset"))
    )  # fmt: skip
    chart = charts.intervals(
        drawn.sort("value", descending=True).head(charts.ROWS), title="lean on the prior", zero=True
    )
    drawing.draw(chart)
    st.caption(
        "Lean = (accuracy without image − chance) / (accuracy − chance), with Fieller's interval: 0, the image is needed; 1, "
        "nothing is lost without it. Negative: the prior misleads."
    )
    columns = ["suite", "subset", "view", "value", "interval", "answered_by_prior", "chance", "blind", "naive", "n"]
    listing.aside(listing.with_texts(facts), f"lean-{campaign}-{model}", columns=columns)


def show_answers(campaign: str, model: str, suite: str) -> None:
    st.subheader("Likeliest answers without an image", anchor=False)
    rows = why.table(campaign, "prior", "diagnose prior", model=model, suite=suite)
    if rows.is_empty():
        return
    views = rows["view"].unique(maintain_order=True).to_list()
    chosen = shared.choose_some("Empty inputs", "views", views, placeholder="the first three")
    said = rows.filter(pl.col("mean").max().over("answer") > RARE)
    drawn = said.filter(pl.col("view").is_in(chosen or views[:3]))
    answers = drawn.sort("rank")["answer"].unique(maintain_order=True).to_list()
    drawn = drawn.with_columns(
        row="answer", low=(pl.col("mean") - pl.col("sd")).clip(0), high=(pl.col("mean") + pl.col("sd")).clip(0, 1)
    )
    order = pl.col("answer").replace_strict(answers, range(len(answers)), return_dtype=pl.Int64)
    chart = charts.intervals(
        drawn.sort(order, maintain_order=True), value="mean", title="mean probability ± sd over questions", colour="view",
        names=views, zero=True, beside=True,
    )  # fmt: skip
    drawing.draw(chart)
    listing.aside(
        rows, f"prior-{campaign}-{model}-{suite}", columns=["rank", "answer", "view", "mean", "sd", "untold", "n"]
    )


def show_attention(campaign: str, model: str, suite: str) -> None:
    st.subheader("Where it looks", anchor=False)
    rows = why.table(campaign, "attention", "diagnose attention", model=model, suite=suite)
    if rows.is_empty():
        return
    tokens = [str(each) for each in rows["token"].unique().sort()]
    token = int(shared.choose("Token of the answer", "token", tokens))
    segments = rows["segment"].unique(maintain_order=True).to_list()
    drawn = rows.filter(token=token)
    for place, (column, title) in zip(st.columns(2, gap="large"), SHARES.items(), strict=True):
        chart = charts.curves(
            drawn.drop_nulls(column),
            x="layer",
            title="layer",
            names=segments,
            colour="segment",
            y=column,
            y_title=title,
            band=False,
            zero=True,
        )
        drawing.draw(chart, place)
    listing.aside(
        rows,
        f"attention-{campaign}-{model}-{suite}",
        columns=["token", "layer", "segment", "mass", "sd", "per_token", "n"],
    )


show()
