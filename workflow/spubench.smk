# A benchmark from one's own images and classes: read → select → describe → write → check → (people review) → release.
#
#   snakemake --snakefile workflow/spubench.smk --profile profiles/default --config build=config/spubench/example.yaml
#   … and with the target `released` at the end, once items are accepted
#
# What a stage found is no output: Snakemake deletes the outputs of a failed job. A stage knows by content whether it is done.
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from mmplat.artifacts import results as results_folder
from mmplat.building import STAGES, Build, load_build
from mmplat.errors import MmplatError

min_version("9.0")

CONFIG = config.get("build", "config/spubench/example.yaml")
try:
    BUILD = Build(load_build(Path(CONFIG)), results_folder(config.get("results")))
    # A changed setting, image, prompt or decision does a stage again; a changed comment does not.
    KEYS = {name: stage.settings_key(BUILD) for name, stage in STAGES.items()}
except MmplatError as error:
    raise WorkflowError(str(error)) from None
RESULTS = BUILD.results
DONE = BUILD.folder / "workflow"
LOGS = Path("logs") / "spubench" / BUILD.spec.build
shell.prefix(
    f"set -euo pipefail; export MMPLAT_RESULTS={quote(str(BUILD.results.root))} BUILD={quote(CONFIG)}; "
)


# Asking endpoints needs a network, not a node; only `select` runs a network of its own.
localrules:
    drafted,
    released,
    read,
    describe,
    write,
    check,
    release,


rule drafted:
    default_target: True
    input:
        DONE / "check",


rule released:
    input:
        DONE / "release",


rule read:
    output:
        touch(DONE / "read"),
    log:
        LOGS / "read.log",
    params:
        key=KEYS["read"],
    shell:
        'mmplat spubench read "$BUILD" > {log:q} 2>&1'


rule select:
    input:
        rules.read.output,
    output:
        touch(DONE / "select"),
    log:
        LOGS / "select.log",
    params:
        key=KEYS["select"],
    shell:
        'mmplat spubench select "$BUILD" > {log:q} 2>&1'


rule describe:
    input:
        rules.select.output,
    output:
        touch(DONE / "describe"),
    log:
        LOGS / "describe.log",
    params:
        key=KEYS["describe"],
    shell:
        'mmplat spubench describe "$BUILD" > {log:q} 2>&1'


rule write:
    input:
        rules.describe.output,
    output:
        touch(DONE / "write"),
    log:
        LOGS / "write.log",
    params:
        key=KEYS["write"],
    shell:
        'mmplat spubench write "$BUILD" > {log:q} 2>&1'


rule check:
    input:
        rules.write.output,
    output:
        touch(DONE / "check"),
    log:
        LOGS / "check.log",
    params:
        key=KEYS["check"],
    shell:
        'mmplat spubench check "$BUILD" > {log:q} 2>&1'


rule release:
    input:
        rules.check.output,
    output:
        touch(DONE / "release"),
    log:
        LOGS / "release.log",
    params:
        key=KEYS["release"],
    shell:
        'mmplat spubench release "$BUILD" > {log:q} 2>&1'
