"""Campaigns that run unattended, by the clock: what is due is run by Snakemake, one campaign at a time, and recorded.

Nothing here decides what is asked: a firing is the same command that a person would type, and evidence that exists is never
asked twice. So a firing costs what is new: a model, a suite's next version, a view.
"""

from mmplat.schedule.entries import Scheduled, add, not_run, remove, scheduled
from mmplat.schedule.firings import Firing, firings, log_of, run_due
from mmplat.schedule.install import crontab_tool, installed, sync, systemd_units
from mmplat.schedule.report import report_failures

__all__ = [
    "Firing",
    "Scheduled",
    "add",
    "crontab_tool",
    "firings",
    "installed",
    "log_of",
    "not_run",
    "remove",
    "report_failures",
    "run_due",
    "scheduled",
    "sync",
    "systemd_units",
]
