"""Job files are pickles that run as their user: they lie where nobody else can write. No SLURM."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_submitit import private
from snakemake_executor_plugin_submitit.backends import Files

BIN = Path(sys.executable).parent
RULES = """
from mmplat.artifacts import results
RESULTS = results(config["results"])

localrules: all

rule all:
    input: "done"

rule one:
    output: "done"
    shell: "touch {output}"
"""


def test_the_folder_of_job_files_is_made_for_its_user_alone(tmp_path: Path) -> None:
    private.take(tmp_path / "a/submitit", tmp_path / "results")
    assert (tmp_path / "a/submitit").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o775, 0o777, 0o2775])
def test_a_folder_of_an_earlier_version_is_closed_to_others_and_its_jobs_stay(tmp_path: Path, mode: int) -> None:
    (tmp_path / "journal.jsonl").write_text("{}")
    tmp_path.chmod(mode)
    private.take(tmp_path, None)
    assert tmp_path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "journal.jsonl").exists()


def test_job_files_never_lie_in_the_results_folder(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (tmp_path / "link").symlink_to(results)
    for folder in (results, results / ".snakemake/submitit", tmp_path / "link/x"):
        with pytest.raises(WorkflowError, match="lies in the results folder .*Set submitit-folder"):
            private.take(folder, results)
    assert list(results.iterdir()) == []


def test_job_files_of_another_user_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me, real = os.getuid(), Path.lstat
    (tmp_path / "42_0_result.pkl").write_bytes(b"x")
    for foreign in (tmp_path, tmp_path / "42_0_result.pkl"):

        def lstat(path: Path, of: Path = foreign) -> os.stat_result:
            found = real(path)
            return os.stat_result((*found[:4], me + 1, *found[5:])) if path == of else found

        monkeypatch.setattr(Path, "lstat", lstat)
        with pytest.raises(WorkflowError, match=f"belongs to user {me + 1}, and you are user {me}"):
            private.take(tmp_path, None)


class Owned:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("owned"),)


def test_a_result_that_somebody_else_wrote_is_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = tmp_path / "42_0_result.pkl"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(pickle.dumps(Owned()))
    result.symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"):
        Files(tmp_path).outcome("42")
    result.unlink()
    elsewhere.rename(result)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(WorkflowError, match="is not yours, so it is not unpickled"):
        Files(tmp_path).outcome("42")
    assert not (tmp_path / "owned").exists()
    monkeypatch.undo()
    result.write_bytes(pickle.dumps(("success", None)))
    assert Files(tmp_path).outcome("42").state == "COMPLETED"


def test_snakemake_refuses_job_files_in_the_results_folder_of_its_workflow(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(RULES)
    command = [BIN / "snakemake", "--executor", "submitit", "--submitit-backend", "local", "--jobs", "1", "--nolock"]
    more = ["--submitit-folder", "results/jobs", "--config", "results=results"]
    done = subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "lies in the results folder" in done.stderr
    assert not (tmp_path / "results/jobs").exists()
