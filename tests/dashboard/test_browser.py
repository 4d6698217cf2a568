"""Every page in a real browser: what a reader sees and clicks, what stays in the address, and what never leaves the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import polars as pl
import pytest

from mmplat.artifacts import Results

pytestmark = pytest.mark.browser

# Samples first: a fresh server must be able to begin with any page.
PAGES = {
    "samples": "/samples?suite=world-objects&decoding=sample",
    "grid": "/grid?suite=world-objects",
    "difference": "/grid?suite=world-objects&cells=difference+from+naive",
    "compare": "/compare?suite=world-objects&method_b=vdd-unk&decoding=sample&decoding_b=sample",
    "leaderboard": "/",
    "suite": "/?suite=world-spurious",
    "one-run": "/run?run=model%3Dfake,suite%3Dworld-objects,method%3Dnaive,decoding%3Dgreedy",
    "profile": "/profile?suite=world-spurious",
    "debiasing": "/debiasing?suite=world-objects&decoding=sample",
    "decoding": "/decoding?suite=world-objects",
    "prior": "/prior?suite=world-objects",
    "interference": "/interference",
    "misleading": "/misleading",
    "campaigns": "/campaigns",
    "sql": "/sql?sql=FROM+leaderboard+LIMIT+30",
}
WIDTHS = (1280, 420)
CHART = "[data-testid=stVegaLiteChart] :is(canvas, svg)"
SHOWN = f"{CHART}, [data-testid=stDataFrame] canvas"


def settle(tab: Any) -> None:
    """Until the script has run and nothing is drawn any more."""
    tab.wait_for_selector("h1, h2", timeout=60_000)
    tab.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    tab.wait_for_timeout(300)


def visit(tab: Any, url: str) -> None:
    tab.goto(url)
    settle(tab)


@contextmanager
def new_address(tab: Any) -> Iterator[None]:
    """What is done inside changes the address; afterwards the page has answered it."""
    before = tab.url
    yield
    tab.wait_for_url(lambda url: url != before)
    settle(tab)


def choose(tab: Any, label: str, option: str) -> None:
    box = tab.get_by_test_id("stSelectbox").filter(has=tab.get_by_text(label, exact=True))
    box.locator("input").click()
    with new_address(tab):
        tab.get_by_role("option", name=option, exact=True).click()


def in_address(tab: Any, name: str) -> str | None:
    return parse_qs(urlsplit(tab.url).query).get(name, [None])[0]


def assert_no_error(tab: Any) -> None:
    assert tab.get_by_test_id("stException").count() == 0
    assert tab.get_by_test_id("stAlert").count() == 0
    assert "Traceback" not in tab.inner_text("body")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_its_charts_on_a_screen_and_on_a_phone(
    tab: Any, address: str, pictures: Path, name: str
) -> None:
    visit(tab, address + PAGES[name])
    if name == "sql":
        run_query(tab)
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 2200})
        tab.wait_for_selector(SHOWN)
        tab.wait_for_timeout(500)
        assert_no_error(tab)
        main = tab.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
        tab.screenshot(path=str(pictures / f"{name}-{width}.png"))


def test_a_choice_is_in_the_address_and_the_address_brings_it_back(tab: Any, address: str) -> None:
    visit(tab, address)
    choose(tab, "Suite", "world-objects")
    choose(tab, "Metric", "f1")
    assert (in_address(tab, "suite"), in_address(tab, "metric")) == ("world-objects", "f1")
    shared = tab.url
    visit(tab, address)
    visit(tab, shared)
    assert tab.get_by_test_id("stSelectbox").filter(has_text="Metric").locator("input").get_attribute("value") == "f1"
    assert tab.url == shared
    assert_no_error(tab)


def test_what_was_chosen_goes_along_to_the_next_page_and_back(tab: Any, address: str) -> None:
    visit(tab, f"{address}/?suite=world-spurious")
    with new_address(tab):
        tab.get_by_role("link", name="Grid").click()
    tab.get_by_role("heading", name="Grid").wait_for()
    tab.wait_for_url("**suite=**")
    assert in_address(tab, "suite") == "world-spurious"
    with new_address(tab):
        tab.get_by_role("link", name="Leaderboard").click()
    tab.get_by_role("heading", name="Leaderboard").wait_for()
    tab.wait_for_url("**suite=**")
    assert in_address(tab, "suite") == "world-spurious"
    assert_no_error(tab)


def test_a_selected_row_opens_its_run_and_the_download_has_every_row(tab: Any, address: str, pictures: Path) -> None:
    tab.set_viewport_size({"width": 1280, "height": 2600})
    visit(tab, f"{address}/?suite=world-objects")
    corner = tab.get_by_test_id("stDataFrame").bounding_box()
    tab.mouse.click(corner["x"] + 17, corner["y"] + 52)  # the first row's box; the table is one drawing
    tab.get_by_role("heading", name="Run").wait_for()
    settle(tab)
    assert_no_error(tab)
    tab.screenshot(path=str(pictures / "run-1280.png"))
    with tab.expect_download() as started:
        tab.get_by_role("button", name="Download CSV").first.click()  # the second is that of the run
    table = pl.read_csv(started.value.path())
    assert table.height == 36  # 2 models × 3 decodings × (4 methods without a random view + 1 under 2 seeds)
    assert {"rank", "model", "method", "decoding", "value", "low", "high", "n", "unparsed"} <= set(table.columns)


def test_a_cell_of_the_grid_opens_its_run(tab: Any, address: str) -> None:
    tab.set_viewport_size({"width": 1280, "height": 1800})
    visit(tab, f"{address}/grid?suite=world-objects")
    chart = tab.locator(CHART).first
    chart.wait_for()
    size = chart.bounding_box()
    chart.click(position={"x": size["width"] * 0.5, "y": size["height"] * 0.5})
    tab.get_by_role("heading", name="Run").wait_for()
    settle(tab)
    assert_no_error(tab)


def test_the_leaderboard_can_be_ordered_by_its_robust_score_and_printed(tab: Any, address: str) -> None:
    visit(tab, address)
    choose(tab, "Order by", "robust")
    assert "the lowest among: the suite, each of its conditions, the worst group" in tab.inner_text("body")
    with tab.expect_download() as started:
        tab.get_by_role("button", name="Download LaTeX").click()
    text = Path(started.value.path()).read_text(encoding="utf-8")
    assert "\\begin{tabular}" in text
    assert "fake\\_64" in text


def test_a_flip_leads_to_its_sample(tab: Any, address: str) -> None:
    tab.set_viewport_size({"width": 1280, "height": 2600})
    visit(tab, address + PAGES["compare"])
    assert re.search(r"on 45 samples in \d+ clusters", tab.inner_text("body"))
    table = tab.get_by_test_id("stDataFrame").filter(visible=True).first  # others are folded away
    corner = table.bounding_box()
    tab.mouse.click(corner["x"] + 17, corner["y"] + 52)
    tab.get_by_role("link", name="Look at this sample").click()
    tab.get_by_role("heading", name="Samples").wait_for()
    tab.wait_for_url("**sample=**")
    settle(tab)
    assert in_address(tab, "method") == "naive"
    assert_no_error(tab)


def test_arrow_keys_step_through_samples(tab: Any, address: str) -> None:
    visit(tab, f"{address}/samples?suite=world-objects")
    tab.wait_for_selector(CHART)  # keys are listened to once the buttons are there
    tab.wait_for_timeout(1_000)
    first = in_address(tab, "sample")
    with new_address(tab):
        tab.keyboard.press("ArrowRight")
    assert in_address(tab, "sample") != first
    with new_address(tab):
        tab.keyboard.press("ArrowLeft")
    assert in_address(tab, "sample") == first


def test_a_sample_stands_beside_itself_under_every_condition(tab: Any, address: str) -> None:
    visit(tab, f"{address}/samples?suite=world-objects")
    text = tab.inner_text("body")
    for condition in ("as it is", "unrelated-facts", "cue-gold", "cue-wrong"):
        assert condition in text
    choose(tab, "Beside", "condition: cue-wrong")
    choose(tab, "Answer of this run", "another answer beside")
    assert re.search(r"Sample, 1 to \d+|No sample is like this", tab.inner_text("body"))


def run_query(tab: Any) -> None:
    tab.get_by_role("button", name="Run").click()
    tab.wait_for_selector(f"[data-testid=stAlert], {SHOWN}")
    settle(tab)


def type_query(tab: Any, sql: str) -> None:
    tab.get_by_role("textbox", name="Query").fill(sql)


def test_a_link_does_not_run_its_query_and_a_click_does(tab: Any, address: str, pictures: Path) -> None:
    link = f"{address}/sql?{urlencode({'sql': 'SELECT 6 * 7 AS reckoned'})}"
    visit(tab, link)
    assert tab.get_by_role("textbox", name="Query").input_value() == "SELECT 6 * 7 AS reckoned"
    assert tab.get_by_test_id("stDownloadButton").count() == 0
    assert_no_error(tab)
    tab.screenshot(path=str(pictures / "sql-link.png"))
    run_query(tab)
    tab.get_by_test_id("stDownloadButton").first.wait_for()
    assert_no_error(tab)
    visit(tab, f"{address}/sql?{urlencode({'sql': 'DROP VIEW runs'})}")  # another link needs another click
    assert_no_error(tab)
    assert tab.get_by_test_id("stDownloadButton").count() == 0


def test_a_query_is_run_by_its_keys_with_what_stands_in_the_box(tab: Any, address: str, pictures: Path) -> None:
    visit(tab, f"{address}/sql")
    type_query(tab, "SELECT count(*) AS runs, 'typed' AS how FROM runs")
    with new_address(tab):
        tab.keyboard.press("Control+Enter")
    tab.get_by_test_id("stDownloadButton").first.wait_for()
    assert (in_address(tab, "sql") or "").startswith("SELECT count(*) AS runs")
    assert_no_error(tab)
    tab.screenshot(path=str(pictures / "sql-answer.png"))
    type_query(tab, "SELECT 1 +")
    run_query(tab)
    tab.get_by_text("Parser Error").wait_for()
    tab.screenshot(path=str(pictures / "sql-wrong.png"))


def test_the_console_answers_and_refuses_what_is_no_reading_of_the_results(tab: Any, address: str) -> None:
    visit(tab, f"{address}/sql?sql=SELECT+count(*)+AS+runs+FROM+runs")
    run_query(tab)
    assert_no_error(tab)
    for sql, reason in (
        ("DROP VIEW runs", "is not allowed"),
        ("FROM read_csv('/etc/passwd')", "reads the results and nothing else"),
        ("SELECT nothing FROM runs", "LINE 1: SELECT nothing FROM runs"),
        ("SELECT 1 FRM runs", "Parser Error"),
    ):
        visit(tab, f"{address}/sql?{urlencode({'sql': sql})}")
        run_query(tab)
        text = tab.inner_text("body")
        assert "The query was not answered." in text
        assert reason in text
        assert "results changed" not in text
        assert tab.get_by_test_id("stException").count() == 0


def test_no_page_of_another_origin_shows_the_dashboard_in_a_frame(chromium: Any, address: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(f"<iframe src='{address}/sql?sql=FROM+runs' width=900 height=600></iframe>")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as other:
        Thread(target=other.serve_forever, daemon=True).start()
        page = chromium.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"http://127.0.0.1:{other.server_port}/index.html")
        page.wait_for_timeout(500)
        assert [frame.url for frame in page.frames if frame.url.startswith(address)] == []
        page.close()
        other.shutdown()
    assert any("frame" in text for text in said), said


def test_a_run_that_is_not_there_is_answered_with_what_a_run_is_called(tab: Any, address: str) -> None:
    visit(tab, f"{address}/run?run=f00")
    text = tab.inner_text("body")
    assert "There is no run 'f00' in the results store" in text
    assert tab.get_by_test_id("stException").count() == 0


def test_the_grid_lists_what_the_plan_skipped_with_its_reason(tab: Any, address: str) -> None:
    visit(tab, f"{address}/grid?suite=world-objects&seed=1")
    assert tab.get_by_text("Skipped by the plan").is_visible()
    assert_no_error(tab)


def test_samples_are_stepped_through_filtered_and_shared(tab: Any, address: str) -> None:
    visit(tab, f"{address}/samples?suite=world-objects")
    first = in_address(tab, "sample")
    with new_address(tab):
        tab.get_by_role("button", name="Next").click()
    second = in_address(tab, "sample")
    assert second != first
    assert f"sample: {second}" in tab.inner_text("body")
    shared = tab.url
    with new_address(tab):
        tab.get_by_role("button", name="Previous").click()
    assert in_address(tab, "sample") == first
    visit(tab, shared)
    assert in_address(tab, "sample") == second
    choose(tab, "Answer of this run", "wrong")
    choose(tab, "split", "adversarial")
    assert "split: adversarial" in tab.inner_text("body")
    listed = re.search(r"Sample, 1 to (\d+)", tab.inner_text("body"))
    assert listed is not None
    assert 0 < int(listed.group(1)) < 15
    assert_no_error(tab)


def test_a_hostile_question_is_shown_as_it_is_written(tab: Any, address: str, pictures: Path) -> None:
    from builders import HOSTILE

    tab.set_viewport_size({"width": 1280, "height": 2000})
    visit(tab, f"{address}/samples?suite=world-spurious")
    tab.wait_for_selector(CHART)
    assert tab.inner_text(".st-key-question").strip() == HOSTILE
    assert tab.evaluate("window.hacked") is None
    assert tab.locator(".katex, [data-testid=stMain] strong:text-is('b')").count() == 0
    assert_no_error(tab)
    tab.screenshot(path=str(pictures / "hostile-1280.png"))


def test_hostile_names_in_the_address_are_shown_as_they_are_written(tab: Any, address: str, pictures: Path) -> None:
    visit(tab, f"{address}/?campaign=%3Cscript%3Ewindow.hacked=1%3C/script%3E![x](http://example.com/x.png)**b**")
    assert "Unknown campaign '<script>window.hacked=1</script>![x](http://example.com/x.png)**b**'" in tab.inner_text(
        "body"
    )
    assert tab.evaluate("window.hacked") is None
    tab.screenshot(path=str(pictures / "unknown-1280.png"))
    tab.get_by_role("button", name="Forget the address").click()
    tab.wait_for_selector(CHART)
    settle(tab)
    assert in_address(tab, "campaign") == "demo"
    assert_no_error(tab)


def test_a_missing_image_is_a_sentence_and_the_rest_of_the_sample_is_there(
    tab: Any, address: str, made: Results, pictures: Path
) -> None:
    samples = pl.read_parquet(next(made.suites_root.glob("world-spurious/*")) / "samples.parquet")
    tab.set_viewport_size({"width": 1280, "height": 2000})
    visit(tab, f"{address}/samples?suite=world-spurious&sample={samples['sample_id'][-1]}")
    tab.wait_for_selector(CHART)
    text = tab.inner_text("body")
    assert "The image cannot be shown." in text
    assert "mmplat prepare" in text
    assert tab.get_by_test_id("stException").count() == 0
    tab.screenshot(path=str(pictures / "missing-1280.png"))


def test_dark_pages_are_drawn_too(chromium: Any, address: str, pictures: Path) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 1800}, color_scheme="dark")
    page = context.new_page()
    for name in ("grid", "samples", "profile", "misleading"):
        visit(page, address + PAGES[name])
        page.wait_for_selector(CHART)
        page.screenshot(path=str(pictures / f"{name}-dark.png"))
    ground = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert max(int(part) for part in re.findall(r"\d+", ground)[:3]) < 60
    context.close()
