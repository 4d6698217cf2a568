"""Points with intervals, one panel per model and suite, as SVG text: the one kind of figure that all diagnostics need.

It is written by hand because nothing that is installed with mmplat draws without a browser: altair (dashboard) writes a
description that JavaScript draws, and a plotting library would be the largest dependency of a page of code. SVG is shown by any
browser, by GitHub and by LaTeX's tools, and two figures can be compared as text.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from mmplat.diagnostics.svg import COLOURS, document, dot, line, text

WIDTH, HEIGHT, COLUMNS = 380, 240, 3
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 26, 42
LINE, LETTER, BOLD, SLANT = 14, 5.6, 6.6, 50


@dataclass(frozen=True, slots=True)
class Point:
    """A value over a place on the x axis: a number, or a name."""

    x: float | str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one colour."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    title: str
    series: Sequence[Series]
    diagonal: bool = False
    """Draws where value and x are equal."""
    joined: bool = False
    """Joins the points of a series."""


def draw(panels: Sequence[Panel], *, x: str, y: str) -> str:
    """All panels under each other, three in a row, with one legend."""
    names = list(dict.fromkeys(series.name for panel in panels for series in panel.series))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // COLUMNS)
    lift = LINE * max((len(_title(panel)) - 1 for panel in panels), default=0)
    deep = lift + HEIGHT + max(map(_below, panels), default=0)
    width, height = columns * WIDTH, rows * deep + LINE * (len(names) + 1)
    body = [
        f'<g transform="translate({i % COLUMNS * WIDTH},{i // COLUMNS * deep + lift})">{_panel(panel, colours, x, y)}</g>'
        for i, panel in enumerate(panels)
    ]
    body += [
        f'<g transform="translate({LEFT},{rows * deep + LINE * i})">{dot(4, 6, colours[name], radius=4)}'
        f"{text(14, 10, name)}</g>"
        for i, name in enumerate(names)
    ]
    return document(width, height, body)


@dataclass(frozen=True, slots=True)
class _Axis:
    """From data to a length in the figure."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start), 2)

    @property
    def ticks(self) -> list[float]:
        """Three to seven round numbers."""
        rough = (self.high - self.low) / 4
        unit = 10 ** math.floor(math.log10(rough))
        step = next(times * unit for times in (1, 2, 5, 10) if times * unit >= rough * 0.7)
        return [i * step for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


def _panel(panel: Panel, colours: dict[str, str], x: str, y: str) -> str:
    points, names = _points(panel), _names(panel)
    place = {name: float(i) for i, name in enumerate(names)}
    numbers = [float(p.x) for p in points if not isinstance(p.x, str)]
    across = _axis([-0.5, len(names) - 0.5] if names else numbers, LEFT, WIDTH - RIGHT)
    up = _axis([v for p in points for v in (p.value, p.low, p.high) if v is not None], HEIGHT - BOTTOM, TOP)
    title = _title(panel)
    parts = [text(LEFT, 16 - LINE * (len(title) - 1 - i), said, weight="bold") for i, said in enumerate(title)]
    parts.append(_frame(across, up, names, x, y))
    if panel.diagonal:
        ends = max(across.low, up.low), min(across.high, up.high)
        parts.append(line(across.at(ends[0]), up.at(ends[0]), across.at(ends[1]), up.at(ends[1]), "#bbb"))
    for i, series in enumerate(panel.series):
        aside = (i - (len(panel.series) - 1) / 2) * min(5.0, 30 / len(panel.series)) if names else 0.0
        placed = [(across.at(place[p.x] if isinstance(p.x, str) else p.x) + aside, p) for p in series.points]
        parts += _marks(placed, up, colours[series.name], joined=panel.joined)
    return "".join(parts)


def _title(panel: Panel) -> list[str]:
    """In as many lines as it needs: the next panel begins beside it."""
    return textwrap.wrap(panel.title, int((WIDTH - LEFT) / BOLD), break_on_hyphens=False) or [""]


def _points(panel: Panel) -> list[Point]:
    return [point for series in panel.series for point in series.points]


def _names(panel: Panel) -> list[str]:
    return list(dict.fromkeys(point.x for point in _points(panel) if isinstance(point.x, str)))


def _slanted(names: Sequence[str]) -> bool:
    """Names that have no room side by side."""
    return len(names) > 1 and LETTER * (max(map(len, names)) + 1) * len(names) > WIDTH - LEFT - RIGHT


def _below(panel: Panel) -> int:
    """How far slanted names reach below the panel."""
    names = _names(panel)
    longest = max(map(len, names), default=0) if _slanted(names) else 0
    return max(0, math.ceil(LETTER * longest * math.sin(math.radians(SLANT))) + LINE - BOTTOM)


def _axis(values: Sequence[float], start: float, stop: float) -> _Axis:
    """An axis that holds all values with a little air; one value alone gets a unit around it."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = (high - low) * 0.04 or 0.5
    return _Axis(low - air, high + air, start, stop)


def _frame(across: _Axis, up: _Axis, names: Sequence[str], x: str, y: str) -> str:
    parts = [
        line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#444"),
        line(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "#444"),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "" if _slanted(names) else x, anchor="middle"),
        f'<g transform="translate(12,{(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">{text(0, 0, y, anchor="middle")}</g>',
    ]
    if up.low < 0 < up.high:
        parts.append(line(LEFT, up.at(0), WIDTH - RIGHT, up.at(0), "#bbb"))
    for tick in up.ticks:
        parts.append(text(LEFT - 4, up.at(tick) + 4, f"{tick:.3g}", anchor="end"))
    if not names:
        parts += [text(across.at(t), HEIGHT - BOTTOM + 13, f"{t:.3g}", anchor="middle") for t in across.ticks]
    slanted = _slanted(names)  # then they need the room of the axis's own name
    for i, name in enumerate(names):
        turn = f"rotate(-{SLANT})" if slanted else ""
        label = text(0, 0, name, anchor="end" if slanted else "middle")
        parts.append(f'<g transform="translate({across.at(i)},{HEIGHT - BOTTOM + 13}) {turn}">{label}</g>')
    return "".join(parts)


def _marks(placed: Sequence[tuple[float, Point]], up: _Axis, colour: str, *, joined: bool) -> list[str]:
    shown = [(at, up.at(point.value)) for at, point in placed if point.value is not None]
    parts = []
    if joined and len(shown) > 1:
        path = " ".join(f"{at},{height}" for at, height in shown)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-opacity=".5"/>')
    for at, point in placed:
        if point.low is not None and point.high is not None:
            parts.append(line(at, up.at(point.low), at, up.at(point.high), colour))
    parts += [dot(at, height, colour) for at, height in shown]
    return parts
