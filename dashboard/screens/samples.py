"""Samples: one question at a time. What was asked, what each view of it makes the model say, what each method answers."""

from __future__ import annotations

import json
from typing import Any

import distributions
import numpy as np
import polars as pl
import shared
import streamlit as st

from mmplat import leaderboard
from mmplat.errors import ArtifactError
from mmplat.leaderboard import pages

Row = dict[str, Any]
EVERY = "all"
VERDICTS = {
    EVERY: pl.lit(True),
    "wrong": pl.col("correct") == False,  # noqa: E712
    "right": pl.col("correct"),
    "near tie": pl.col("near_tie"),
    "no label": pl.col("answer").is_null() & pl.col("error").is_null(),
    "not answered": pl.col("error").is_not_null(),
}
ENLARGED_PX = 320


def show() -> None:
    st.title("Samples", anchor=False)
    run = choose_run()
    if run is None:
        st.info("This model has no run on this suite.")
        return
    listed = chosen_samples(run)
    if listed.is_empty():
        st.info("No sample is like this. Choose another answer or group above.")
        return
    sample_id = step_through(listed["sample_id"].to_list())
    show_sample(run, sample_id)


def choose_run() -> Row | None:
    """The run whose answers are looked at: it decides what is wrong, and which preparation of the suite is shown."""
    with st.container(horizontal=True):
        campaign = shared.choose_campaign()
        axes = shared.read(pages.axes, campaign)
        suite = shared.choose("Suite", "suite", shared.axis(axes, "suites"))
        model = shared.choose("Model", "model", shared.axis(axes, "models"))
        method = shared.choose("Method", "method", shared.axis(axes, "methods"))
        decoding = shared.choose("Decoding", "decoding", shared.axis(axes, "decodings"))
        of_pair = shared.read(leaderboard.runs, campaign).filter(
            pl.col("model") == model, pl.col("suite") == suite, pl.col("status") != "failed"
        )
        mine = of_pair.filter(pl.col("method") == method, pl.col("decoding") == decoding).sort("seed")
        if mine.height > 1:
            seed = shared.choose("Seed", "seed", [str(each) for each in mine["seed"]])
            mine = mine.filter(pl.col("seed") == int(seed))
    return mine.to_dicts()[0] if mine.height else None


def chosen_samples(run: Row) -> pl.DataFrame:
    """Samples of the run's suite that fit the filters, in the suite's order."""
    every = shared.read(pages.verdicts, run["run_id"])
    groups = [json.loads(each) for each in every["groups"]]
    with st.container(horizontal=True):
        verdict = shared.choose("Answer of this run", "answer", list(VERDICTS))
        keep = every.select(VERDICTS[verdict].fill_null(False).alias("keep"))["keep"]
        if len(keep) == 1:
            keep = pl.Series("keep", [bool(keep[0])] * every.height)
        for name in sorted({name for each in groups for name in each}):
            values = sorted({each[name] for each in groups if name in each})
            value = shared.choose(name, f"group {name}", [EVERY, *values])
            if value != EVERY:
                keep &= pl.Series([each.get(name) == value for each in groups])
    return every.filter(keep)


def step_through(ids: list[str]) -> str:
    """Previous, next, and a number to jump to; the sample is part of the address."""
    asked = shared.from_address("sample")
    if asked is not None:
        st.session_state["sample"] = asked[0]
        if asked[0] not in ids:
            st.warning("The sample of this address is not among those chosen above; this is the first that is.")
    current = st.session_state.get("sample")
    position = ids.index(current) if current in ids else 0
    st.session_state["position"] = position + 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Previous", icon=":material/chevron_left:", disabled=position == 0, on_click=_go, args=(ids, position - 1)
        )
        st.button(
            "Next",
            icon=":material/chevron_right:",
            disabled=position + 1 == len(ids),
            on_click=_go,
            args=(ids, position + 1),
        )
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
        show_images(sample)
    with right:
        show_question(sample, sample_id)
    views, methods = st.columns(2, gap="large")
    with views:
        distributions.show_views(run, sample)
    with methods:
        distributions.show_methods(run, sample)


def show_images(sample: Row) -> None:
    for name in sample["images"]:
        try:
            small = pages.picture(str(sample["folder"]), name)
        except ArtifactError as error:
            st.warning("The image cannot be shown.", icon=":material/broken_image:")
            st.text(str(error))
        else:
            st.image(enlarged(small))
    if not sample["images"]:
        st.info("This sample has no image.")


def enlarged(picture: np.ndarray) -> np.ndarray:
    """Whole pixels, repeated: a 32 × 32 picture would be a blur otherwise. A picture that is large enough is as it is."""
    times = max(1, ENLARGED_PX // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def show_question(sample: Row, sample_id: str) -> None:
    """Literally: a question may hold Markdown, LaTeX or HTML, and is shown as the model reads it."""
    st.caption("Question")
    st.code(sample["question"], language=None, wrap_lines=True)
    gold = ["✓" if label == sample["gold"] else "" for label in sample["labels"]]
    answers = pl.DataFrame({"label": sample["labels"], "gold": gold})
    if len(sample["options"]) == len(sample["labels"]):
        answers.insert_column(1, pl.Series("option", sample["options"], dtype=pl.String))
    st.dataframe(answers, hide_index=True, width="content")
    groups = "  ·  ".join(f"{name}: {value}" for name, value in json.loads(sample["groups"]).items())
    st.text("  ·  ".join(part for part in (groups, f"sample: {sample_id}") if part))


show()
