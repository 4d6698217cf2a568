"""The command line, the page and the workflow of a build, as people run them."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from endpoint.chat_server import fails, where
from typer.testing import CliRunner

from mmplat.artifacts import Results
from mmplat.building.reviews import Reviews
from mmplat.building.stages import open_build
from mmplat.cli.app import app

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGE = (ROOT / "docs" / "spubench-build.md").read_text(encoding="utf-8")


def mmplat(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def blocks(language):
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_everything_that_the_page_shows_works(bench, monkeypatch, tmp_path):
    """On the known images, with their encoder and their writer in place of those of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMPLAT_RESULTS", "results")
    (tmp_path / "photographs").symlink_to(bench.folder / "images")
    (text,) = blocks("yaml")
    text = re.sub(r"select: .*", f"select: {{model: '{bench.clip}'}}", text)
    Path("birds.yaml").write_text(text.replace("http://localhost:8000/v1", bench.endpoint.url))
    ended, names = [], {}
    for line in "".join(blocks("sh")).splitlines():
        words = [names.get(word, word) for word in shlex.split(line)]
        ended.append(mmplat(*words[1:]))
        assert ended[-1].exit_code == 0, (line, ended[-1].output, ended[-1].exception)
        if not names:
            waiting = Reviews(open_build(Results(Path("results")), "birds")).pending()
            names = dict(zip(("$FIRST", "$SECOND", "$THIRD"), (item.item_id for item in waiting), strict=False))
    assert f"{len(waiting)} items wait for review: `mmplat spubench review birds.yaml`" in ended[0].output
    assert waiting[0].question in ended[1].output
    assert "2 accepted" in ended[2].output
    assert re.search(r"Ben: reject \w+ \(the beak is hidden\)", ended[4].output)
    assert "release: items 2" in ended[-1].output
    release = Path("results/spubench/birds/release")
    assert len(json.loads((release / "annotation.json").read_text())) == 2
    (code,) = blocks("python")
    exec(compile(code, "page", "exec"), {})
    assert Reviews(open_build(Results(Path("results")), "birds")).pending() == []


def test_a_stage_says_what_it_came_to_and_lists_what_could_not_be_read(bench):
    bench.writer.fault = lambda scene: "unparsed" if scene.klass == 0 else None
    ended = mmplat("spubench", "build", bench.file(), "--results", bench.results.root)
    assert ended.exit_code == 0, ended.output
    assert re.search(r"^select: images 20, mistaken \d+, accuracy 0\.\d+", ended.output, re.MULTILINE)
    assert re.search(
        r"^describe: asked \d+, described \d+, unread \d+; requests \d+; prompt_tokens", ended.output, re.MULTILINE
    )
    assert re.search(r"^unread: \w{16}: reply: Invalid JSON", ended.output, re.MULTILINE)
    again = mmplat("spubench", "build", bench.file(), "--results", bench.results.root)
    assert again.output.count("known already") == 5


def test_failed_requests_end_the_command_unless_it_is_to_go_on(bench):
    bench.endpoint.always = where(lambda body: "is: heron" in json.dumps(body), fails(400, "filtered"))
    words = ("spubench", "build", bench.file(), "--results", bench.results.root)
    ended = mmplat(*words)
    assert ended.exit_code == 1
    assert "images could not be asked about and are recorded" in str(ended.exception)
    assert not (bench.results.build("birds") / "write.json").exists()
    assert mmplat(*words, "--keep-going").exit_code == 0
    assert {item.about.image.label for item in bench.items()} == {"camel", "seal", "bat"}


def test_an_item_is_edited_from_the_command_line(drafted):
    item = drafted.reviews().pending()[0]
    words = ("spubench", "review", drafted.file(), "--results", drafted.results.root)
    edit = (*words, "--edit", item.item_id, "--question", "By what is it known?", "--who", "Ann")
    assert "1 accepted" in mmplat(*edit).output
    assert [one.question for one in drafted.reviews().accepted()] == ["By what is it known?"]
    rejected = mmplat(*words, "--rejected").output
    assert rejected.count("rejected: several right answers") == len(drafted.reviews().rejected()) > 0


def snakemake(folder, build, *more):
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    command = [
        *(str(BIN / "snakemake"), *more, "--snakefile", str(ROOT / "workflow/spubench.smk")),
        *("--profile", str(ROOT / "profiles/default"), "--directory", str(folder)),
        *("--config", f"build={build}", f"results={folder / 'results'}"),
    ]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)


@pytest.mark.slow
def test_the_workflow_builds_waits_for_people_and_releases(bench, tmp_path):
    folder, file = tmp_path / "work", bench.file()
    folder.mkdir()
    done = snakemake(folder, file)
    assert done.returncode == 0, done.stderr
    sent = bench.sent()
    build = open_build(Results(folder / "results"), "birds")
    assert not build.release.exists()
    file.write_text(f"# a comment\n{file.read_text()}")
    again = snakemake(folder, file, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr
    reviews = Reviews(build)
    for item in reviews.pending():
        reviews.decide(item.item_id, "accept", who="Ann")
    released = snakemake(folder, file, "released")
    assert released.returncode == 0, released.stderr
    card = json.loads((build.release / "card.json").read_text())
    assert card["items"] == len(reviews.accepted()) > 5
    assert bench.sent() == sent
    file.write_text(file.read_text() + "check: {per_type: 1}\n")
    planned = snakemake(folder, file, "--dry-run").stdout
    assert set(re.findall(r"^(read|select|describe|write|check|release) ", planned, re.MULTILINE)) == {"check"}


@pytest.mark.slow
def test_a_broken_build_is_one_clear_error_before_anything_runs(bench, tmp_path):
    done = snakemake(tmp_path, bench.file(sead=1))
    assert done.returncode != 0
    assert "unknown key 'sead'. Did you mean 'seed'" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_the_linter_finds_nothing_but_the_missing_conda_environments(bench, tmp_path):
    done = snakemake(tmp_path, bench.file(), "--lint")
    assert "Lints for rule select" in done.stdout + done.stderr
    found = {line.strip() for line in (done.stdout + done.stderr).splitlines() if line.startswith("    * ")}
    assert found <= {"* Specify a conda environment or container for each rule.:"}
