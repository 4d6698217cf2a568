# Only for pairs whose answers are scored by a judge. Judgments and replies are no outputs: they survive a failed job.
rule judge:
    input:
        plan=PLAN_FILE,
        suite=suite_of_pair,
        asked=markers_of_pair,
    output:
        done=CAMPAIGN / "decided/model={model}/suite={suite}/judged.json",
    log:
        LOGS / "judge-{model}-{suite}.log",
    shell:
        "mmplat judge {input.plan:q} --model {wildcards.model:q} --suite {wildcards.suite:q} --keep-going > {log} 2>&1"
