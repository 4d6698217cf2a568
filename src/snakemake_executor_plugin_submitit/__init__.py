"""A Snakemake executor on submitit: the jobs of one scheduling round become one SLURM array.

Snakemake imports this at every start, in each job too, and so does an array task that unpickles its command. So nothing is
imported here but the settings; the executor and submitit come when they are asked for.
"""

from __future__ import annotations

from typing import Any

from snakemake_interface_executor_plugins.settings import CommonSettings

from snakemake_executor_plugin_submitit.settings import ExecutorSettings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=1,
)


def __getattr__(name: str) -> Any:
    if name == "Executor":
        from snakemake_executor_plugin_submitit.executor import Executor

        return Executor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
