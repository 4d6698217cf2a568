"""Figures are SVG that any program reads, whatever the names in it."""

from xml.etree import ElementTree

from builders import HOSTILE

from mmplat.diagnostics.figures import Panel, Point, Series, draw

SVG = "{http://www.w3.org/2000/svg}"


def shapes(svg, name):
    return ElementTree.fromstring(svg).iter(SVG + name)


def test_every_value_is_a_point_and_a_missing_one_is_none():
    points = [Point(0.1, 0.5, 0.4, 0.6), Point(0.2, None), Point(0.3, 0.7)]
    svg = draw([Panel("p", [Series("s", points)], joined=True)], x="x", y="y")
    assert len([c for c in shapes(svg, "circle") if c.get("r") == "2.5"]) == 2
    (line,) = shapes(svg, "polyline")
    assert len(line.get("points").split()) == 2


def test_higher_values_stand_higher_and_lie_inside():
    svg = draw([Panel("p", [Series("s", [Point("a", 0.2), Point("b", 0.9)])])], x="x", y="y")
    low, high = (float(c.get("cy")) for c in shapes(svg, "circle") if c.get("r") == "2.5")
    assert 0 < high < low < 240


def test_names_are_shown_literally():
    svg = draw([Panel(HOSTILE, [Series(HOSTILE, [Point(HOSTILE, 0.5)])])], x=HOSTILE, y=HOSTILE)
    assert "<script>" not in svg
    assert " ".join(text.text for text in shapes(svg, "text")).count(HOSTILE) == 5


def test_a_title_that_is_too_long_for_its_panel_has_several_lines_above_it():
    title = "tiny+misleading-control × world-objects@cue-gold(template=world-held-out): world-held-out before"
    panels = [Panel(title, [Series("s", [Point("a", 0.2)])]), Panel("short", [Series("s", [Point("a", 0.2)])])]
    svg = draw(panels, x="x", y="y")
    lines = [text for text in shapes(svg, "text") if text.get("font-weight") == "bold"]
    assert " ".join(line.text for line in lines) == f"{title} short"
    assert [float(line.get("y")) for line in lines] == [-12, 2, 16, 16]
    assert max(len(line.text) for line in lines) * 6.6 <= 380 - 52
    lift = float(ElementTree.fromstring(svg).find(f"{SVG}g").get("transform").partition(",")[2].rstrip(")"))
    assert min(float(line.get("y")) for line in lines) + lift >= 16


def test_one_value_alone_and_none_at_all_are_figures_too():
    for series, points in (([], 0), ([Series("s", [])], 0), ([Series("s", [Point(1.0, 0.5)])], 1)):
        svg = draw([Panel("p", series, diagonal=True)], x="x", y="y")
        assert "p" in [text.text for text in shapes(svg, "text")]
        assert sum(circle.get("r") == "2.5" for circle in shapes(svg, "circle")) == points
