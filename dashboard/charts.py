"""Altair charts of the pages: tables in, charts out, nothing of Streamlit.

Colours: Okabe and Ito's for categories, one blue or blue–orange for numbers: colour-blind readers tell them apart.
No tooltip field may be titled "image": Vega would fetch its value as a picture.
"""

from __future__ import annotations

import altair as alt
import polars as pl

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#8C8C8C"
INK, PAPER = "#1f2933", "white"
LABELS = [BLUE, ORANGE, "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#B8A800", "#6A51A3"]
LIGHT = {ORANGE, "#CC79A7", "#56B4E9", "#B8A800"}
"""Colours on which dark numbers are read better."""
NO_LABEL = "no label"
"""Stands last where it is drawn, in grey: the model says something that is no label."""
ROW_PX = 22
ON_A_PHONE = "windowSize()[0] < 640"
SIDE_BY_SIDE = 4
"""More suites than this share one line of their row."""
TOLD = {
    "method": "method", "decoding": "decoding", "seed": "seed", "value": "value", "interval": "95 % interval",
    "difference": "difference from naive", "difference_interval": "95 % interval, paired", "n": "n",
    "unparsed": "unparsed", "note": "note",
}  # fmt: skip


def intervals(table: pl.DataFrame, *, metric: str, models: list[str]) -> alt.LayerChart:
    """Values with their intervals, the best on top; `row` names them. Models have colours where there are several."""
    base = alt.Chart(table).encode(
        y=_rows_axis(table["row"].to_list()),
        color=_model_colour(models) if len(models) > 1 else alt.value(BLUE),
        tooltip=[
            alt.Tooltip("rank:Q"), alt.Tooltip("model:N"), alt.Tooltip("method:N"), alt.Tooltip("decoding:N"),
            alt.Tooltip("value:Q", format=".4f"), alt.Tooltip("low:Q", format=".4f"),
            alt.Tooltip("high:Q", format=".4f"), alt.Tooltip("n:Q", format=","),
            alt.Tooltip("unparsed:Q", format=".1%"), alt.Tooltip("forward_passes:Q", format=","),
        ],
    )  # fmt: skip
    scale = alt.Scale(zero=False, nice=True, padding=6)
    bars = base.mark_rule(strokeWidth=2, opacity=0.65).encode(x=_value_axis("low", scale, metric), x2="high:Q")
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=_value_axis("value", scale, metric))
    return (bars + points).properties(height=alt.Step(ROW_PX))


def across_suites(means: pl.DataFrame, per_suite: pl.DataFrame, *, suites: list[str], metric: str) -> alt.LayerChart:
    """The mean of each row as a tick, and the suites that it is the mean of as dots with their intervals."""
    rows = _rows_axis(means["row"].to_list()).scale(paddingInner=0.3)
    scale = alt.Scale(zero=False, nice=True, padding=6)
    colour = alt.Color("suite:N", sort=suites, scale=alt.Scale(domain=suites, range=LABELS), legend=_legend(suites))
    of_suite = alt.Chart(per_suite).encode(
        y=rows,
        color=colour,
        tooltip=[
            alt.Tooltip("suite:N"), alt.Tooltip("model:N"), alt.Tooltip("method:N"), alt.Tooltip("decoding:N"),
            alt.Tooltip("value:Q", format=".4f"), alt.Tooltip("low:Q", format=".4f"),
            alt.Tooltip("high:Q", format=".4f"), alt.Tooltip("n:Q", format=","),
        ],
    )  # fmt: skip
    if len(suites) <= SIDE_BY_SIDE:
        of_suite = of_suite.encode(yOffset=alt.YOffset("suite:N", sort=suites))
    bars = of_suite.mark_rule(strokeWidth=2, opacity=0.5).encode(x=_value_axis("low", scale, metric), x2="high:Q")
    dots = of_suite.mark_point(filled=True, size=45, opacity=1).encode(x=_value_axis("value", scale, metric))
    mean = alt.Chart(means).mark_tick(thickness=3, height=ROW_PX - 2, color=GREY).encode(
        y=rows,
        x=_value_axis("mean_over_suites", scale, metric),
        tooltip=[alt.Tooltip("rank:Q"), alt.Tooltip("mean_over_suites:Q", title="mean over suites", format=".4f"),
                 alt.Tooltip("suites:Q"), alt.Tooltip("worst_suite:N", title="worst suite")],
    )  # fmt: skip
    return (mean + bars + dots).properties(height=(ROW_PX + 8) * means.height)


def heatmap(cells: pl.DataFrame, *, methods: list[str], decodings: list[str], diverging: bool) -> alt.LayerChart:
    """method × decoding with the number in each cell; `shown` is the number, null where there is none."""
    form = "+.3f" if diverging else ".3f"
    known = cells["shown"].drop_nulls()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)  # type: ignore[arg-type]
    reach = max(abs(low), abs(high), 0.001)
    domain = [-reach, reach] if diverging else [low - 0.25 * (high - low), high]
    scale = alt.Scale(scheme="blueorange" if diverging else "blues", domain=domain, reverse=diverging)
    angle = 0 if len(decodings) < 4 else -35
    across = alt.Axis(orient="top", labelAngle=angle, labelLimit=140, labelFlush=False, ticks=False)
    down = alt.Axis(labelLimit=160, labelFlush=False, ticks=False)
    base = alt.Chart(_told(cells)).encode(
        x=alt.X("decoding:N", sort=decodings, title=None, axis=across),
        y=alt.Y("method:N", sort=methods, title=None, axis=down),
        tooltip=[alt.Tooltip(f"{column}:N", title=title) for column, title in TOLD.items()],
    )
    # Dark blue takes white numbers, and so does the very end of the orange.
    is_dark = f"datum.shown > {low + 0.45 * (high - low)}"
    if diverging:
        is_dark = f"(datum.shown > {reach * 0.65} || datum.shown < {-reach * 0.9})"
    colour = alt.Color("shown:Q", scale=scale, legend=None)
    squares = base.mark_rect(stroke="white", strokeWidth=1, strokeOpacity=0.6, invalid=None).encode(
        color=alt.condition("isValid(datum.shown)", colour, alt.value("#DDDDDD"))
    )
    numbers = base.mark_text(fontSize=12, invalid=None).encode(
        text=alt.condition("isValid(datum.shown)", alt.Text("shown:Q", format=form), alt.value("–")),
        color=alt.condition(f"isValid(datum.shown) && {is_dark}", alt.value(PAPER), alt.value(INK)),
    )
    return (squares + numbers).properties(height=alt.Step(30))


def _told(cells: pl.DataFrame) -> pl.DataFrame:
    """What a tooltip tells, as text: Vega would say "null" of a cell that has no number."""
    forms = {"value": ".4f", "difference": "+.4f", "n": ",", "unparsed": ".1%", "seed": "d"}
    texts = [
        pl.Series(name, ["–" if each is None else f"{each:{form}}" for each in cells[name]], dtype=pl.String)
        for name, form in forms.items()
    ]
    return cells.with_columns(*texts, pl.col("interval", "difference_interval", "note").fill_null("–"))


def distributions(parts: pl.DataFrame, *, rows: list[str], labels: list[str], title: str) -> alt.LayerChart:
    """One bar per row, cut into the labels. Rows are views or methods."""
    colours = {label: GREY if label == NO_LABEL else LABELS[at % len(LABELS)] for at, label in enumerate(labels)}
    inks = {label: INK if colour in LIGHT else PAPER for label, colour in colours.items()}
    base = alt.Chart(parts.with_columns(ink=pl.col("label").replace_strict(inks))).encode(y=_rows_axis(rows))
    scale = alt.Scale(domain=labels, range=list(colours.values()))
    bars = base.mark_bar(height={"band": 0.8}).encode(
        x=alt.X("share:Q", stack="zero", title=title, scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".1f", tickCount=5, labelFlush=False)),
        color=alt.Color("label:N", scale=scale, legend=_legend(labels)),
        order=alt.Order("position:Q"),
        tooltip=[alt.Tooltip("row:N", title="from"), alt.Tooltip("label:N"), alt.Tooltip("share:Q", format=".4f"),
                 alt.Tooltip("detail:N")],
    )  # fmt: skip
    numbers = base.transform_filter("datum.share > 0.12").mark_text(fontSize=11, fontWeight=600).encode(
        x=alt.X("middle:Q"), text=alt.Text("share:Q", format=".2f"), color=alt.Color("ink:N", scale=None)
    )  # fmt: skip
    return (bars + numbers).properties(height=alt.Step(24)).resolve_scale(color="independent")


def _rows_axis(names: list[str]) -> alt.Y:
    limit = alt.ExprRef(f"{ON_A_PHONE} ? 150 : 320")
    axis = alt.Axis(labelLimit=limit, labelOverlap=False, labelFlush=False, ticks=False)
    return alt.Y("row:N", sort=names, title=None, axis=axis)


def _value_axis(column: str, scale: alt.Scale, metric: str) -> alt.X:
    return alt.X(f"{column}:Q", scale=scale, title=metric, axis=alt.Axis(labelFlush=False, tickCount=8))


def _legend(names: list[str]) -> alt.Legend:
    """Above the chart, in as many columns as there is room for: Vega wraps nothing by itself."""
    entry = 30 + 6.5 * max(len(name) for name in names)
    columns = alt.ExprRef(f"{ON_A_PHONE} ? {max(1, int(210 / entry))} : {max(1, int(800 / entry))}")
    return alt.Legend(orient="top", title=None, labelLimit=300, columns=columns, symbolOpacity=1)


def _model_colour(models: list[str]) -> alt.Color:
    scale = alt.Scale(domain=models, range=LABELS)
    return alt.Color("model:N", sort=models, scale=scale, legend=_legend(models))
