rule decide:
    input:
        plan=PLAN_FILE,
        suite=suite_of_pair,
        asked=markers_of_pair,
        judged=judged_of_pair,
    output:
        done=CAMPAIGN / "decided/model={model}/suite={suite}/decided.json",
    log:
        LOGS / "decide-{model}-{suite}.log",
    shell:
        "mmplat decide {input.plan:q} --model {wildcards.model:q} --suite {wildcards.suite:q} --keep-going > {log} 2>&1"
