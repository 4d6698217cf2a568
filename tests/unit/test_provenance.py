"""From which code a number comes: a revision, and whether the code is that revision's."""

import subprocess

import pytest

from mmplat.provenance import state_of


def git(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "src" / "package"
    folder.mkdir(parents=True)
    (folder / "naive.py").write_text("1")
    (tmp_path / ".gitignore").write_text(".venv/\n__pycache__/\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return folder


def test_committed_code_is_that_revision(package):
    assert state_of(package) == (git(package, "rev-parse", "HEAD"), False)


def test_a_changed_file_and_a_file_that_git_does_not_know_are_changes(package):
    own = package / "ours.py"
    own.write_text("2")
    assert state_of(package)[1] is True
    own.unlink()
    (package / "naive.py").write_text("2")
    assert state_of(package)[1] is True


def test_a_grid_beside_the_code_and_ignored_files_are_no_changes(package):
    (package.parents[1] / "grid.yaml").write_text("campaign: mine")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "naive.pyc").write_text("")
    assert state_of(package)[1] is False


def test_code_that_is_installed_into_a_folder_of_a_repository_is_not_its_code(package, tmp_path):
    installed = tmp_path / ".venv" / "package"
    installed.mkdir(parents=True)
    (installed / "naive.py").write_text("1")
    assert state_of(installed) == (None, None)
    assert state_of(tmp_path.parent) == (None, None)  # no repository at all
