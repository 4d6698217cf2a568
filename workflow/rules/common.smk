# Computes the plan, once, torch-free. Nothing else lives here.
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from mmplat.artifacts import results as results_folder, safe_name
from mmplat.batching import resource, resources_of
from mmplat.campaign import taken_over
from mmplat.errors import MmplatError, UnknownName
from mmplat.grid import load_grid
from mmplat.jobfiles import needed_by
from mmplat.plan import plan_for, write_plan

SETTINGS = ("grid", "results", "minutes_per_job", "accelerate")
GRID = config.get("grid", "config/grid.yaml")
RESULTS = results_folder(config.get("results"))
try:
    for (
        setting
    ) in (
        config
    ):  # with a slip of the pen, another grid would be run than the one that is meant
        if setting not in SETTINGS:
            raise UnknownName("setting", setting, SETTINGS, where=" behind --config")
    PLAN = plan_for(load_grid(Path(GRID)), RESULTS, config.get("minutes_per_job"))
except MmplatError as error:
    raise WorkflowError(str(error)) from None
if warning := taken_over(PLAN, RESULTS):
    logger.warning(warning)
PLAN_FILE = write_plan(PLAN, RESULTS)
NAME = PLAN.grid.campaign
LOGS = Path("logs") / safe_name(NAME)
# Strict mode is Snakemake's own default, which a prefix replaces; every command finds the results folder in the environment.
# So it does what this grid allows its models to bring: in a rule's text or params it would do again what is done.
EXPORTED = {
    "MMPLAT_RESULTS": str(RESULTS.root),
    **needed_by(PLAN.grid.models).environment,
}
shell.prefix(
    "set -euo pipefail; "
    + "".join(f"export {name}={quote(value)}; " for name, value in EXPORTED.items())
)
CAMPAIGN = RESULTS.campaign(NAME)
# How several GPUs train one model, as a site says it (docs/training.md).
config.setdefault("accelerate", "")
# What the profile gives to jobs that say nothing themselves.
DEFAULTS = workflow.resource_settings.default_resources or {}


def prepared(suite):
    return RESULTS.suite(suite.name, suite.key) / "suite.json"


def suites_of_batch(wildcards):
    return [prepared(part.suite) for part in PLAN.job(wildcards.batch).batch.suites]


def of_batch(name):
    def value(wildcards, **known):
        needed = PLAN.job(wildcards.batch).resources()
        return resource(needed, name, DEFAULTS, wildcards, **known)

    return value


def suites_of_training(wildcards):
    return [prepared(suite) for suite in PLAN.training(wildcards.key).suites]


def trained_of_batch(wildcards):
    training = PLAN.job(wildcards.batch).batch.model.training
    return [] if training is None else [RESULTS.trained(training.key) / "card.json"]


def of_training(name):
    def value(wildcards, **known):
        needed = resources_of(PLAN.training(wildcards.key).needs)
        return resource(needed, name, DEFAULTS, wildcards, **known)

    return value


def markers_of_pair(wildcards):
    pair = PLAN.pair(wildcards.model, wildcards.suite)
    return [RESULTS.batch_done(job.key) for job in PLAN.jobs_of(pair)]


def judged_of_pair(wildcards):
    pair = PLAN.pair(wildcards.model, wildcards.suite)
    return (
        [RESULTS.judged(NAME, pair.model.name, pair.suite.name)] if pair.judge else []
    )


def suite_of_pair(wildcards):
    return prepared(PLAN.pair(wildcards.model, wildcards.suite).suite)


def all_asked(wildcards):
    return [RESULTS.batch_done(job.key) for job in PLAN.jobs]


def all_judged(wildcards):
    names = ((pair.model.name, pair.suite.name) for pair in PLAN.pairs if pair.judge)
    return [RESULTS.judged(NAME, *pair) for pair in names]


def all_decided(wildcards):
    names = ((pair.model.name, pair.suite.name) for pair in PLAN.pairs)
    return [RESULTS.decided(NAME, *pair) / "decided.json" for pair in names]
