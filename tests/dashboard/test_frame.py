"""What the dashboard says when there is nothing, or something else than asked for: run without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmplat.artifacts import Results

App = Callable[..., Any]
SMALL = """
campaign: second
models: [fake]
suites: [world-facts]
decodings: [greedy]
methods: [naive]
limit: 6
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests share one process, so they share Streamlit's caches; each results folder has its own key there."""
    monkeypatch.delenv("MMPLAT_RESULTS", raising=False)


def said(test: Any) -> str:
    """Everything that the page says in words."""
    kinds = ("title", "header", "error", "warning", "info", "text", "markdown", "caption", "code")
    return "\n".join(str(one.value) for kind in kinds for one in test.get(kind))


def choices(test: Any, label: str) -> Any:
    return next(one for one in test.selectbox if one.label == label)


def test_a_missing_results_folder_is_answered_with_the_command_that_makes_one(app: App, tmp_path: Path) -> None:
    test = app(Results(tmp_path / "nowhere"))
    assert not test.exception
    assert "does not exist" in said(test)
    assert "make demo" in said(test)
    assert str(tmp_path / "nowhere") in said(test)


def test_an_empty_results_folder_is_answered_with_the_command_that_fills_it(app: App, tmp_path: Path) -> None:
    test = app(Results(tmp_path))
    assert not test.exception
    assert "holds no campaign" in said(test)
    assert "snakemake --profile profiles/default" in said(test)


def test_a_decided_campaign_that_is_not_published_is_named_with_the_command(app: App, mine: Results) -> None:
    for file in mine.root.glob("mmplat.db*"):
        file.unlink()
    test = app(mine)
    assert not test.exception
    assert "demo" in said(test)
    assert f"mmplat publish --results {mine.root}" in said(test)


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("campaign", "<b>nope</b> $x$", "Known: demo"),
        ("suite", "world-object", "Did you mean 'world-objects'"),
        ("metric", "f2", "Unknown metric 'f2'"),
        ("methods", "vdc", "vdd-unk"),
    ],
)
def test_an_unknown_name_in_the_address_is_named_with_what_is_known(
    app: App, made: Results, name: str, value: str, known: str
) -> None:
    test = app(made, **{name: value})
    assert not test.exception
    assert test.error[0].value == "The address of this page names something that is not there."
    assert known in test.text[0].value
    assert value in test.text[0].value
    assert test.query_params[name] == value  # the address stays, to be mended
    test.button[0].click().run()
    assert not test.error
    assert test.query_params["campaign"] == "demo"


def test_a_store_at_another_revision_is_an_error_with_the_command_that_mends_it(app: App, mine: Results) -> None:
    import sqlite3

    connection = sqlite3.connect(mine.store)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    test = app(mine)
    assert not test.exception
    assert test.error[0].value == "The results store cannot be read."
    assert "9999" in said(test)


def test_predictions_that_vanish_under_an_open_page_are_no_traceback(app: App, mine: Results) -> None:
    test = app(mine, suite="world-objects")
    assert not test.error
    for file in mine.campaign("demo").glob("decided/*/*/predictions.parquet"):
        file.unlink()
    test.switch_page("screens/grid.py").run()
    assert not test.exception
    assert "changed or vanished" in test.error[0].value


def test_what_is_published_while_a_page_is_open_is_there_after_a_reload(
    app: App, mine: Results, run_campaign: Callable[[Results, str], None]
) -> None:
    test = app(mine)
    assert choices(test, "Campaign").options == ["demo"]
    run_campaign(mine, SMALL)
    test.run()
    assert choices(test, "Campaign").options == ["second", "demo"]  # the newest first
    assert choices(test, "Campaign").value == "demo"  # and the reader stays where they are
    choices(test, "Campaign").set_value("second").run()
    assert not test.exception
    assert choices(test, "Suite").value == "world-facts"


def test_a_page_reads_a_query_once_per_version_of_the_store(
    app: App, mine: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmplat import leaderboard

    connections = []
    connect = leaderboard.connect
    monkeypatch.setattr(leaderboard, "connect", lambda results: connections.append(1) or connect(results))
    test = app(mine)
    test.run()
    choices(test, "Suite").set_value("world-objects").run()
    assert len(connections) == 1


@pytest.mark.parametrize("cells", ["value", "difference from naive"])
def test_a_grid_with_holes_is_drawn_and_failed_runs_are_listed(app: App, mine: Results, cells: str) -> None:
    import sqlite3

    connection = sqlite3.connect(mine.store)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("DELETE FROM runs WHERE method = 'vdd-unk' AND model = 'fake'")
    connection.execute("UPDATE runs SET status = 'failed', error = '$x$' WHERE method = 'posthoc-none'")
    connection.commit()
    connection.close()
    test = app(mine, suite="world-objects", cells=cells)
    test.switch_page("screens/grid.py").run()
    choices(test, "Cells show").set_value(cells).run()
    assert not test.exception
    assert not test.error
    assert "Failed or incomplete runs" in [one.value for one in test.subheader]


@pytest.mark.parametrize("metric", ["f1", "expected_accuracy_sd", "unparsed", "precision"])
def test_every_kind_of_metric_is_ranked_and_drawn(app: App, made: Results, metric: str) -> None:
    for suite in ("all suites", "world-objects"):
        test = app(made, suite=suite, metric=metric)
        assert not test.exception
        assert not test.error
        assert len(test.dataframe[0].value) > 0


def test_where_a_provider_is_named_nobody_sees_a_page_before_logging_in(app: App, made: Results) -> None:
    provider = {"client_id": "mmplat", "server_metadata_url": "https://login.example/.well-known/openid-configuration"}
    test = app(made, secrets={"auth": provider})
    assert not test.exception
    assert [one.label for one in test.button] == ["Log in"]
    assert not test.title
    assert not test.dataframe


def test_what_runs_is_told_before_anything_is_published(app: App, mine: Results) -> None:
    for file in mine.root.glob("mmplat.db*"):
        file.unlink()
    test = app(mine)
    test.switch_page("screens/campaigns.py").run()
    assert not test.exception
    assert test.title[0].value == "Campaigns"
    assert test.dataframe[0].value["state"][0] == "complete"


def test_every_page_says_what_to_do_where_a_diagnostic_was_not_made(app: App, mine: Results) -> None:
    import shutil

    shutil.rmtree(mine.diagnostic("demo", "lean", "parquet").parent)
    test = app(mine, suite="world-objects")
    for page, command in (
        ("prior", "diagnose lean"), ("interference", "diagnose interference"), ("misleading", "diagnose misleading"),
        ("decoding", "decodings best"), ("debiasing", "diagnose confidence"), ("profile", "diagnose lean"),
    ):  # fmt: skip
        test.switch_page(f"screens/{page}.py").run()
        assert not test.exception
        assert not test.error
        assert any(f"mmplat {command} demo" in one.value for one in test.code), page


def test_a_broken_diagnostic_is_named_with_what_to_do(app: App, mine: Results) -> None:
    mine.diagnostic("demo", "interference", "parquet").write_bytes(b"no parquet")
    test = app(mine)
    test.switch_page("screens/interference.py").run()
    assert not test.exception
    assert "Delete it and run its `mmplat diagnose` again" in said(test)


def test_a_page_that_no_list_names_stands_among_the_others(app: App, made: Results) -> None:
    page = Path(__file__).parents[2] / "dashboard" / "screens" / "extra_page.py"
    page.write_text('"""Extra: a page of somebody."""\nimport streamlit as st\n\nst.text("Hello")\n', encoding="utf-8")
    try:
        test = app(made)
        test.switch_page("screens/extra_page.py").run()
        assert (test.title[0].value, test.caption[0].value, test.text[0].value) == (
            "Extra",
            "A page of somebody.",
            "Hello",
        )
    finally:
        page.unlink()
