"""Run: one cell as it was recorded, found by its id or by the beginning of it."""

from __future__ import annotations

import run_parts
import shared
import streamlit as st

from mmplat.leaderboard.comparing import find_run


def show() -> None:
    named = shared.choose_text(
        "Run", "run", placeholder="its id, the beginning of it, or model=…,suite=…,method=…,decoding=…"
    )
    if not named:
        st.info("Select a row of the leaderboard or a cell of the grid, or name a run here.")
        return
    run_parts.show(shared.read(find_run, named))


show()
