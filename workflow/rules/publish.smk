# The one writer of the SQL store and of MLflow.
rule publish:
    input:
        decided=all_decided,
        tracking=rules.tracking.output.ready,
    output:
        done=RESULTS.published(NAME),
    log:
        LOGS / "publish.log",
    params:
        campaign=NAME,
    shell:
        "mmplat publish {params.campaign:q} > {log} 2>&1"
