"""Campaigns: what runs now, how far it is, when it may end, what failed and why, what runs by the clock, and what it all costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import listing
import polars as pl
import shared
import streamlit as st

from mmplat.leaderboard import progress

EVERY = "5s"
BATCHES = [
    "status",
    "model",
    "suites",
    "rows_done",
    "rows_total",
    "rows_per_s",
    "seconds_left",
    "memory_mb",
    "host",
    "updated",
    "error",
]
BAD = ("failed", "lost", "stopped")
WHEN = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss")
LOOKS = {
    "done": st.column_config.ProgressColumn("asked", format="percent", min_value=0, max_value=1, width=110),
    "expected_end": st.column_config.DatetimeColumn("expected end", format="YYYY-MM-DD HH:mm"),
    "updated": st.column_config.DatetimeColumn("last word", format="YYYY-MM-DD HH:mm:ss"),
    "note": listing.words("note", width="large"),
    "rows_done": listing.number("rows", format="localized"),
    "rows_total": listing.number("of", format="localized"),
    "seconds_left": listing.number("seconds left", format="localized"),
    "memory_mb": listing.number("MB", format="localized"),
    "forwards": listing.number("forwards", format="localized"),
}


def show() -> None:
    names = progress.campaigns(shared.results())
    if not names:
        shared.say_how_to_begin()
        return
    overview()
    campaign = shared.choose("Campaign", "campaign", names)
    batches(campaign)
    show_failures(campaign)
    left, right = st.columns(2, gap="large")
    with left:
        show_costs(campaign)
    with right:
        show_disk()
    show_schedules()


@st.fragment(run_every=EVERY)
def overview() -> None:
    """Read anew every few seconds, alone: heartbeats change faster than the store."""
    table = progress.overview(shared.results())
    done = table.with_columns(pl.col("note").fill_null(""), done=pl.col("rows_done") / pl.col("rows_total"))
    columns = [
        "campaign",
        "state",
        "done",
        "rows_per_s",
        "expected_end",
        "batches",
        "running",
        "lost",
        "failed",
        "decided",
        "pairs",
        "failures",
        "note",
    ]
    quiet = {name for name in ("rows_per_s", "running") if not done[name].fill_null(0).sum()}
    quiet |= {name for name in ("expected_end", "note") if not table[name].count()}
    shown = done.select([name for name in columns if name not in quiet])
    st.dataframe(shown, hide_index=True, column_config=listing.looks_of(shown) | LOOKS)
    st.caption(f"Read anew every {EVERY.removesuffix('s')} seconds.")


@st.fragment(run_every=EVERY)
def batches(campaign: str) -> None:
    st.subheader("Batches", anchor=False)
    table = shared.tolerant(progress.batches, shared.results(), campaign)
    if table is None:
        return
    table = table.sort(pl.col("status") == "done", "status", maintain_order=True)
    shown = table.select([name for name in BATCHES if name in ("status", "model", "suites") or table[name].count()])
    picked = st.dataframe(
        shown, hide_index=True, column_config=listing.looks_of(shown) | LOOKS, on_select="rerun", selection_mode="single-row",
        key=f"batches {campaign}",
    )  # fmt: skip
    if picked.selection.rows:
        show_log(table.row(picked.selection.rows[0], named=True))
    elif table["status"].is_in(BAD).any():
        st.caption("Select a batch to read the end of its log.")


def show_log(batch: dict[str, Any]) -> None:
    st.text(f"batch {batch['batch']}")
    said = progress.log_tail(shared.results(), batch["batch"], batch["log"])
    if batch["error"]:
        st.text(batch["error"])
    if said is None:
        st.info("Its log is neither where its job wrote it nor beside the results (logs/ask/<batch>.log).")
    else:
        st.code(said, language=None)


def show_failures(campaign: str) -> None:
    lines = shared.tolerant(progress.failures, shared.results(), campaign)
    if lines:
        st.subheader("Samples that could not be asked", anchor=False)
        listing.show(
            pl.DataFrame({"failure": lines}), f"failures-{campaign}", looks={"failure": listing.words(width="large")}
        )


def show_costs(campaign: str) -> None:
    st.subheader("What asking cost", anchor=False)
    table = shared.tolerant(progress.costs, shared.results(), campaign)
    if table is None or table.is_empty():
        st.caption("No job of this campaign has said what it cost.")
        return
    table = table.with_columns(rate=pl.col("forwards") / pl.col("seconds"))
    looks = LOOKS | {
        "rate": listing.number("forwards/s", format="%.1f"),
        "seconds": listing.number("seconds", format="localized"),
    }
    listing.show(table, f"costs-{campaign}", looks=looks)


def show_disk() -> None:
    st.subheader("Disk", anchor=False)
    listing.show(disk(), "disk")
    st.caption("Counted at most once a minute. `mmplat gc` lists what nothing refers to.")


@st.cache_data(ttl=60, show_spinner=False)
def disk() -> pl.DataFrame:
    return progress.disk(shared.results())


def show_schedules() -> None:
    st.subheader("Schedule", anchor=False)
    table = progress.schedules(shared.results())
    if table.is_empty():
        st.caption("Nothing runs by the clock. `mmplat schedule add` sets that up.")
        return
    picked = listing.show(
        table,
        "schedule",
        key="schedule",
        columns=["schedule", "cron", "due", "outcome", "rows_asked", "reason", "grid"],
    )
    if picked is not None and table["log"][picked]:
        log = Path(table["log"][picked])
        st.code(progress.tail(log) if log.is_file() else f"{log} is gone.", language=None)


show()
