"""What a job asks of the cluster, as a value: jobs with equal needs share an array.

The names are those that Snakemake's official slurm executor reads, so one workflow runs under both.
"""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

DEFAULT_RUNTIME_MIN = 60
"""For a rule that says nothing. submitit's own default is 5 minutes, which no job of ours would survive."""

Item = TypeVar("Item", bound=Hashable)
Key = TypeVar("Key", bound=Hashable)


class BadNeeds(ValueError):
    """A resource of a rule or profile that no submission can carry."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Resources of one job. Equal needs, one array."""

    rule: str
    cpus: int = 1
    gpus: int = 0
    gpu_type: str | None = None
    mem_mb: int | None = None
    runtime_min: int = DEFAULT_RUNTIME_MIN
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    extra: tuple[tuple[str, str | bool], ...] = ()
    """More sbatch options; True stands for a flag."""

    def sbatch(self, *, signal_delay_s: int, parallel: int) -> dict[str, Any]:
        """These needs in the words of submitit's SlurmExecutor."""
        named = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "gpus_per_node": self._gpus(),
        }
        more: dict[str, Any] = {"requeue": True, **dict(self.extra)}
        if self.mem_mb is not None:
            more["mem"] = f"{self.mem_mb}M"
        return {
            **{key: value for key, value in named.items() if value is not None},
            "time": self.runtime_min,
            "cpus_per_task": self.cpus,
            # Since SLURM 22.05 a step no longer takes the CPUs of its job by itself.
            "srun_args": [f"--cpus-per-task={self.cpus}"],
            # A signal that comes before the job has begun to work would requeue it for ever.
            "signal_delay_s": min(signal_delay_s, self.runtime_min * 60 // 3),
            "array_parallelism": parallel,
            "additional_parameters": more,
            "wckey": None,  # submitit's own default is refused where a site checks these
        }

    def _gpus(self) -> str | None:
        if not self.gpus:
            return None
        return f"{self.gpu_type}:{self.gpus}" if self.gpu_type else str(self.gpus)


def needs_of(rule: str, threads: int, resources: Mapping[str, Any], *, memory_factor: int = 1) -> Needs:
    """Reads the resources of a Snakemake job. `memory_factor` grows after a job ran out of memory."""
    mem_mb = resources.get("mem_mb")
    return Needs(
        rule=rule,
        cpus=int(resources.get("cpus_per_task") or threads),
        gpus=int(resources.get("gpu") or 0),
        gpu_type=resources.get("gpu_model") or None,
        mem_mb=int(mem_mb) * memory_factor if mem_mb else None,
        runtime_min=int(resources.get("runtime") or DEFAULT_RUNTIME_MIN),
        partition=resources.get("slurm_partition") or None,
        account=resources.get("slurm_account") or None,
        qos=resources.get("qos") or None,
        constraint=resources.get("constraint") or None,
        extra=parse_extra(str(resources.get("slurm_extra") or "")),
    )


def parse_extra(text: str) -> tuple[tuple[str, str | bool], ...]:
    """`--exclude=n[3-4] --exclusive` → (("exclude", "n[3-4]"), ("exclusive", True))."""
    options = []
    for word in shlex.split(text):
        name, _, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise BadNeeds(
                f"slurm_extra: {word!r} in {text!r} is no option that can be passed on. Write every sbatch option in its long "
                "spelling with an equals sign, such as `--exclude=n3 --exclusive`."
            )
        options.append((name, value or True))
    return tuple(options)


def grouped(keys: Mapping[Item, Key]) -> dict[Key, list[Item]]:
    """Items with equal keys together, in the order in which they came."""
    groups: dict[Key, list[Item]] = {}
    for item, key in keys.items():
        groups.setdefault(key, []).append(item)
    return groups


def split(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Pieces of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
