"""Altair charts of the pages: tables in, charts out, nothing of Streamlit.

Colours: Okabe and Ito's for categories, one blue or blue–orange for numbers: colour-blind readers tell them apart.
No tooltip field may be titled "image": Vega would fetch its value as a picture.
"""

from __future__ import annotations

import math

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
ROWS = 30  # rows that one chart draws
ON_A_PHONE = "windowSize()[0] < 640"
MANY = 8
"""More names than this have no colour of their own."""
SIDE_BY_SIDE = 4
"""More suites than this share one line of their row."""
TOLD = {
    "method": "method", "decoding": "decoding", "seed": "seed", "value": "value", "interval": "95 % interval",
    "difference": "difference from naive", "difference_interval": "95 % interval, paired", "n": "n",
    "significance": "significance", "unparsed": "unparsed", "note": "note",
}  # fmt: skip


TIPS = {
    "rank": "d", "ranks": "", "model": "", "method": "", "decoding": "", "suite": "", "subset": "", "bin": "", "value": ".4f",
    "difference": "+.4f", "gain": "+.4f", "mean": ".4f", "low": ".4f", "high": ".4f", "sd": ".4f", "p": ".4f", "p_holm": ".4f",
    "n": ",", "unparsed": ".1%", "forward_passes": ",", "passes_per_sample": ".2f", "seconds": ".2f", "temperature": ".3g",
    "top_p": ".3g", "top_k": "d", "confidence": ".3f", "layer": "d", "token": "d", "segment": "", "view": "", "answer": "",
    "change": "+.4f", "weakest": "", "suites": "d", "worst_suite": "",
}  # fmt: skip
"""What a tooltip tells of a mark, in this order, where its table has the column; n and interval are among it."""


def tips(table: pl.DataFrame) -> list[alt.Tooltip]:
    def tip(name: str, form: str) -> alt.Tooltip:
        title = name.replace("_", " ")
        return alt.Tooltip(f"{name}:Q", title=title, format=form) if form else alt.Tooltip(f"{name}:N", title=title)

    return [tip(name, form) for name, form in TIPS.items() if name in table.columns]


def intervals(
    table: pl.DataFrame, *, title: str, value: str = "value", colour: str | None = None, names: list[str] | None = None,
    zero: bool = False,
) -> alt.LayerChart:  # fmt: skip
    """A point with its interval per row, in the order of the table; `row` names it. `colour` is a column of a few `names`;
    `zero` draws where nothing is gained."""
    several = colour is not None and len(names or []) > 1
    shade = coloured(str(colour), names or []) if several else alt.value(BLUE)
    base = alt.Chart(table).encode(y=_rows_axis(table["row"].to_list()), color=shade, tooltip=tips(table))
    scale = alt.Scale(zero=zero, nice=True, padding=6)
    bars = base.mark_rule(strokeWidth=2, opacity=0.65).encode(x=_value_axis("low", scale, title), x2="high:Q")
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=_value_axis(value, scale, title))
    layers = [bars, points]
    if zero:
        layers.insert(
            0, alt.Chart(pl.DataFrame({"at": [0.0]})).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="at:Q")
        )
    return alt.layer(*layers).properties(height=alt.Step(ROW_PX))


def curves(
    table: pl.DataFrame, *, x: str, title: str, names: list[str], y: str = "value", y_title: str = "value",
    colour: str = "series", log: bool = False, band: bool = True, zero: bool = False, height: int = 300, part: int = 2,
) -> alt.LayerChart:  # fmt: skip
    """Lines over a number, a colour per series, with the interval of every point."""
    across = alt.X(
        f"{x}:Q", title=title, scale=alt.Scale(type="log" if log else "linear", zero=False, nice=False, padding=12)
    )
    up = alt.Scale(zero=zero, nice=True)
    base = alt.Chart(table).encode(x=across, color=coloured(colour, names, part), tooltip=tips(table))
    lines = base.mark_line(opacity=0.75).encode(y=alt.Y(f"{y}:Q", title=y_title, scale=up))
    points = base.mark_point(filled=True, size=45, opacity=1).encode(y=alt.Y(f"{y}:Q", title=y_title, scale=up))
    layers = [lines, points]
    if band and {"low", "high"} <= set(table.columns):
        layers.insert(0, base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=y_title, scale=up), y2="high:Q"))
    return alt.layer(*layers).properties(height=height + 24 * (len(names) // 3))  # lines of the legend


def scatter(table: pl.DataFrame, *, x: str, y: str, x_title: str, y_title: str, zero: bool = True) -> alt.LayerChart:
    """Points with intervals upwards; `front` (bool) are those that nothing beats in both directions, and `named` have names."""
    base = alt.Chart(table).encode(
        x=alt.X(f"{x}:Q", title=x_title, scale=alt.Scale(zero=False, nice=False, padding=45)), tooltip=tips(table)
    )
    up = alt.Y(f"{y}:Q", title=y_title, scale=alt.Scale(zero=zero, nice=True))
    shade = alt.condition("datum.front", alt.value(BLUE), alt.value(GREY))
    bars = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q", color=shade)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(y=up, color=shade)
    front = base.transform_filter("datum.front").mark_line(color=BLUE, opacity=0.4).encode(y=up)
    texts = base.transform_filter("datum.named").mark_text(dy=-12, fontSize=11).encode(y=up, text="row:N", color=shade)
    return alt.layer(front, bars, points, texts).properties(height=360)


def bars(
    table: pl.DataFrame,
    *,
    value: str,
    title: str,
    names: list[str],
    colour: str = "series",
    rows: list[str],
    part: int = 1,
) -> alt.LayerChart:
    """Bars from zero, several beside each other in a row; `low` and `high` are drawn where there are any."""
    base = alt.Chart(table).encode(
        y=_rows_axis(rows),
        color=coloured(colour, names, part),
        tooltip=tips(table),
    )
    drawn = alt.Scale(domain=[name for name in names if name in set(table[colour])])
    beside, middle = (alt.YOffset(f"{colour}:N", sort=names, scale=drawn, bandPosition=at) for at in (0, 0.5))
    across = alt.X(f"{value}:Q", title=title, axis=alt.Axis(labelFlush=False, tickCount=10))
    shown = [base.mark_bar().encode(x=across, yOffset=beside)]
    if {"low", "high"} <= set(table.columns):
        ends = base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q", color=alt.value(GREY), yOffset=middle)
        shown.append(ends)
    return alt.layer(*shown).properties(height=alt.Step(9))


def counts(
    table: pl.DataFrame, *, x: str, y: str, columns: list[str], rows: list[str], x_title: str, y_title: str
) -> alt.LayerChart:
    """How many went from where to where: a table of counts, shaded."""
    base = alt.Chart(table).encode(
        x=alt.X(f"{x}:N", sort=columns, title=x_title, axis=alt.Axis(orient="top", labelAngle=0, ticks=False)),
        y=alt.Y(f"{y}:N", sort=rows, title=y_title, axis=alt.Axis(ticks=False)),
        tooltip=[
            alt.Tooltip(f"{y}:N", title=y_title),
            alt.Tooltip(f"{x}:N", title=x_title),
            alt.Tooltip("count:Q", format=","),
        ],
    )
    top = max(table["count"].to_list(), default=0) or 1
    squares = base.mark_rect(stroke="white").encode(
        color=alt.Color("count:Q", scale=alt.Scale(scheme="blues", domain=[0, top * 1.4]), legend=None)
    )
    ink = alt.condition(f"datum.count > {top * 0.8}", alt.value(PAPER), alt.value(INK))
    numbers = base.mark_text(fontSize=13).encode(text=alt.Text("count:Q", format=","), color=ink)
    return (squares + numbers).properties(height=alt.Step(34))


def radar(table: pl.DataFrame, *, axes: list[str], names: list[str], colour: str = "series") -> alt.LayerChart:
    """A polygon per series over named axes from 0 (middle) to 1 (rim)."""
    placed = table.with_columns(*_polar(axes, "value"))
    closed = pl.concat([placed, placed.group_by(colour, maintain_order=True).first().with_columns(place=pl.lit(len(axes)))],
                       how="diagonal_relaxed")  # fmt: skip
    whole = pl.DataFrame({"axis": axes})
    rings = pl.concat([whole.with_columns(*_polar(axes, pl.lit(r)), ring=pl.lit(r)) for r in (0.25, 0.5, 0.75, 1.0)])
    rings = pl.concat(
        [rings, rings.filter(pl.col("place") == 0).with_columns(place=pl.lit(len(axes)))], how="diagonal_relaxed"
    )
    x, y = (
        alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-1.5, 1.5])),
        alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-1.25, 1.25])),
    )
    web = (
        alt.Chart(rings)
        .mark_line(color=GREY, opacity=0.35, strokeWidth=1)
        .encode(x=x, y=y, detail="ring:N", order="place:Q")
    )
    lines = (
        alt.Chart(closed)
        .mark_line(strokeWidth=2, opacity=0.8)
        .encode(x=x, y=y, color=coloured(colour, names), order="place:Q")
    )
    dots = alt.Chart(placed).mark_point(filled=True, size=60, opacity=1).encode(
        x=x, y=y, color=coloured(colour, names), tooltip=[alt.Tooltip(f"{colour}:N"), alt.Tooltip("axis:N"), *tips(placed)]
    )  # fmt: skip
    labels = whole.with_columns(*_polar(axes, pl.lit(1.14)))
    texts = alt.Chart(labels).mark_text(fontSize=11, color=GREY).encode(x=x, y=y, text="axis:N")
    return alt.layer(web, lines, dots, texts).properties(height=540)


def _polar(axes: list[str], radius: str | pl.Expr) -> list[pl.Expr]:
    place = pl.col("axis").replace_strict(axes, range(len(axes)), return_dtype=pl.Int64)
    angle = place * (2 * math.pi / max(len(axes), 1))
    length = pl.col(radius) if isinstance(radius, str) else radius
    return [place.alias("place"), (length * angle.sin()).alias("x"), (length * angle.cos()).alias("y")]


def coloured(column: str, names: list[str], part: int = 1) -> alt.Color:
    """The same name has the same colour in every chart of a page: `names` are all that there are, not those drawn."""
    scale = alt.Scale(domain=names, range=[LABELS[at % len(LABELS)] for at in range(len(names))])
    return alt.Color(f"{column}:N", sort=names, scale=scale, legend=_legend(names, part) if len(names) > 1 else None)


def across_suites(means: pl.DataFrame, per_suite: pl.DataFrame, *, suites: list[str], metric: str) -> alt.LayerChart:
    """The mean of each row as a tick, and the suites that it is the mean of as dots with their intervals."""
    rows = _rows_axis(means["row"].to_list()).scale(paddingInner=0.3)
    scale = alt.Scale(zero=False, nice=True, padding=6)
    colour = alt.Color("suite:N", sort=suites, scale=alt.Scale(domain=suites, range=LABELS), legend=_legend(suites))
    of_suite = alt.Chart(per_suite).encode(
        y=rows,
        color=colour,
        tooltip=tips(per_suite),
    )
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
    return (mean + bars + dots).properties(height=alt.Step(ROW_PX + 8, **{"for": "position"}))


CLICKED = "cell"
"""Name of the selection of a cell of the heatmap: its method and decoding."""


def heatmap(cells: pl.DataFrame, *, methods: list[str], decodings: list[str], diverging: bool) -> alt.LayerChart:
    """method × decoding with the number in each cell; `shown` is the number, null where there is none, `label` its text."""
    known = cells["shown"].drop_nulls().to_list()
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
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
        text="label:N", color=alt.condition(f"isValid(datum.shown) && {is_dark}", alt.value(PAPER), alt.value(INK))
    )
    clicked = alt.selection_point(name=CLICKED, fields=["method", "decoding"], empty=False)
    outline = base.transform_filter(clicked).mark_rect(filled=False, stroke=INK, strokeWidth=2)
    return (squares.add_params(clicked) + numbers + outline).properties(height=alt.Step(30))


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


def _legend(names: list[str], part: int = 1) -> alt.Legend:
    """Above the chart, in as many columns as there is room for: Vega wraps nothing by itself. The chart has one `part`-th of
    the page; on a phone it has all of it."""
    entry = 30 + 6.5 * max(len(name) for name in names)
    columns = alt.ExprRef(f"{ON_A_PHONE} ? {max(1, int(210 / entry))} : {max(1, int(800 / part / entry))}")
    return alt.Legend(orient="top", title=None, labelLimit=300, columns=columns, symbolOpacity=1)
