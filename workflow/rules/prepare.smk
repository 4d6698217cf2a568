rule prepare:
    input:
        spec=RESULTS.root / "suites/{key}.json",
    output:
        done=RESULTS.root / "suites/{name}/{key}/suite.json",
    log:
        "logs/prepare/{name}-{key}.log",
    shell:
        "mmplat prepare {input.spec:q} > {log} 2>&1"
