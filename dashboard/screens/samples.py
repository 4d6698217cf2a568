"""Samples: one question at a time. What was asked, what each view of it makes the model say, what each method answers."""

from __future__ import annotations

import json
from typing import Any

import distributions
import listing
import polars as pl
import sample_parts
import shared
import streamlit as st

from mmplat import leaderboard
from mmplat.leaderboard import pages
from mmplat.leaderboard.comparing import find_run

Row = dict[str, Any]
EVERY, ALONE = "all", "–"
RIGHT, THERE = pl.col("correct"), pl.col("other_correct")
VERDICTS = {
    EVERY: pl.lit(True),
    "wrong": RIGHT.not_(),
    "right": RIGHT,
    "near tie": pl.col("near_tie"),
    "no label": pl.col("answer").is_null() & pl.col("error").is_null(),
    "not answered": pl.col("error").is_not_null(),
}
BESIDE = {
    "wrong here, right beside": RIGHT.not_() & THERE,
    "right here, wrong beside": RIGHT & THERE.not_(),
    "another answer beside": pl.col("answer").ne_missing(pl.col("other_answer")) & THERE.is_not_null(),
}
"""What can be asked of a sample where a second run is looked at beside the first."""
PARTS = ("model", "method", "decoding")
LIST = ["sample_id", "question", "gold", "answer", "other_answer", "correct", "other_correct", "p_correct", "near_tie"]


def show() -> None:
    run = choose_run()
    if run is None:
        st.info("This model has no run on this suite with this method and decoding. Choose another.")
        return
    listed = chosen_samples(run)
    if listed.is_empty():
        st.info("No sample is like this. Choose another answer or group above, or look for another text.")
        return
    sample_id = step_through(listed["sample_id"].to_list())
    show_sample(run, sample_id)
    list_samples(listed, f"samples-{run['run_id']}")


def choose_run() -> Row | None:
    """The run whose answers are looked at: it decides what is wrong, and which preparation of the suite is shown."""
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        suite = shared.choose("Suite", "suite", shared.axis(axes, "suites"))
        chosen = {part: shared.choose(part.capitalize(), part, shared.axis(axes, f"{part}s")) for part in PARTS}
        mine = shared.read(pages.cells_of, campaign, [suite]).filter(**chosen).sort("seed")
        if mine.height > 1:
            seed = shared.choose("Seed", "seed", [str(each) for each in mine["seed"]])
            mine = mine.filter(seed=int(seed))
    return shared.read(find_run, mine["run_id"][0]) if mine.height else None


def chosen_samples(run: Row) -> pl.DataFrame:
    """Samples of the run's suite that fit the filters, in the suite's order."""
    with st.container(horizontal=True):
        other = choose_beside(run)
        verdict = shared.choose("Answer of this run", "answer", [*VERDICTS, *(BESIDE if other else {})])
        sought = shared.choose_text("Question contains", "text")
        every = (
            shared.read(pages.verdicts_beside, run["run_id"], other)
            if other
            else shared.read(pages.verdicts, run["run_id"])
        )
        fits = (VERDICTS | BESIDE)[verdict].fill_null(False)
        if sought:
            fits &= pl.col("question").str.to_lowercase().str.contains(sought.lower(), literal=True)
        return every.filter(fits & of_groups(every["groups"]))


def choose_beside(run: Row) -> str | None:
    """Another run on the same samples, which differs from this one in one thing: so a choice says what it changes."""
    siblings = shared.read(pages.runs_beside, run["campaign"], run["run_id"])
    chosen = shared.choose(
        "Beside", "beside", [ALONE, *siblings["change"]], help="the same run, with one thing changed"
    )
    return None if chosen == ALONE else siblings.filter(change=chosen)["run_id"][0]


def of_groups(groups: pl.Series) -> pl.Expr:
    """A choice for each group that the suite reports."""
    said = [json.loads(each) for each in groups]
    keep = pl.lit(True)
    for name in sorted({name for each in said for name in each}):
        values = sorted({each[name] for each in said if name in each})
        value = shared.choose(name, f"group {name}", [EVERY, *values])
        if value != EVERY:
            keep &= pl.lit(pl.Series([each.get(name) == value for each in said]))
    return keep


def step_through(ids: list[str]) -> str:
    """Previous, next (also by the arrow keys), and a number to jump to; the sample is part of the address."""
    asked = shared.from_address("sample")
    if asked is not None:
        st.session_state["sample"] = asked[0]
        if asked[0] not in ids:
            st.warning("The sample of this address is not among those chosen above; this is the first that is.")
    current = st.session_state.get("sample")
    position = ids.index(current) if current in ids else 0
    st.session_state["position"] = position + 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for label, icon, key, to in (
            ("Previous", "left", "Left", position - 1),
            ("Next", "right", "Right", position + 1),
        ):
            st.button(
                label, icon=f":material/chevron_{icon}:", disabled=not 0 <= to < len(ids), on_click=_go, args=(ids, to),
                shortcut=key,
            )  # fmt: skip
        st.number_input(
            f"Sample, 1 to {len(ids):,}", 1, len(ids), key="position", width=150,
            on_change=lambda: _go(ids, st.session_state["position"] - 1),
        )  # fmt: skip
    shared.keep("sample", ids[position])
    return ids[position]


def _go(ids: list[str], position: int) -> None:
    st.session_state["sample"] = ids[position]


def show_sample(run: Row, sample_id: str) -> None:
    sample = shared.read(leaderboard.sample, run["suite"], sample_id, run["suite_key"]).to_dicts()[0]
    left, right = st.columns([1, 2], gap="large")
    with left:
        sample_parts.show_images(sample)
    with right:
        sample_parts.show_question(sample, sample_id)
    sample_parts.show_conditions(run, sample_id)
    views, methods = st.columns(2, gap="large")
    with views:
        distributions.show_views(run, sample)
    with methods:
        distributions.show_methods(run, sample)


def list_samples(listed: pl.DataFrame, name: str) -> None:
    """All that fit the filters; selecting one goes there."""
    columns = [column for column in LIST if column in listed.columns]
    with st.expander(f"All {listed.height:,} samples that are chosen", icon=":material/list:"):
        picked = listing.show(listed, name, columns=columns, key=f"list {name} {listed.height}")
        if picked is not None:
            shared.link("samples", "Go to this sample", **{**shared.chosen(), "sample": listed["sample_id"][picked]})


show()
