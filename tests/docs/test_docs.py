"""Documents as tests: what a page tells to write works as written, links lead somewhere, every command is named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import numpy as np
import polars as pl
import pytest
import typer

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [path for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS) if path.exists()]
EXTENSIONS = {
    "add-a-method": "methods",
    "add-a-suite": "suites",
    "add-a-view": "views",
    "add-a-model": "models",
    "add-a-condition": "conditions",
}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(path: Path, language: str) -> list[str]:
    return [text for said, text in FENCE.findall(path.read_text(encoding="utf-8")) if said == language]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# What an add-a-… page tells to write is written, installed and run.


@dataclass(frozen=True)
class Tried:
    """What came of a page's grid with the page's extension installed."""

    folder: Path
    said: dict

    @property
    def runs(self) -> list[dict]:
        return self.said["runs"]

    def metrics(self, name: str, subset: str = "all", **cell: object) -> list[float]:
        wanted = {run["run_id"] for run in self.runs if cell.items() <= run.items()}
        found = [m for m in self.said["metrics"] if (m["metric"], m["subset"]) == (name, subset)]
        return [m["value"] for m in found if m["run_id"] in wanted]

    def evidence(self, view: str) -> pl.DataFrame:
        parts = sorted((self.folder / "results" / "evidence").rglob("part-*.parquet"))
        rows = pl.concat(pl.read_parquet(part) for part in parts)
        return rows.filter(view=view).sort("sample_key")


def entry_points_of(page: Path) -> dict[str, dict[str, str]]:
    (said,) = blocks(page, "toml")
    return tomllib.loads(said)["project"]["entry-points"]


def install(page: Path, folder: Path) -> None:
    """Every python block goes to the file that its first line names; the toml block says how it is found."""
    for text in blocks(page, "python"):
        path = folder / text.splitlines()[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    info = folder / "ours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {module}" for name, module in entries.items())])
        for group, entries in entry_points_of(page).items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups) + "\n")


def write_questions(page: Path, folder: Path) -> None:
    """The questions that a page shows, where its grid looks for them, and an image for each name in them."""
    from PIL import Image

    (grid,) = blocks(page, "yaml")
    places = re.findall(r"path: /(\S+?)}", grid)
    for place, lines in zip(places, blocks(page, "jsonl"), strict=True):
        target = folder / place
        (target / "images").mkdir(parents=True)
        (target / "questions.jsonl").write_text(lines, encoding="utf-8")
        for name in {json.loads(line)["image"] for line in lines.splitlines()}:
            Image.fromarray(np.full((8, 8, 3), len(name), np.uint8)).save(target / "images" / name)


def run(page: Path, folder: Path, grid: str) -> dict:
    (folder / "grid.yaml").write_text(grid, encoding="utf-8")
    search = os.pathsep.join([str(folder), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-W", "error:::ours", str(Path(__file__).parent / "run_page.py"),
         str(folder / "grid.yaml"), str(folder / "results")],
        env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{page.name}: {done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory):
    @cache
    def once(name: str, extra: str = "") -> Tried:
        page, folder = ROOT / "docs" / f"{name}.md", tmp_path_factory.mktemp(name)
        install(page, folder)
        write_questions(page, folder)
        (grid,) = blocks(page, "yaml")
        return Tried(folder, run(page, folder, grid.replace("/data/", f"{folder}/data/") + extra))

    return once


@pytest.mark.parametrize("name", EXTENSIONS)
def test_the_example_of_each_page_works_as_it_is_written(name, tried):
    one = tried(name)
    assert len(one.runs) == one.said["planned"] > 0
    assert {run["status"] for run in one.runs} == {"done"}
    assert all(run["n"] > 0 for run in one.runs)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_the_example_of_each_page_is_listed_without_further_words(name, tried):
    for group, entries in entry_points_of(ROOT / "docs" / f"{name}.md").items():
        listed = tried(name).said["listed"][group.removeprefix("mmplat.")]
        for entry in entries:
            assert re.search(rf"^{entry}\b", listed, re.MULTILINE), listed


def test_the_method_of_the_page_decides_every_decoding_and_its_parameter_moves_it(tried):
    one = tried("add-a-method")
    methods = {run["method"] for run in one.runs}
    assert methods == {"naive", "minus-black", "minus-black(alpha=0.5)"}
    values = {m: one.metrics("expected_accuracy", method=m, decoding="sample")[0] for m in methods}
    assert len(set(values.values())) == 3
    assert all(json.loads(run["versions"])["method"] == "1" for run in one.runs)


def test_the_metric_of_the_page_is_the_error_rate_of_answers_and_below_it_for_probabilities(tried):
    one = tried("add-a-method")
    for cell in ({"method": run["method"], "decoding": run["decoding"]} for run in one.runs):
        assert one.metrics("brier", **cell)[0] == pytest.approx(1 - one.metrics("accuracy", **cell)[0])
    sampled = {"method": "naive", "decoding": "sample"}
    assert 0 < one.metrics("expected_brier", **sampled)[0] < 1 - one.metrics("expected_accuracy", **sampled)[0]


def test_the_suite_of_the_page_holds_the_questions_of_the_page(tried):
    one = tried("add-a-suite")
    assert {(run["suite"], run["n"]) for run in one.runs} == {("kitchen", 3), ("street", 2)}
    assert one.metrics("f1", suite="kitchen")
    assert not one.metrics("f1", suite="street")
    assert one.metrics("accuracy", "worst:topic", suite="street")
    (samples,) = (one.folder / "results" / "suites" / "street").rglob("samples.parquet")
    rows = pl.read_parquet(samples).to_dicts()
    assert rows[0]["question"] == "What crosses the street?\nA. dog\nB. tram\nC. cart"
    assert [row["labels"] for row in rows] == [["A", "B", "C"], ["A", "B", "C", "D"]]
    assert rows[0]["cluster"] == rows[1]["cluster"]


def test_a_limit_cuts_the_suite_of_the_page(tried):
    one = tried("add-a-suite", "limit: 2\n")
    assert {(run["suite"], run["n"]) for run in one.runs} == {("kitchen", 2), ("street", 2)}


def test_the_view_of_the_page_is_asked_for_every_sample_and_every_axis(tried):
    one = tried("add-a-view")
    heights = {name: one.evidence(name).height for name in ("image", "mirrored", "mirrored-vertical")}
    assert len(set(heights.values())) == 1
    assert heights["image"] > 0


def test_the_view_of_the_page_shows_the_model_another_picture_and_leaves_the_image_as_it_is(tried, tmp_path):
    one = tried("add-a-view")
    page = ROOT / "docs" / "add-a-view.md"
    install(page, tmp_path)
    (grid,) = blocks(page, "yaml")
    alone = Tried(tmp_path, run(page, tmp_path, re.sub(r"^views:.*\n", "", grid, flags=re.MULTILINE)))
    image, mirrored, flipped = (
        np.array(one.evidence(view)["label_logits"].to_list()) for view in ("image", "mirrored", "mirrored-vertical")
    )
    assert np.abs(image - np.array(alone.evidence("image")["label_logits"].to_list())).max() < 1e-4
    assert np.abs(image - mirrored).max() > 1e-2
    assert np.abs(mirrored - flipped).max() > 1e-2


def test_the_condition_of_the_page_changes_the_question_and_as_much_as_its_parameter_says(tried):
    one = tried("add-a-condition")
    suites = ("world-objects", "world-objects@small-talk", "world-objects@much-talk")
    assert {run["suite"] for run in one.runs} == set(suites)
    prepared = {json.loads(path.read_text())["name"]: path for path in (one.folder / "results").rglob("suite.json")}
    plain, little, much = (pl.read_parquet(prepared[suite].with_name("samples.parquet")) for suite in suites)
    assert plain["sample_id"].to_list() == little["sample_id"].to_list() == much["sample_id"].to_list()
    for few, asked in zip(little["question"], plain["question"], strict=True):
        assert few.endswith(f". {asked}")
    assert {text.count(".") for text in little["question"]} == {2}
    assert {text.count(".") for text in much["question"]} == {8}


def test_the_model_of_the_page_sees_the_views_and_says_which_it_cannot_make(tried):
    one = tried("add-a-model")
    assert one.said["skipped"] == {"vdd-unk": "view 'unk' is not available: this family has no unk token"}
    black = np.array(one.evidence("black")["label_logits"].to_list())
    assert np.abs(black - np.array([-6.0, 6.0])).max() < 1e-6  # slope 6 on a black picture
    image, noise = (np.array(one.evidence(view)["label_logits"].to_list()) for view in ("image", "noise"))
    assert np.abs(image - noise).max() > 1e-3


# What every page promises.

GRIDS = [
    (path, index, text) for path in PAGES for index, text in enumerate(blocks(path, "yaml")) if "campaign:" in text
]
PLAIN_GRIDS = [(path, index, text) for path, index, text in GRIDS if path.stem not in EXTENSIONS]


@pytest.mark.parametrize(
    ("path", "text"),
    [(path, text) for path, _, text in PLAIN_GRIDS],
    ids=[f"{name_of(path)}-{index}" for path, index, _ in PLAIN_GRIDS],
)
def test_every_grid_that_a_page_shows_can_be_planned(path, text):
    from mmplat.grid import parse_grid
    from mmplat.plan import make_plan

    assert make_plan(parse_grid(text, source=name_of(path))).planned > 0


def prose(path: Path) -> str:
    """A page without its code, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", path.read_text(encoding="utf-8")))


def anchors(path: Path) -> set[str]:
    """Names of a page's headings as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(path):
    dead = []
    for target in re.findall(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)", prose(path)):
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        place, _, anchor = target.partition("#")
        there = (path.parent / place).resolve() if place else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            dead.append(target)
    assert not dead, f"{name_of(path)}: {dead}"


def commands() -> list[str]:
    """Every command of the command line, groups spelled out: `mmplat db upgrade`."""
    from mmplat.cli.app import app

    def below(command: click.Command, name: str) -> list[str]:
        subcommands = getattr(command, "commands", {})
        return [each for sub, one in subcommands.items() for each in below(one, f"{name} {sub}")] or [name]

    return below(typer.main.get_command(app), "mmplat")


@pytest.mark.parametrize("command", commands())
def test_every_command_is_named_in_a_page(command):
    """Spelled whole, or a group with its commands in brackets behind it: `mmplat db` (`upgrade`, `check`)."""
    group, _, last = command.rpartition(" ")
    listed = rf"`{group}` \([^)]*`{last}`[^)]*\)" if group != "mmplat" else r"(?!)"
    named = re.compile(rf"(?<![\w-]){re.escape(command)}(?![\w-])|{listed}")
    assert any(named.search(path.read_text(encoding="utf-8")) for path in PAGES), f"{command} is in no page"


def test_every_decision_is_numbered_without_gaps_and_says_what_was_given_up():
    found = [path for path in DOCS if path.parent.name == "decisions"]
    numbers = [int(path.name[:4]) for path in found]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in found:
        heads = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert heads == ["Context", "Decision", "Consequences", "Given up"], name_of(path)
