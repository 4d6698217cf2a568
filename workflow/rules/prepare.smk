rule prepare:
    input:
        spec=RESULTS.root / "suites/{key}.json",
    output:
        done=RESULTS.root / "suites/{name}/{key}/suite.json",
    log:
        "logs/prepare/{name}-{key}.log",
    shell:
        "mmplat prepare {input.spec} --results {RESULTS.root} > {log} 2>&1"
