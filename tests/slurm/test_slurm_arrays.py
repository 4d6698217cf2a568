"""The executor on a real SLURM with jobs that do next to nothing: arrays, resources, and what is said of failures."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from builders import run_grid
from slurm_campaign import BIN, ROOT, Campaign, comparable, rows_asked
from slurm_cluster import Cluster

from mmplat.artifacts import Results

pytestmark = pytest.mark.slow

TRIVIAL = """
localrules: all

rule all:
    input: expand("{size}/{n}", size=["small", "large"], n=range(3))

rule small:
    output: "small/{n}"
    resources: runtime=5, mem_mb=100, gpu=1
    shell: "echo ${{SLURM_ARRAY_JOB_ID:-none}} $CUDA_VISIBLE_DEVICES > {output}; sleep 2"

rule large:
    output: "large/{n}"
    threads: 2
    resources: runtime=5, mem_mb=200, slurm_extra="--exclude=n1 --comment=hello"
    shell: "echo $SLURM_ARRAY_JOB_ID $SLURM_CPUS_PER_TASK $SLURMD_NODENAME > {output}"
"""


def snakemake(cluster: Cluster, folder: Path, snakefile: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Any workflow under the executor, without the profile, whose resources are those of mmplat's rules."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Snakefile").write_text(snakefile)
    command = [
        str(BIN / "snakemake"),
        "--executor",
        "submitit",
        "--jobs",
        "100",
        "--max-jobs-per-timespan",
        "1000/1s",
        "--nolock",
    ]
    command += ["--seconds-between-status-checks", "1", "--latency-wait", "5", "--keep-going", *more]
    environment = cluster.environment
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=folder)


def squeue_says(folder: Path, change: str) -> None:
    """A squeue whose lines went through sed: for what this cluster cannot do by itself."""
    (folder / "bin").mkdir(parents=True)
    wrapper = folder / "bin/squeue"
    wrapper.write_text(f"#!/bin/sh\n/usr/bin/squeue \"$@\" | sed '{change}'\n")
    wrapper.chmod(0o755)


@pytest.fixture(scope="module")
def trivial(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trivial")
    done = snakemake(cluster, folder, TRIVIAL)
    assert done.returncode == 0, done.stderr
    return folder


def words(folder: Path, rule: str) -> list[list[str]]:
    return [(folder / rule / str(n)).read_text().split() for n in range(3)]


def test_jobs_of_a_round_with_equal_resources_are_one_array(trivial):
    arrays = {rule: {one[0] for one in words(trivial, rule)} for rule in ("small", "large")}
    assert {len(ids) for ids in arrays.values()} == {1}
    assert arrays["small"] != arrays["large"]


def test_each_job_has_a_gpu_of_its_own(trivial):
    devices = [one[1] for one in words(trivial, "small")]
    assert set(devices) <= {"0", "1"}


def test_cpus_and_more_sbatch_options_arrive(trivial):
    assert {(cpus, node != "n1") for _, cpus, node in words(trivial, "large")} == {("2", True)}


def test_files_of_jobs_that_went_well_are_gone(trivial):
    kinds = {path.suffix for path in (trivial / ".snakemake/submitit").iterdir()}
    assert kinds <= {".sh", ".lock", ".jsonl"}


def test_arrays_above_the_limit_are_split(cluster, tmp_path):
    done = snakemake(cluster, tmp_path, TRIVIAL, "--submitit-max-array-size", "2", "--until", "small")
    assert done.returncode == 0, done.stderr
    assert [line.split(" as ")[0] for line in done.stderr.splitlines() if line.startswith("Submitted")] == [
        "Submitted 2 × small",
        "Submitted 1 × small",
    ]


def test_at_most_as_many_tasks_run_at_once_as_the_profile_says(cluster, tmp_path):
    done = snakemake(cluster, tmp_path, TRIVIAL, "--submitit-array-parallelism", "1", "--until", "small")
    assert done.returncode == 0, done.stderr
    script = next((tmp_path / ".snakemake/submitit").glob("*_submission.sh")).read_text()
    assert "#SBATCH --array=0-2%1" in script


FAILING = """
rule fails:
    output: "never"
    resources: runtime=5
    shell: "echo the last thing it said >&2; exit 7"
"""


def test_a_failure_names_its_state_its_logs_and_its_last_words(cluster, tmp_path):
    done = snakemake(cluster, tmp_path, FAILING)
    assert done.returncode == 1
    logs = [line for line in done.stderr.splitlines() if line.strip().startswith(("stdout: ", "stderr: "))]
    assert len(logs) == 2
    assert all(Path(line.split(": ", 1)[1]).exists() for line in logs)
    assert "ended as FAILED on n" in done.stderr
    assert "the last thing it said" in done.stderr.partition("Its last words:")[2]


def test_what_slurm_never_takes_fails_at_once_with_its_words(cluster, tmp_path):
    refused = FAILING.replace("runtime=5", "runtime=5, slurm_partition='nowhere'")
    done = snakemake(cluster, tmp_path, refused)
    assert done.returncode == 1
    assert "SLURM does not take the jobs" in done.stderr
    assert "invalid partition" in done.stderr.lower()
    assert "Trying again" not in done.stderr


def test_a_resource_that_cannot_be_passed_on_is_one_clear_error(cluster, tmp_path):
    done = snakemake(cluster, tmp_path, FAILING.replace("runtime=5", "runtime=5, slurm_extra='-x n1'"))
    assert done.returncode == 1
    assert "Rule fails: slurm_extra: '-x' in '-x n1'" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_after_out_of_memory_a_job_gets_twice_as_much(cluster, tmp_path):
    """SLURM kills for memory only with cgroups, which are not here: the state is real, the word for it is put in."""
    squeue_says(tmp_path, "s/|FAILED|/|OUT_OF_MEMORY|/")
    done = snakemake(cluster, tmp_path, FAILING.replace("runtime=5", "runtime=5, mem_mb=100"), "--retries", "2")
    assert done.returncode == 1
    assert done.stderr.count("ended as OUT_OF_MEMORY") == 3
    scripts = sorted(
        (tmp_path / ".snakemake/submitit").glob("[0-9]*_submission.sh"), key=lambda p: int(p.name.split("_")[0])
    )
    asked = [line for script in scripts for line in script.read_text().splitlines() if "--mem=" in line]
    assert asked == ["#SBATCH --mem=100M", "#SBATCH --mem=200M", "#SBATCH --mem=400M"]


def test_ends_that_slurm_has_forgotten_are_known_by_what_the_jobs_left(cluster, tmp_path):
    squeue_says(tmp_path, "/|COMPLETED|\\||FAILED|/d")
    done = snakemake(cluster, tmp_path, TRIVIAL + FAILING, "small/0", "never")
    assert done.returncode == 1
    assert (tmp_path / "small/0").exists()
    assert done.stderr.count("Error in rule") == 1
    assert "ended as LOST" in done.stderr
    assert "the last thing it said" in done.stderr


def test_where_a_site_keeps_accounts_they_are_asked_about_what_squeue_has_forgotten(cluster, tmp_path):
    """This cluster keeps none: a sacct that answers stands in for them."""
    squeue_says(tmp_path, "/|FAILED|/d")
    sacct = tmp_path / "bin/sacct"
    sacct.write_text(
        '#!/bin/sh\nfor word; do case $word in --jobs=*) echo "${word#--jobs=}|TIMEOUT|n3|None";; esac; done\n'
    )
    sacct.chmod(0o755)
    done = snakemake(cluster, tmp_path, FAILING)
    assert done.returncode == 1
    assert "ended as TIMEOUT on n3: it reached its time limit" in done.stderr


def test_a_second_head_in_one_directory_is_told_who_the_first_is(cluster, tmp_path):
    first = Campaign(tmp_path / "work", cluster)
    first.start()
    try:
        first.wait_until_asking()
        first_process = first.head
        second = Campaign(tmp_path / "work", cluster)
        assert second.run() == 1
        assert f"Another Snakemake (process {first_process.pid} on" in second.said
        assert first.finish() == 0
    finally:
        first.end()


@pytest.fixture(scope="module")
def whole_way(cluster, tmp_path_factory):
    """A grid with a real model, from the grid file to the leaderboard."""
    grid = (ROOT / "config/grids/smoke.yaml").read_text().replace("[fake]", "[fake, tiny]").replace("[0, 1]", "[0]")
    one = Campaign(tmp_path_factory.mktemp("whole") / "work", cluster, grid=grid)
    assert one.run(until="") == 0, one.said
    return one


def test_the_whole_way_on_slurm_gives_the_tables_of_one_machine(whole_way, tmp_path):
    alone = run_grid((whole_way.folder / "grid.yaml").read_text(), Results(tmp_path / "results"))
    assert rows_asked(whole_way.results).equals(rows_asked(alone.results))
    for name in ("predictions", "runs", "metrics"):
        assert comparable(whole_way.table(name)).equals(comparable(alone.table(name))), name
    assert whole_way.results.leaderboard("smoke", "md").read_text().startswith("# smoke")


def test_the_same_command_again_has_nothing_to_do(whole_way):
    before = whole_way.said
    assert whole_way.run("--dry-run", until="") == 0
    assert "Nothing to be done" in whole_way.said[len(before) :]
