"""The pure parts of the submitit executor: resources, states, the journal. No SLURM."""

from __future__ import annotations

import pytest

from snakemake_executor_plugin_submitit.journal import Journal
from snakemake_executor_plugin_submitit.needs import BadNeeds, Needs, grouped, needs_of, parse_extra, split
from snakemake_executor_plugin_submitit.slurm import PASSING
from snakemake_executor_plugin_submitit.states import LOST, MEANING, Seen, Verdict, parse, tail

FULL = {
    "gpu": 2,
    "gpu_model": "a100",
    "mem_mb": 4000,
    "runtime": 60,
    "slurm_partition": "gpu",
    "slurm_account": "lab",
    "qos": "long",
    "constraint": "nvlink",
    "slurm_extra": "--exclude=n[3-4] --exclusive",
}


def test_every_resource_becomes_an_sbatch_option():
    said = needs_of("ask", 4, FULL).sbatch(signal_delay_s=90, parallel=7)
    assert said["partition"] == "gpu"
    assert said["account"] == "lab"
    assert said["qos"] == "long"
    assert said["constraint"] == "nvlink"
    assert said["gpus_per_node"] == "a100:2"
    assert said["time"] == 60
    assert said["cpus_per_task"] == 4
    assert said["srun_args"] == ["--cpus-per-task=4"]
    assert said["array_parallelism"] == 7
    assert said["additional_parameters"] == {"requeue": True, "exclude": "n[3-4]", "exclusive": True, "mem": "4000M"}


def test_what_nobody_asks_for_is_not_asked_of_slurm():
    empty = {"slurm_partition": "", "gpu": 0, "qos": "", "slurm_extra": ""}
    said = needs_of("ask", 1, empty).sbatch(signal_delay_s=90, parallel=1)
    assert not {"partition", "account", "qos", "constraint", "gpus_per_node"} & set(said)
    assert said["additional_parameters"] == {"requeue": True}


def test_submitit_takes_the_parameters(tmp_path):
    from submitit.slurm.slurm import _make_sbatch_string

    text = _make_sbatch_string(
        "x", tmp_path, job_name="j", **needs_of("ask", 4, FULL).sbatch(signal_delay_s=90, parallel=7)
    )
    for line in ("--gpus-per-node=a100:2", "--mem=4000M", "--time=60", "--signal=USR2@90", "--requeue", "--exclusive"):
        assert f"#SBATCH {line}\n" in text
    assert "wckey" not in text


@pytest.mark.parametrize(("runtime", "delay"), [(1, 20), (3, 60), (60, 90)])
def test_the_warning_never_comes_before_a_short_job_has_begun(runtime, delay):
    said = needs_of("ask", 1, {"runtime": runtime}).sbatch(signal_delay_s=90, parallel=1)
    assert said["signal_delay_s"] == delay


def test_memory_doubles_after_it_did_not_suffice():
    assert needs_of("ask", 1, {"mem_mb": 1000}, memory_factor=4).mem_mb == 4000
    assert needs_of("ask", 1, {}, memory_factor=4).mem_mb is None


@pytest.mark.parametrize("text", ["-x n1", "exclusive", "--"])
def test_options_that_cannot_be_passed_on_are_refused(text):
    with pytest.raises(BadNeeds, match="long spelling"):
        parse_extra(text)


def test_equal_needs_share_an_array_in_the_order_of_the_jobs():
    one, two = Needs("ask", gpus=1), Needs("ask", gpus=2)
    assert grouped({"a": one, "b": two, "c": Needs("ask", gpus=1)}) == {one: ["a", "c"], two: ["b"]}


def test_pieces_are_at_most_as_large_as_the_site_allows():
    assert [list(piece) for piece in split(range(5), 2)] == [[0, 1], [2, 3], [4]]


SQUEUE = """12_0|RUNNING|n1|None
12_1|PENDING||Resources
13|COMPLETED|n2|None
14|PENDING||launch failed requeued held
"""


def test_squeue_is_read_by_job_and_task():
    seen = parse(SQUEUE)
    assert seen["12_0"] == Seen("RUNNING", "None", "n1")
    assert [seen[job].verdict for job in ("12_0", "12_1", "13", "14")] == [
        Verdict.ALIVE,
        Verdict.ALIVE,
        Verdict.DONE,
        Verdict.FAILED,
    ]


def test_sacct_spells_states_in_its_own_way():
    seen = parse("7_3|CANCELLED by 1000|None assigned|None\n")
    assert seen["7_3"] == Seen("CANCELLED", "None", "")


@pytest.mark.parametrize("state", sorted(MEANING))
def test_every_bad_end_is_a_failure_with_a_reason(state):
    seen = Seen(state, "Why", "n3")
    assert seen.verdict is Verdict.FAILED
    assert seen.explain().startswith(f"{state} on n3 (Why): ")


@pytest.mark.parametrize(
    "state", ["PENDING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED", "CONFIGURING", "SOMETHING_NEW"]
)
def test_what_is_not_known_to_have_ended_is_alive(state):
    assert Seen(state).verdict is Verdict.ALIVE


def test_a_job_that_would_wait_for_ever_is_a_failure_that_says_so():
    assert "would wait for ever" in Seen("PENDING", "DependencyNeverSatisfied").explain()
    assert Seen("PENDING", "JobHeldUser").verdict is Verdict.ALIVE


def test_a_lost_job_is_not_called_a_success():
    assert Seen(LOST).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("said", "later"),
    [
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", True),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", True),
        ("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", True),
        ("sbatch: error: invalid partition specified: nowhere", False),
        (
            "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
            False,
        ),
        ("sbatch: error: Batch job submission failed: Requested node configuration is not available", False),
    ],
)
def test_which_refusals_may_pass(said, later):
    assert bool(PASSING.search(said)) is later


def test_the_tail_of_a_log_is_its_last_lines():
    assert tail("a\nb\nc\n\n", 2) == "b\nc"
    assert tail("") == ""


def test_a_journal_outlives_its_head(tmp_path):
    first = Journal(tmp_path / "j")
    first.submitting("ask-1")
    first.submitted("ask-1", {"a": "1_0", "b": "1_1"})
    first.ended("a")
    first.submitting("ask-2")
    again = Journal(tmp_path / "j")
    assert again.jobs == {"b": "1_1"}
    assert again.unconfirmed == {"ask-2"}
    again.submitted("ask-2", {})
    assert Journal(tmp_path / "j").unconfirmed == set()


def test_half_a_line_of_a_killed_head_costs_that_line_only(tmp_path):
    Journal(tmp_path / "j").submitted("ask-1", {"a": "1"})
    with (tmp_path / "j").open("a") as file:
        file.write('{"submitted": "ask-2", "jo')
    again = Journal(tmp_path / "j")
    again.submitted("ask-3", {"c": "3"})
    assert Journal(tmp_path / "j").jobs == {"a": "1", "c": "3"}
