"""docs/import.md and docs/statistics.md: the files they show are written, and every command is run as it stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import run_grid

from mmplat.artifacts import Results
from mmplat.importing import catalog
from mmplat.store import publish

DOCS = Path(__file__).parents[2] / "docs"
GRID = """
campaign: demo
models: [{name: tiny, family: fake}]
suites: [world-objects]
decodings: [greedy]
methods: [naive, vdd-none]
limit: 60
"""


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def commands(name: str) -> list[list[str]]:
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)).splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.strip()]


def test_every_command_of_the_import_page_works_on_the_files_that_it_shows(
    mmplat: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file, text in re.findall(r"^```\w+ (\S+)\n(.*?)^```", page("import"), re.MULTILINE | re.DOTALL):
        (tmp_path / file).write_text(text)
    ended = [mmplat(*words) for words in commands("import")]
    assert [one.code for one in ended] == [0] * 8, [one.err for one in ended]
    said = ended[1].json
    assert (said["n"], said["unjoined"], said["unparsed"]) == (3, 0, 1)
    assert said["accuracy"] == pytest.approx(2 / 3)
    assert "pope (n=3)" in ended[-1].out


def test_every_format_is_in_the_page() -> None:
    for name in catalog:
        assert f"`{name}`" in page("import"), name


def test_every_command_of_the_statistics_page_works(mmplat: Callable[..., Any], tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    run_grid(GRID, results)
    publish(results, "demo")
    ended = {tuple(words[:1]): mmplat(*words) for words in commands("statistics")}
    assert {words[0] for words in ended} == {"compare", "gate", "power"}
    assert all(one.code in (0, 3, 4) and one.out for one in ended.values()), ended
