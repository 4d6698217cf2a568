"""Accuracy by type of spurious cue, over the models of a campaign: radar, heatmap, and the ranking by the worst type.

Models are compared by `naive`, or the first method there is; the ranking has every method. Beside any of these figures: items of
MM-SpuBench were chosen because an image encoder failed on them, so models that share it are at a disadvantage by selection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from mmplat.diagnostics.svg import COLOURS, document, dot, line, text
from mmplat.spurious import TYPES

ROW, LABEL, AXIS_ROOM = 22, 120, 40
TITLE = "accuracy by type of spurious cue"
Numbers = dict[str, tuple[float, float | None, float | None]]
"""(value, low, high) by subset."""


@dataclass(frozen=True, slots=True)
class Line:
    """One model, or one method of one, on one suite."""

    name: str
    numbers: Numbers

    def value(self, subset: str) -> float | None:
        return self.numbers[subset][0] if subset in self.numbers else None

    @property
    def types(self) -> dict[str, float]:
        return {kind: value for kind in TYPES if (value := self.value(f"type={kind}")) is not None}


def lines(table: pl.DataFrame, *, methods: bool = False) -> list[Line]:
    """What is compared: models alone, or with all of their methods. Names say no more than tells them apart."""
    accuracy = table.filter(measure="accuracy")
    if not methods:
        first = "naive" if "naive" in accuracy["method"] else accuracy["method"][0]
        accuracy = accuracy.filter(method=first)
    axes = [axis for axis in ("model", "suite", "method") if accuracy[axis].n_unique() > 1] or ["model"]
    groups = accuracy.partition_by("model", "suite", "method", "decoding", maintain_order=True)
    return [Line(" · ".join(own[axis][0] for axis in axes), _numbers(own)) for own in groups]


def _numbers(rows: pl.DataFrame) -> Numbers:
    found = rows.select("subset", "value", "low", "high").iter_rows()
    return {subset: (value, low, high) for subset, value, low, high in found}


RADIUS, RINGS = 120, (0.25, 0.5, 0.75, 1.0)


def radar(table: pl.DataFrame) -> str:
    """One spoke per type, accuracy from the centre; an axis that a suite does not have is left out of its polygon."""
    found = lines(table)
    x, y = RADIUS + LABEL, RADIUS + AXIS_ROOM
    body = [text(8, 14, TITLE, weight="bold"), *(_ring(x, y, share) for share in RINGS)]
    for at, kind in enumerate(TYPES):
        (x1, y1), (x2, y2) = _spoke(x, y, at, 1.0), _spoke(x, y, at, 1.1)
        anchor = "middle" if abs(x2 - x) < RADIUS / 4 else "start" if x2 > x else "end"
        body += [line(x, y, x1, y1, "#ccc"), text(x2, y2 + 4, kind, anchor=anchor)]
    body += [text(x + 3, y - RADIUS * share + 10, f"{share:g}", colour="#666", size=9) for share in RINGS]
    for one, colour in zip(found, _colours(len(found)), strict=True):
        corners = [_spoke(x, y, TYPES.index(kind), value) for kind, value in one.types.items()]
        body.append(_polygon(corners, colour))
        body += [dot(*corner, colour) for corner in corners]
    top = 2 * y
    body += _legend([one.name for one in found], 20, top)
    return document(2 * x, top + ROW * len(found), body)


def _spoke(x: float, y: float, at: int, share: float) -> tuple[float, float]:
    """Where a value of type number `at` lies: the first stands on top, the others follow clockwise."""
    angle = 2 * math.pi * at / len(TYPES)
    return x + RADIUS * share * math.sin(angle), y - RADIUS * share * math.cos(angle)


def _ring(x: float, y: float, share: float) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{RADIUS * share}" fill="none" stroke="#ddd"/>'


def _polygon(corners: Sequence[tuple[float, float]], colour: str) -> str:
    points = " ".join(f"{round(x, 2)},{round(y, 2)}" for x, y in corners)
    return f'<polygon points="{points}" fill="{colour}" fill-opacity=".08" stroke="{colour}" stroke-width="1.5"/>'


CELL_WIDTH, CELL_HEIGHT = 92, 34
SUMMARIES = ("all", "macro", "worst", "gap")


def heatmap(table: pl.DataFrame) -> str:
    """Types and summaries down, models across; each cell its accuracy with the interval below it."""
    found = lines(table)
    subsets = [*(f"type={kind}" for kind in TYPES if any(kind in one.types for one in found)), *SUMMARIES]
    body = [text(8, 14, TITLE, weight="bold")]
    for down, subset in enumerate(subsets):
        y = AXIS_ROOM + CELL_HEIGHT * down + (8 if subset in SUMMARIES else 0)
        body.append(text(LABEL - 8, y + CELL_HEIGHT / 2 + 4, subset.removeprefix("type="), anchor="end"))
        for across, one in enumerate(found):
            body += _cell(LABEL + CELL_WIDTH * across, y, one.numbers.get(subset), shaded=subset != "gap")
    for across, one in enumerate(found):
        body.append(text(LABEL + CELL_WIDTH * (across + 0.5), AXIS_ROOM - 8, _short(one.name), anchor="middle"))
    return document(LABEL + CELL_WIDTH * len(found) + 10, AXIS_ROOM + CELL_HEIGHT * len(subsets) + 18, body)


def _cell(x: float, y: float, number: Any, *, shaded: bool) -> list[str]:
    """One hue from light to dark, so that lightness alone tells more from less. A gap is no accuracy, and has no shade."""
    if number is None or number[0] is None:
        return [text(x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2 + 4, "–", anchor="middle", colour="#888")]
    value, low, high = number
    fill = _shade(value) if shaded else "#ffffff"
    ink = "white" if shaded and value > 0.72 else "black"
    parts = [f'<rect x="{x}" y="{y}" width="{CELL_WIDTH - 2}" height="{CELL_HEIGHT - 2}" fill="{fill}" stroke="#ddd"/>']
    parts.append(text(x + CELL_WIDTH / 2 - 1, y + 14, f"{value:.3f}", anchor="middle", colour=ink, weight="bold"))
    if low is not None and high is not None:
        between = f"{low:.3f} – {high:.3f}"
        parts.append(text(x + CELL_WIDTH / 2 - 1, y + 27, between, anchor="middle", colour=ink, size=9.5))
    return parts


def _shade(value: float) -> str:
    light, dark = (0xF4, 0xF8, 0xFB), (0x00, 0x4C, 0x7A)
    mixed = (round(a + (b - a) * min(max(value, 0.0), 1.0)) for a, b in zip(light, dark, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


SCALE = 320


def ranking(table: pl.DataFrame) -> str:
    """Who is best where it is worst: the worst type's accuracy with its interval and name, the mean over types hollow beside it."""
    found = sorted(lines(table, methods=True), key=lambda one: -(one.value("worst") or 0.0))
    left = max(LABEL, 7 * max(len(one.name) for one in found))
    bottom = AXIS_ROOM + ROW * len(found)
    body = [text(left, 16, "accuracy on the worst type of cue (hollow: mean over types)", weight="bold")]
    for share in (0.0, *RINGS):
        at = left + SCALE * share
        body += [line(at, AXIS_ROOM - 14, at, bottom, "#ddd"), text(at, bottom + 13, f"{share:g}", anchor="middle")]
    for down, one in enumerate(found):
        body += _ranked(one, left, AXIS_ROOM + ROW * down)
    return document(left + SCALE + LABEL, bottom + 20, body)


def _ranked(one: Line, left: float, y: float) -> list[str]:
    parts = [text(left - 8, y + 4, one.name, anchor="end")]
    value, low, high = one.numbers.get("worst", (None, None, None))
    if value is None:
        return parts
    if low is not None and high is not None:
        parts.append(line(left + SCALE * low, y, left + SCALE * high, y, COLOURS[0]))
    macro = one.value("macro")
    if macro is not None:
        parts.append(dot(left + SCALE * macro, y, COLOURS[1], radius=3, hollow=True))
    worst = min(one.types, key=lambda kind: one.types[kind])
    return [*parts, dot(left + SCALE * value, y, COLOURS[0], radius=3), text(left + SCALE + 8, y + 4, worst)]


def _legend(names: Sequence[str], x: float, y: float) -> list[str]:
    return [
        part
        for at, (name, colour) in enumerate(zip(names, _colours(len(names)), strict=True))
        for part in (dot(x, y + ROW * at, colour, radius=4), text(x + 12, y + ROW * at + 4, name))
    ]


def _colours(count: int) -> list[str]:
    return [COLOURS[at % len(COLOURS)] for at in range(count)]


def _short(name: str, most: int = 15) -> str:
    """What fits over a column, without the owner of a hub name; the table has the whole name."""
    name = name.rpartition("/")[2]
    return name if len(name) <= most else f"{name[: most - 1]}…"
