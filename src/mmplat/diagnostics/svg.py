"""SVG by hand: what all figures are made of. Why by hand: `figures.py`."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
    "#999933",
    "#882255",
    "#44aa99",
    "#aa4499",
    "#117733",
    "#6699cc",
    "#888888",
)
"""Okabe and Ito's colours first: they are told apart by people who see fewer."""


def document(width: float, height: float, body: Sequence[str]) -> str:
    """A whole figure on white."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11"><rect width="{width}" height="{height}" fill="white"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    ends = " ".join(
        f'{name}="{round(v, 2)}"' for name, v in zip(("x1", "y1", "x2", "y2"), (x1, y1, x2, y2), strict=True)
    )
    return f'<line {ends} stroke="{colour}"/>'


def dot(x: float, y: float, colour: str, *, radius: float = 2.5, hollow: bool = False) -> str:
    paint = f'fill="white" stroke="{colour}"' if hollow else f'fill="{colour}"'
    return f'<circle cx="{round(x, 2)}" cy="{round(y, 2)}" r="{radius}" {paint}/>'


def text(
    x: float, y: float, said: str, *, anchor: str = "start", weight: str = "normal", colour: str = "", size: float = 0
) -> str:
    style = f' text-anchor="{anchor}"' if anchor != "start" else ""
    style += ' font-weight="bold"' if weight == "bold" else ""
    style += f' fill="{colour}"' if colour else ""
    style += f' font-size="{size:g}"' if size else ""
    return f'<text x="{round(x, 2)}" y="{round(y, 2)}"{style}>{escape(said)}</text>'
