"""Altair charts of the pages: tables in, charts out, nothing of Streamlit.

A chart that has colours carries what they mean as `usermeta`; `drawing.draw` writes that above it, where it wraps as text does.
Vega would clip a legend that is wider than the chart, and take its height from it.

Colours: Okabe and Ito's for categories (the blue lighter, to be seen on dark pages too), one blue or blue–orange for numbers:
colour-blind readers tell them apart.
No tooltip field may be titled "image": Vega would fetch its value as a picture.
"""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import polars as pl

from mmplat.leaderboard.standings import CONDITION

BLUE, ORANGE, GREY = "#1A80BF", "#E69F00", "#8C8C8C"
INK, PAPER = "#1f2933", "white"
LABELS = [BLUE, ORANGE, "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#B8A800", "#8567C1"]
LIGHT = {ORANGE, "#CC79A7", "#56B4E9", "#B8A800"}
"""Colours on which dark numbers are read better."""
NO_LABEL = "no label"
"""Stands last where it is drawn, in grey: the model says something that is no label."""
ROW_PX = 22
ROWS = 30  # rows that one chart draws
ON_A_PHONE = "windowSize()[0] < 640"
TICKS, FEW_TICKS = (alt.ExprRef(f"{ON_A_PHONE} ? 4 : {count}") for count in (8, 6))
APART = {"labelFlush": False, "labelOverlap": "parity", "labelSeparation": 10}
"""Numbers of an axis that would touch each other are left out."""
MANY = 8
"""More names than this have no colour of their own."""
BESIDE_PX = 12
SIDE_BY_SIDE = 4
"""More suites than this share one line of their row."""
TOLD = {
    "method": "method", "decoding": "decoding", "seed": "seed", "value": "value", "interval": "95 % interval",
    "difference": "difference from naive", "difference_interval": "95 % interval, paired", "n": "n",
    "p_holm": "p (Holm)", "unparsed": "unparsed", "note": "note",
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
    zero: bool = False, beside: bool = False,
) -> alt.LayerChart:  # fmt: skip
    """A point with its interval per row, in the order of the table; `row` names it. `colour` is a column of a few `names`, whose
    points stand in rows of their own or `beside` each other in one; `zero` draws where nothing is gained."""
    several = colour is not None and len(names or []) > 1
    shade = coloured(str(colour), names or []) if several else alt.value(BLUE)
    rows, height = _rows_axis(table["row"].unique(maintain_order=True).to_list()), alt.Step(ROW_PX)
    base = alt.Chart(table).encode(y=rows, color=shade, tooltip=tips(table))
    if beside:
        drawn = [name for name in names or [] if name in set(table[str(colour)])]
        # Lines stand between the rows; a long name has two lines: of its suite, and of what was changed.
        axis = _names_axis(grid=True, tickBand="extent", labelExpr="split(datum.label, ': ')")
        rows = rows.axis(axis).scale(paddingInner=0.25, paddingOuter=0.12)
        base = base.encode(y=rows, yOffset=alt.YOffset(f"{colour}:N", sort=drawn))
        height = alt.Step(BESIDE_PX, **{"for": "offset"})
    scale = alt.Scale(zero=zero, nice=False, padding=8)
    bars = base.mark_rule(strokeWidth=2, opacity=0.75).encode(x=_value_axis("low", scale, title), x2="high:Q")
    points = base.mark_point(filled=True, size=45 if beside else 70, opacity=1).encode(
        x=_value_axis(value, scale, title)
    )
    layers = [bars, points]
    if zero:
        layers.insert(
            0, alt.Chart(pl.DataFrame({"at": [0.0]})).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="at:Q")
        )
    return alt.layer(*layers).properties(height=height, **legend_of(table, colour, names))


def curves(
    table: pl.DataFrame, *, x: str, title: str, names: list[str], y: str = "value", y_title: str = "value",
    colour: str = "series", log: bool = False, band: bool = True, zero: bool = False, diagonal: bool = False,
) -> alt.LayerChart:  # fmt: skip
    """Lines over a number, a colour per series, with the interval of every point; `diagonal` is where both numbers are equal."""
    steps = {"tickMinStep": 1, "format": "d"} if table[x].dtype.is_integer() else {}
    across = alt.X(
        f"{x}:Q", title=title, axis=alt.Axis(tickCount=FEW_TICKS, **APART, **steps),
        scale=alt.Scale(type="log" if log else "linear", zero=False, nice=False, padding=12),
    )  # fmt: skip
    up = alt.Scale(zero=zero, nice=True)
    base = alt.Chart(table).encode(x=across, color=coloured(colour, names), tooltip=tips(table))
    lines = base.mark_line(opacity=0.75).encode(y=alt.Y(f"{y}:Q", title=y_title, scale=up))
    points = base.mark_point(filled=True, size=45, opacity=1).encode(y=alt.Y(f"{y}:Q", title=y_title, scale=up))
    layers = [lines, points]
    if band and {"low", "high"} <= set(table.columns):
        layers.insert(0, base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=y_title, scale=up), y2="high:Q"))
    if diagonal:
        ends = pl.DataFrame({"at": [table[x].min(), table[x].max()]})
        layers.insert(
            0, alt.Chart(ends).mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1).encode(x="at:Q", y="at:Q")
        )
    return alt.layer(*layers).properties(height=300, **legend_of(table, colour, names))


def scatter(table: pl.DataFrame, *, x: str, y: str, x_title: str, y_title: str, zero: bool = True) -> alt.LayerChart:
    """Points with intervals upwards; `front` (bool) are those that nothing beats in both directions, and `named` is what
    stands at a point, or nothing."""
    base = alt.Chart(table).encode(
        x=alt.X(
            f"{x}:Q", title=x_title, scale=alt.Scale(zero=False, nice=False, padding=45),
            axis=alt.Axis(tickCount=FEW_TICKS, **APART),
        ),
        tooltip=tips(table),
    )  # fmt: skip
    up = alt.Y(f"{y}:Q", title=y_title, scale=alt.Scale(zero=zero, nice=True))
    shade = alt.condition("datum.front", alt.value(BLUE), alt.value(GREY))
    bars = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q", color=shade)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(y=up, color=shade)
    front = base.transform_filter("datum.front").mark_line(color=BLUE, opacity=0.4).encode(y=up)
    texts = (
        base.transform_filter("datum.named").mark_text(dy=-12, fontSize=11).encode(y=up, text="named:N", color=shade)
    )
    return alt.layer(front, bars, points, texts).properties(height=360)


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
        alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-2.1, 2.1])),
        alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-1.3, 1.3])),
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
    # A long name has two lines: of its suite, and of what was changed.
    labels = whole.with_columns(*_polar(axes, pl.lit(1.16)), label=pl.col("axis").str.replace(": ", "\n", literal=True))
    texts = alt.Chart(labels).mark_text(
        fontSize=10.5, color=GREY, lineBreak="\n", limit=alt.ExprRef(f"{ON_A_PHONE} ? 75 : 120"),
        align=alt.ExprRef("datum.x > 0.1 ? 'left' : datum.x < -0.1 ? 'right' : 'center'"),
    ).encode(x=x, y=y, text="label:N")  # fmt: skip
    return alt.layer(web, lines, dots, texts).properties(height=360, **legend_of(table, colour, names))


def _polar(axes: list[str], radius: str | pl.Expr) -> list[pl.Expr]:
    place = pl.col("axis").replace_strict(axes, range(len(axes)), return_dtype=pl.Int64)
    angle = place * (2 * math.pi / max(len(axes), 1))
    length = pl.col(radius) if isinstance(radius, str) else radius
    return [place.alias("place"), (length * angle.sin()).alias("x"), (length * angle.cos()).alias("y")]


def palette(names: list[str]) -> dict[str, str]:
    return {name: LABELS[at % len(LABELS)] for at, name in enumerate(names)}


def coloured(column: str, names: list[str]) -> alt.Color:
    """The same name has the same colour in every chart of a page: `names` are all that there are, not those drawn."""
    return _shade(column, palette(names))


def _shade(column: str, colours: dict[str, str]) -> alt.Color:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{column}:N", sort=list(colours), scale=scale, legend=None)


def legend_of(table: pl.DataFrame, colour: str | None, names: list[str] | None) -> dict[str, dict[str, str]]:
    """`usermeta` of a chart: the colours of those `names` that are drawn, where there are several to be told apart."""
    if colour is None or len(names or []) < 2:
        return {}
    drawn = set(table[colour])
    return {"usermeta": {name: shade for name, shade in palette(names or []).items() if name in drawn}}


def across_suites(means: pl.DataFrame, per_suite: pl.DataFrame, *, suites: list[str], metric: str) -> alt.LayerChart:
    """The mean of each row as a tick, and the suites that it is the mean of as dots with their intervals."""
    rows = _rows_axis(means["row"].to_list()).scale(paddingInner=0.3)
    scale = alt.Scale(zero=False, nice=False, padding=8)
    colours, legend = suite_colours(suites)
    of_suite = alt.Chart(per_suite).encode(y=rows, color=_shade("suite", colours), tooltip=tips(per_suite))
    crowded = len(suites) > SIDE_BY_SIDE
    if not crowded:
        of_suite = of_suite.encode(yOffset=alt.YOffset("suite:N", sort=suites))
    bars = of_suite.mark_rule(strokeWidth=1 if crowded else 2, opacity=0.25 if crowded else 0.5)
    bars = bars.encode(x=_value_axis("low", scale, metric), x2="high:Q")
    dots = of_suite.mark_point(filled=True, size=45, opacity=1).encode(x=_value_axis("value", scale, metric))
    mean = alt.Chart(means).mark_tick(thickness=3, height=ROW_PX - 2, color=GREY).encode(
        y=rows,
        x=_value_axis("mean_over_suites", scale, metric),
        tooltip=[alt.Tooltip("rank:Q"), alt.Tooltip("mean_over_suites:Q", title="mean over suites", format=".4f"),
                 alt.Tooltip("suites:Q"), alt.Tooltip("worst_suite:N", title="worst suite")],
    )  # fmt: skip
    return (mean + bars + dots).properties(height=alt.Step(ROW_PX + 8, **{"for": "position"}), usermeta=legend)


def suite_colours(suites: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """(colour of each suite, what the legend says). Where there are more suites than colours, a suite and its conditions share
    one, so that no colour means two things."""
    if len(suites) <= MANY:
        return palette(suites), palette(suites)
    bases = list(dict.fromkeys(suite.partition(CONDITION)[0] for suite in suites))
    legend = palette(bases) if len(bases) <= MANY else {}
    return {suite: legend.get(suite.partition(CONDITION)[0], BLUE) for suite in suites}, legend


CLICKED = "cell"
"""Name of the selection of a cell of the heatmap: its method and decoding."""


def heatmap(cells: pl.DataFrame, *, methods: list[str], decodings: list[str], diverging: bool) -> alt.LayerChart:
    """method × decoding with the number in each cell; `shown` is the number, null where there is none, `label` its text."""
    known = cells["shown"].drop_nulls().to_list()
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    reach = max(abs(low), abs(high), 0.001)
    domain = [-reach, reach] if diverging else [low - 0.25 * (high - low), high]
    scale = alt.Scale(scheme="blueorange" if diverging else "blues", domain=domain, reverse=diverging)
    angle = alt.ExprRef(f"{ON_A_PHONE} || {sum(map(len, decodings))} > 110 ? -35 : 0") if len(decodings) > 3 else 0
    across = alt.Axis(orient="top", labelAngle=angle, labelLimit=140, labelFlush=False, ticks=False)
    down = alt.Axis(labelLimit=160, labelFlush=False, ticks=False)
    base = alt.Chart(_told(cells)).encode(
        x=alt.X("decoding:N", sort=decodings, title=None, axis=across),
        y=alt.Y("method:N", sort=methods, title=None, axis=down),
        tooltip=[alt.Tooltip(f"{column}:N", title=title) for column, title in TOLD.items()],
    )
    # Dark blue and dark orange take white numbers.
    is_dark = f"datum.shown > {low + 0.45 * (high - low)}"
    if diverging:
        is_dark = f"(datum.shown > {reach * 0.65} || datum.shown < {-reach * 0.65})"
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
    forms = {"value": ".4f", "difference": "+.4f", "p_holm": ".4f", "n": ",", "unparsed": ".1%", "seed": "d"}
    texts = [
        pl.Series(name, ["–" if each is None else f"{each:{form}}" for each in cells[name]], dtype=pl.String)
        for name, form in forms.items()
    ]
    return cells.with_columns(*texts, pl.col("interval", "difference_interval", "note").fill_null("–"))


def distributions(
    parts: pl.DataFrame, *, rows: list[str], labels: list[str], title: str, gold: str | None = None
) -> alt.LayerChart:
    """One bar per row, cut into the labels; the legend marks the one that is right. Rows are views or methods."""
    colours = {label: GREY if label == NO_LABEL else LABELS[at % len(LABELS)] for at, label in enumerate(labels)}
    legend = {f"{label} ✓" if label == gold else label: colour for label, colour in colours.items()}
    inks = {label: INK if colour in LIGHT else PAPER for label, colour in colours.items()}
    base = alt.Chart(parts.with_columns(ink=pl.col("label").replace_strict(inks))).encode(y=_rows_axis(rows))
    scale = alt.Scale(domain=labels, range=list(colours.values()))
    bars = base.mark_bar(height={"band": 0.8}).encode(
        x=alt.X("share:Q", stack="zero", title=title, scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".1f", tickCount=5, labelFlush=False)),
        color=alt.Color("label:N", scale=scale, legend=None),
        order=alt.Order("position:Q"),
        tooltip=[alt.Tooltip("row:N", title="from"), alt.Tooltip("label:N"), alt.Tooltip("share:Q", format=".4f"),
                 alt.Tooltip("detail:N")],
    )  # fmt: skip
    numbers = base.transform_filter("datum.share > 0.12").mark_text(fontSize=11, fontWeight=600).encode(
        x=alt.X("middle:Q"), text=alt.Text("share:Q", format=".2f"), color=alt.Color("ink:N", scale=None)
    )  # fmt: skip
    return (bars + numbers).properties(height=alt.Step(24), usermeta=legend).resolve_scale(color="independent")


def _rows_axis(names: list[str]) -> alt.Y:
    return alt.Y("row:N", sort=names, title=None, axis=_names_axis())


def _names_axis(**more: Any) -> alt.Axis:
    limit = alt.ExprRef(f"{ON_A_PHONE} ? 150 : 320")
    return alt.Axis(labelLimit=limit, labelOverlap=False, labelFlush=False, ticks=False, **more)


def _value_axis(column: str, scale: alt.Scale, metric: str) -> alt.X:
    return alt.X(f"{column}:Q", scale=scale, title=metric, axis=alt.Axis(tickCount=TICKS, **APART))
