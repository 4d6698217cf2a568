"""What is known of one run: every metric and group, what it cost, and the versions behind it."""

from __future__ import annotations

import json
from typing import Any

import listing
import polars as pl
import shared
import streamlit as st

from mmplat import leaderboard

Row = dict[str, Any]
FACTS = (
    "status",
    "origin",
    "n",
    "n_failed",
    "n_near_ties",
    "forward_passes",
    "seconds",
    "device",
    "dtype",
    "git_revision",
    "error",
)


def show(run: Row) -> None:
    name = f"{run['model']} · {run['suite']} · {run['method']} · {run['decoding']} · seed {run['seed']}"
    st.text(f"{name}\nrun {run['run_id']}")
    with st.container(horizontal=True):
        same = {name: str(run[name]) for name in ("campaign", "suite", "model", "method", "decoding")}
        shared.link("samples", "Its samples", **same)
        shared.link("compare", "Compare it", **same)
        shared.link("grid", "Its grid", **{name: same[name] for name in ("campaign", "suite", "model")})
    left, right = st.columns([3, 2])
    metrics = listing.with_texts(shared.read(leaderboard.metrics_of, run["run_id"]))
    with left:
        listing.show(metrics, f"run-{run['run_id']}", columns=["metric", "subset", "value", "interval", "n"])
    with right:
        st.dataframe(facts(run), hide_index=True, width="stretch")


def facts(run: Row) -> pl.DataFrame:
    known = {name.replace("_", " "): run[name] for name in FACTS}
    known["seconds"] = None if run["seconds"] is None else f"{run['seconds']:.2f}"
    known |= {
        "suite preparation": run["suite_key"],
        "model identity": run["model_key"],
        "evidence": run["evidence_key"],
    }
    known |= {f"{part} settings": json.dumps(value) for part, value in json.loads(run["settings"] or "{}").items()}
    known |= {f"version of {name}": value for name, value in json.loads(run["versions"] or "{}").items()}
    rows = [(name, str(value)) for name, value in known.items() if value is not None]
    return pl.DataFrame(rows, schema=["what", "value"], orient="row")
