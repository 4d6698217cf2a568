"""What `mmplat diagnose` stored of a campaign, for the pages that say why: its tables, or the command that makes them."""

from __future__ import annotations

import shlex

import polars as pl
import shared
import streamlit as st

from mmplat.leaderboard import stored


def table(campaign: str, diagnostic: str, command: str, **wanted: str) -> pl.DataFrame:
    """The stored rows of the wanted model and suite; where there are none, the page says how to make them."""
    rows = stored_rows(campaign, diagnostic, **wanted)
    if rows.is_empty():
        say_how(campaign, command)
    return rows


def stored_rows(campaign: str, diagnostic: str, **wanted: str) -> pl.DataFrame:
    rows: pl.DataFrame = shared.look(stored.diagnostic, campaign, diagnostic)
    return (
        rows.filter(**{name: value for name, value in wanted.items() if name in rows.columns}) if rows.width else rows
    )


def choose_suite_of(diagnostic: str, *, needs: str) -> tuple[str, str, pl.DataFrame]:
    """(campaign, suite, its stored rows); without any, the page says how to make them and is done."""
    campaign: str = shared.choose_campaign()
    rows = stored_rows(campaign, diagnostic)
    if rows.is_empty():
        say_how(campaign, f"diagnose {diagnostic}", needs=needs)
        st.stop()
    suite: str = shared.choose("Suite", "suite", rows["suite"].unique(maintain_order=True).to_list())
    return campaign, suite, rows.filter(suite=suite)


def say_how(campaign: str, command: str, *, needs: str = "") -> None:
    with st.container():
        st.write("Not measured for this choice yet. The command that does it:")
        st.code(f"mmplat {command} {shlex.quote(campaign)}", language="sh")
        if needs:
            st.caption(f"Its grid must ask for {needs}.")


def with_ends(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """`low` and `high` of another column than `value`, under the names that charts and tables know."""
    return rows.drop("low", "high", strict=False).rename({f"{name}_low": "low", f"{name}_high": "high"})
