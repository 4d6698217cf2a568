"""The command line as a user meets it: real processes, exit codes, one clear line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmplat.cli.extras import extra_of
from mmplat.errors import ConfigError

MMPLAT = str(Path(sys.executable).parent / "mmplat")


def mmplat(*words, **settings):
    return subprocess.run([MMPLAT, *words], capture_output=True, text=True, **settings)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["plan", "--gird", "x"], 2, "No such option"),
        (["plan", "--grid", "none.yaml"], 2, "error: There is no grid file none.yaml"),
        (["list", "modles"], 2, "modles"),
        (["decide", "--model", "fake"], 2, "--model and --suite go together"),
        (
            ["ask", "mine.yaml"],
            2,
            "error: mine.yaml is no file that `mmplat plan --write` wrote. If it is a grid, say so: --grid",
        ),
        (["status", "mine.yaml"], 2, "If it is a grid, say so: --grid mine.yaml"),
        (["prepare", "none.json"], 1, "error: none.json does not exist. `mmplat plan --write` makes it."),
    ],
)
def test_a_mistake_is_a_message_and_an_exit_code_and_never_a_traceback(words, code, message, tmp_path):
    done = mmplat(*words, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_a_grid_that_takes_the_name_of_another_is_told_what_leaves_and_the_same_grid_is_not(tmp_path):
    for name, suites in (("one", "world-objects, world-facts"), ("two", "world-facts")):
        (tmp_path / f"{name}.yaml").write_text(f"campaign: mine\nmodels: [fake]\nsuites: [{suites}]\nlimit: 6\n")
    plan = ["plan", "--results", str(tmp_path / "results"), "--grid"]
    assert "leave the leaderboard" not in mmplat(*plan, "one.yaml", "--write", cwd=tmp_path).stderr
    said = mmplat(*plan, "two.yaml", cwd=tmp_path).stderr
    assert "Campaign 'mine' was planned from one.yaml: 1 of its 2 pairs" in said
    assert "give one of the grids another `campaign`" in said
    (tmp_path / "one.yaml").write_text((tmp_path / "two.yaml").read_text())  # its owner shrinks it on purpose
    assert "leave the leaderboard" not in mmplat(*plan, "one.yaml", cwd=tmp_path).stderr


@pytest.mark.parametrize("kind", ["models", "suites", "methods", "decodings", "views", "metrics"])
def test_everything_that_may_stand_in_a_grid_is_listed_with_a_line(kind):
    done = mmplat("list", kind)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) > 2
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


def test_a_full_disk_is_a_message_wherever_it_is_met():
    with open("/dev/full", "w") as full:  # answers every write as a full disk does
        done = subprocess.run([MMPLAT, "list", "methods"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.stderr.startswith("error: The disk is full ([Errno 28] No space left on device). What was finished")
    assert "Traceback" not in done.stderr
    assert done.returncode != 0


def test_a_package_that_is_not_installed_is_named_with_the_extra_that_brings_it(tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    done = mmplat("models", "check", "tiny", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr == "error: This needs the package torch: pip install 'mmplat[models]'.\n"


@pytest.mark.parametrize(
    ("module", "extra"),
    [("peft", "adapters"), ("transformers.models", "models"), ("numpy", None), ("ours", None), (None, None)],
)
def test_an_extra_is_found_by_the_packages_that_it_brings(module, extra):
    assert extra_of(module) == extra


def test_a_reader_that_goes_away_is_no_error():
    done = subprocess.run(f"{MMPLAT} list methods | head -1", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_verbs_run_one_by_one_and_say_what_they_made(tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text("campaign: c\nmodels: [fake]\nsuites: [world-objects]\nlimit: 30\n")
    where = ["--results", str(tmp_path / "results")]
    for verb in ("plan", "prepare", "ask", "decide"):
        done = mmplat(verb, "--grid", str(grid), *where, *(["--write"] if verb == "plan" else []))
        assert done.returncode == 0, done.stderr
    assert mmplat("publish", "c", "--no-tracking", *where).returncode == 0
    ranked = mmplat("leaderboard", "--campaign", "c", "--format", "csv", *where)
    assert "naive" in ranked.stdout
    strict = mmplat("status", "--strict", "--grid", str(grid), *where)
    assert strict.returncode == 0
    assert "pairs    1 of 1 decided" in strict.stdout


def test_a_campaign_that_is_not_done_fails_strict_status(tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text("campaign: c\nmodels: [fake]\nsuites: [world-objects]\nlimit: 30\n")
    done = mmplat("status", "--strict", "--grid", str(grid), "--results", str(tmp_path))
    assert done.returncode == 1
    assert "is not complete: 0 of 1 batches asked" in done.stderr


def test_a_failed_sample_is_an_exit_code_unless_the_workflow_goes_on(tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text("campaign: c\nmodels: [fake]\nsuites: [world-objects]\nlimit: 30\n")
    common = ["--grid", str(grid), "--results", str(tmp_path / "results")]
    assert mmplat("prepare", *common).returncode == 0
    next((tmp_path / "results").rglob("*.png")).unlink()
    asked = mmplat("ask", *common)
    assert asked.returncode == 1
    assert "is missing" in asked.stderr
    assert "everything else was asked and is kept" in asked.stderr
    decided = mmplat("decide", *common)
    assert decided.returncode == 1
    assert "1 cells lack samples" in decided.stderr
    assert mmplat("ask", *common, "--keep-going").returncode == 0
    assert mmplat("decide", *common, "--keep-going").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ("power", "--accuracy", "0.8", "--effect", "nan"),
        ("power", "--accuracy", "0.8", "--clusters", "10", "--per-cluster", "inf"),
        ("diagnose", "lean", "x", "--above", "nan"),
        ("plan", "--minutes-per-job", "inf"),
    ],
    ids=" ".join,
)
def test_an_option_that_is_no_finite_number_is_refused(words):
    from mmplat.cli.app import app

    with pytest.raises(ConfigError, match=r"(nan|inf) is no number that an option can have"):
        app(list(words), standalone_mode=False)
