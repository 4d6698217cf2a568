"""Puts a chart on a page, below the legend of its colours. The legend is text of the page: it wraps, and nothing is cut off."""

from __future__ import annotations

from html import escape
from typing import Any

import altair as alt
import streamlit as st

ENTRIES = "display: flex; flex-wrap: wrap; gap: 0 1.1rem; font-size: 0.85rem; line-height: 1.5rem"
DOT = "display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.35em"


def draw(chart: alt.TopLevelMixin, place: Any = st, **options: Any) -> Any:
    """The chart, as wide as its place; returns what was clicked where `options` ask for that."""
    colours = chart.usermeta
    if colours is not alt.Undefined and len(colours) > 1:
        place.html(legend(colours))
    return place.altair_chart(chart, width="stretch", **options)


def legend(colours: dict[str, str]) -> str:
    """Names come from data: they are escaped."""
    entries = (
        f'<span style="overflow-wrap: anywhere"><span style="{DOT}; background: {colour}"></span>{escape(name)}</span>'
        for name, colour in colours.items()
    )
    return f'<div class="legend" style="{ENTRIES}">{"".join(entries)}</div>'
