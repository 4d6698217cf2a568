"""What charts say: every tooltip tells something, names stay apart, colours mean one thing, and legends are text."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from builders import HOSTILE

DASHBOARD = Path(__file__).parents[2] / "dashboard"
CELL = {
    "method": "vcd", "decoding": "greedy", "seed": 0, "value": 0.5, "interval": "0.4 to 0.6", "difference": 0.1,
    "difference_interval": "0.0 to 0.2", "p_holm": 0.04, "n": 10, "unparsed": 0.0, "note": None, "shown": 0.5, "label": "0.500",
}  # fmt: skip


@pytest.fixture
def charts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return imported("charts", monkeypatch)


def imported(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("streamlit", reason="streamlit is not installed: pip install mmplat[ui]")
    monkeypatch.syspath_prepend(str(DASHBOARD))
    return importlib.import_module(name)


def rows_of(chart: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    return chart["datasets"][(layer.get("data") or chart["data"])["name"]]


def told(chart: dict[str, Any]) -> set[str]:
    """Fields that a tooltip names and its data does not have."""
    missing = set()
    for layer in chart["layer"]:
        fields = {tip["field"] for tip in layer["encoding"].get("tooltip", [])}
        missing |= fields - set(rows_of(chart, layer)[0])
    return missing


def test_every_tooltip_of_the_grid_tells_something(charts: ModuleType) -> None:
    chart = charts.heatmap(pl.DataFrame([CELL]), methods=["vcd"], decodings=["greedy"], diverging=False)
    assert told(chart.to_dict()) == set()


def test_a_radar_has_a_place_for_every_axis_however_alike_their_names_are(charts: ModuleType) -> None:
    axes = [f"world-facts(people=second-half): condition-{at}" for at in range(9)]
    table = pl.DataFrame({"axis": axes, "model": ["tiny"] * 9, "value": [0.5] * 9})
    chart = charts.radar(table, axes=axes, names=["tiny", "other"], colour="model").to_dict()
    dots = rows_of(chart, chart["layer"][2])
    assert len({(round(dot["x"], 6), round(dot["y"], 6)) for dot in dots}) == 9
    assert len({label["label"] for label in rows_of(chart, chart["layer"][3])}) == 9


def test_no_colour_means_two_suites_however_many_there_are(charts: ModuleType) -> None:
    suites = [
        f"{suite}{end}" for suite in ("objects", "facts", "both") for end in ("", "@black", "@white", "@no-image")
    ]
    colours, legend = charts.suite_colours(suites)
    assert list(legend) == ["objects", "facts", "both"]
    assert len(set(legend.values())) == 3
    assert all(colours[suite] == legend[suite.partition("@")[0]] for suite in suites)
    many, none = charts.suite_colours([f"suite-{at}" for at in range(20)])
    assert len(set(many.values())) == 1
    assert none == {}


def test_a_legend_lists_what_is_drawn_and_a_name_keeps_its_colour(charts: ModuleType) -> None:
    names = ["a", "b", "c"]
    every = pl.DataFrame({"row": names, "model": names, "value": [0.1] * 3, "low": [0.0] * 3, "high": [0.2] * 3})
    whole = charts.intervals(every, title="t", colour="model", names=names).usermeta
    assert list(whole) == names
    assert charts.intervals(every[1:], title="t", colour="model", names=names).usermeta == {
        name: whole[name] for name in ("b", "c")
    }


def test_a_name_in_a_legend_is_shown_literally(monkeypatch: pytest.MonkeyPatch) -> None:
    text = imported("drawing", monkeypatch).legend({HOSTILE: "#000", "b": "#fff"})
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    "text", ["world-objects", "naïve · größer – 5 %", "**b** $x$ :red[y] `c` [l](http://x)", "a_b*c~d|e<f>"]
)
def test_a_literal_label_is_read_by_markdown_as_it_was_written(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    from markdown_it import MarkdownIt

    written = imported("shared", monkeypatch).literal(text)
    (inline,) = (token for token in MarkdownIt().parse(written) if token.type == "inline")
    assert "".join(part.content for part in inline.children) == text
