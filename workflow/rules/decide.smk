rule decide:
    input:
        plan=PLAN_FILE,
        suite=suite_of_pair,
        asked=marker_of_pair,
    output:
        done=CAMPAIGN / "decided/model={model}/suite={suite}/decided.json",
    log:
        f"logs/decide/{safe_name(PLAN.grid.campaign)}" + "/{model}-{suite}.log",
    shell:
        "mmplat decide {input.plan} --model {wildcards.model:q} --suite {wildcards.suite:q}"
        " --results {RESULTS.root} > {log} 2>&1"
