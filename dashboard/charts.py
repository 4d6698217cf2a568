"""Altair charts of the pages: tables in, charts out, nothing of Streamlit.

Colours: Okabe and Ito's for categories, cividis and blue–orange for numbers; all are told apart by colour-blind readers.
No tooltip field may be titled "image": Vega would fetch its value as a picture.
"""

from __future__ import annotations

import altair as alt
import polars as pl

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#8C8C8C"
LABELS = [BLUE, ORANGE, "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#B8A800", "#6A51A3"]
ROW_PX = 22


def _rows_axis(names: list[str], *, limit: int = 250) -> alt.Y:
    return alt.Y("row:N", sort=names, title=None, axis=alt.Axis(labelLimit=limit, labelOverlap=False, ticks=False))


def intervals(table: pl.DataFrame, *, metric: str, by_model: bool) -> alt.LayerChart:
    """Values with their intervals, the best on top; `row` names them. Models have colours where there are several."""
    base = alt.Chart(table).encode(
        y=_rows_axis(table["row"].to_list()),
        color=_model_colour() if by_model else alt.value(BLUE),
        tooltip=[
            alt.Tooltip("rank:Q"), alt.Tooltip("model:N"), alt.Tooltip("method:N"), alt.Tooltip("decoding:N"),
            alt.Tooltip("value:Q", format=".4f"), alt.Tooltip("low:Q", format=".4f"),
            alt.Tooltip("high:Q", format=".4f"), alt.Tooltip("n:Q", format=","),
            alt.Tooltip("unparsed:Q", format=".1%"), alt.Tooltip("forward_passes:Q", format=","),
        ],
    )  # fmt: skip
    scale = alt.Scale(zero=False, nice=True, padding=6)
    bars = base.mark_rule(strokeWidth=2, opacity=0.65).encode(x=alt.X("low:Q", scale=scale, title=metric), x2="high:Q")
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X("value:Q", scale=scale, title=metric))
    return (bars + points).properties(height=ROW_PX * table.height + 50)


def across_suites(means: pl.DataFrame, per_suite: pl.DataFrame, *, metric: str) -> alt.LayerChart:
    """The mean of each row as a bar mark, and the suites that it is the mean of as dots with their intervals."""
    names = means["row"].to_list()
    scale = alt.Scale(zero=False, nice=True, padding=6)
    suites = alt.Chart(per_suite).encode(
        y=_rows_axis(names),
        color=alt.Color("suite:N", scale=alt.Scale(range=LABELS), legend=alt.Legend(orient="top", title=None)),
        tooltip=[
            alt.Tooltip("suite:N"), alt.Tooltip("model:N"), alt.Tooltip("method:N"), alt.Tooltip("decoding:N"),
            alt.Tooltip("value:Q", format=".4f"), alt.Tooltip("low:Q", format=".4f"),
            alt.Tooltip("high:Q", format=".4f"), alt.Tooltip("n:Q", format=","),
        ],
    )  # fmt: skip
    bars = suites.mark_rule(strokeWidth=1.5, opacity=0.35).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    dots = suites.mark_point(filled=True, size=55, opacity=0.9).encode(x=alt.X("value:Q", scale=scale))
    mean = alt.Chart(means).mark_tick(thickness=3, height=16, color=GREY).encode(
        y=_rows_axis(names),
        x=alt.X("mean_over_suites:Q", scale=scale, title=f"{metric}: suites, and their mean as a tick"),
        tooltip=[alt.Tooltip("rank:Q"), alt.Tooltip("mean_over_suites:Q", title="mean over suites", format=".4f"),
                 alt.Tooltip("suites:Q"), alt.Tooltip("worst_suite:N", title="worst suite")],
    )  # fmt: skip
    return (bars + dots + mean).properties(height=ROW_PX * means.height + 80)


def heatmap(cells: pl.DataFrame, *, methods: list[str], decodings: list[str], diverging: bool) -> alt.LayerChart:
    """method × decoding with the number in each cell; `shown` is the number, null where there is none."""
    form = "+.3f" if diverging else ".3f"
    known = cells["shown"].drop_nulls()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)  # type: ignore[arg-type]
    reach = max(abs(low), abs(high), 0.001)
    domain = [-reach, reach] if diverging else [low, high]
    scale = alt.Scale(scheme="blueorange" if diverging else "cividis", domain=domain, reverse=diverging)
    base = alt.Chart(cells).encode(
        x=alt.X("decoding:N", sort=decodings, title=None,
                axis=alt.Axis(orient="top", labelAngle=0 if len(decodings) < 4 else -35, labelLimit=140, ticks=False)),
        y=alt.Y("method:N", sort=methods, title=None, axis=alt.Axis(labelLimit=160, ticks=False)),
        tooltip=[
            alt.Tooltip("method:N"), alt.Tooltip("decoding:N"), alt.Tooltip("seed:Q"),
            alt.Tooltip("value:Q", format=".4f"), alt.Tooltip("interval:N", title="95 % interval"),
            alt.Tooltip("difference:Q", title="difference from naive", format="+.4f"),
            alt.Tooltip("difference_interval:N", title="95 % interval, paired"),
            alt.Tooltip("n:Q", format=","), alt.Tooltip("unparsed:Q", format=".1%"), alt.Tooltip("note:N"),
        ],
    )  # fmt: skip
    middle = (domain[0] + domain[1]) / 2
    # Ends of the diverging scale are dark, its middle is light; cividis runs from dark to light.
    is_dark = f"abs(datum.shown) > {reach * 0.55}" if diverging else f"datum.shown < {middle}"
    squares = base.mark_rect(stroke="white", strokeWidth=1, strokeOpacity=0.6).encode(
        color=alt.condition("isValid(datum.shown)", alt.Color("shown:Q", scale=scale, legend=None), alt.value("#8C8C8C33"))
    )
    numbers = base.mark_text(fontSize=12).encode(
        text=alt.condition("isValid(datum.shown)", alt.Text("shown:Q", format=form), alt.value("–")),
        color=alt.condition(f"isValid(datum.shown) && {is_dark}", alt.value("white"), alt.value("#1f2933")),
    )
    return (squares + numbers).properties(height=30 * len(methods) + 70)


def distributions(parts: pl.DataFrame, *, rows: list[str], labels: list[str], title: str) -> alt.LayerChart:
    """One bar per row, cut into the labels; `note` stands at its end. Rows are views or methods."""
    scale = alt.Scale(domain=labels, range=[LABELS[i % len(LABELS)] for i in range(len(labels) - 1)] + [_last(labels)])
    base = alt.Chart(parts).encode(y=_rows_axis(rows, limit=150))
    bars = base.mark_bar(height={"band": 0.72}).encode(
        x=alt.X("share:Q", stack="zero", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".1f")),
        color=alt.Color("label:N", scale=scale, legend=alt.Legend(orient="top", title=None, labelLimit=160)),
        order=alt.Order("position:Q"),
        tooltip=[alt.Tooltip("row:N", title="from"), alt.Tooltip("label:N"), alt.Tooltip("share:Q", format=".4f"),
                 alt.Tooltip("detail:N")],
    )  # fmt: skip
    numbers = base.transform_filter("datum.share > 0.1").mark_text(fontSize=11, color="white", fontWeight=600).encode(
        x=alt.X("middle:Q"), text=alt.Text("share:Q", format=".2f"), order=alt.Order("position:Q")
    )
    return (bars + numbers).properties(height=26 * len(rows) + 80)


def _last(labels: list[str]) -> str:
    """Grey is for saying something that is no label, which comes last where it is drawn."""
    return GREY if labels[-1] == NO_LABEL else LABELS[(len(labels) - 1) % len(LABELS)]


NO_LABEL = "no label"


def _model_colour() -> alt.Color:
    return alt.Color("model:N", scale=alt.Scale(range=LABELS), legend=alt.Legend(orient="top", title=None))
