"""Robustness profile: up to four models on every axis of robustness that was measured, in one view."""

from __future__ import annotations

import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st

from mmplat.leaderboard import pages, profiles

MODELS = 4
FEWEST = 3  # axes that make a polygon
COMMANDS = ("lean", "interference", "misleading")


def show() -> None:
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        suite = shared.choose("Groups of", "suite", shared.axis(axes, "suites"))
        method = shared.choose("Method", "method", shared.axis(axes, "methods"))
        decoding = shared.choose("Decoding", "decoding", shared.axis(axes, "decodings"))
        groups = shared.read(profiles.groups_of, campaign, suite)
        group = shared.choose("Group", "group", groups) if len(groups) > 1 else "".join(groups)
    models = shared.axis(axes, "models")
    chosen = shared.choose_some(f"Models, up to {MODELS}", "models", models, placeholder=f"the first {MODELS}")
    chosen = (chosen or models)[:MODELS]
    grouped = shared.read(profiles.by_group, campaign, suite, method, decoding, group=group)
    table = pl.concat([grouped, shared.look(profiles.by_diagnostics, campaign, method)])
    table = table.filter(pl.col("model").is_in(chosen))
    if table.is_empty():
        st.info("No axis was measured for this choice: the suite reports no groups, and no diagnostic is stored.")
    else:
        draw(table, chosen)
    say_what_is_missing(campaign, table)
    if not table.is_empty():
        listing.aside(listing.with_texts(table), f"profile-{campaign}-{method}",
                      columns=["model", "axis", "value", "interval", "n", "meaning"])  # fmt: skip


def draw(table: pl.DataFrame, models: list[str]) -> None:
    axes = table["axis"].unique(maintain_order=True).to_list()
    left, right = st.columns(2, gap="large")
    if len(axes) >= FEWEST:
        drawing.draw(charts.radar(table, axes=axes, names=models, colour="model"), left)
        left.caption(
            "The rim is 1: nothing is lost. Compare models on one axis; what is measured differs from axis to axis."
        )
    rows = table.sort(pl.col("axis").replace_strict(axes, range(len(axes)), return_dtype=pl.Int64), maintain_order=True)
    drawn = rows.with_columns(row="axis")
    drawing.draw(charts.intervals(drawn, title="1 is robust", colour="model", names=models, beside=True), right)


def say_what_is_missing(campaign: str, table: pl.DataFrame) -> None:
    """Axes that one command would add."""
    kinds = dict(zip(("prior", "condition", "cue"), COMMANDS, strict=True))
    missing = [command for kind, command in kinds.items() if profiles.MEANINGS[kind] not in set(table["meaning"])]
    if missing:
        st.caption("More axes come from the diagnostics of this campaign, where its grid asks for conditions and cues:")
        st.code("\n".join(f"mmplat diagnose {command} {campaign}" for command in missing), language="sh")


show()
