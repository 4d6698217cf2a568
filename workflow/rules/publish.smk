# The one writer of the SQL store and of MLflow.
rule publish:
    input:
        decided=all_decided,
        # Written again whenever MLflow is tried anew, by whoever publishes: that it is there counts, not when.
        tracking=ancient(rules.tracking.output.ready),
    output:
        done=RESULTS.published(NAME),
    log:
        LOGS / "publish.log",
    params:
        campaign=NAME,
    shell:
        "mmplat publish {params.campaign:q} > {log} 2>&1"
