# The one writer of the SQL store and of MLflow.
rule publish:
    input:
        decided=all_decided,
        tracking=rules.tracking.output.ready,
    output:
        done=RESULTS.published(PLAN.grid.campaign),
    log:
        f"logs/publish/{safe_name(PLAN.grid.campaign)}.log",
    shell:
        "mmplat publish {PLAN.grid.campaign:q} --results {RESULTS.root} > {log} 2>&1"
