"""What a profile may set: each field is a key `submitit-<field>` of a profile and a flag `--submitit-<field>`.

No `from __future__ import annotations` here: Snakemake calls the type of a field to read its value.
"""

from dataclasses import dataclass, field

from snakemake_interface_executor_plugins.settings import ExecutorSettingsBase


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]  # Snakemake carries no types
    """Settings of the submitit executor."""

    backend: str = field(
        default="slurm",
        metadata={
            "help": "Where jobs run: `slurm`, or `local` for processes on this machine.",
            "choices": ["slurm", "local"],
        },
    )
    folder: str = field(
        default=".snakemake/submitit",
        metadata={"help": "Folder for job files and logs; every node must see it. Relative to the working directory."},
    )
    array_parallelism: int = field(
        default=0, metadata={"help": "At most this many tasks of one array run at the same time; 0: no limit of ours."}
    )
    max_array_size: int = field(
        default=0, metadata={"help": "Largest array to submit; 0: what `scontrol show config` says (MaxArraySize)."}
    )
    timeouts: int = field(
        default=10,
        metadata={"help": "How often one job may reach its time limit, be requeued and go on, before it fails."},
    )
    signal_delay_s: int = field(
        default=90,
        metadata={"help": "Seconds before the time limit at which a job is told to keep what it has and stop."},
    )
    patience_s: int = field(
        default=600, metadata={"help": "Seconds during which a submission that SLURM cannot take now is tried again."}
    )
