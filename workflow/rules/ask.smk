# The evidence parts are no outputs: Snakemake deletes the outputs of a failed job, and a night of asking with them.
rule ask:
    input:
        batch=RESULTS.root / "batches/{batch}.json",
        suites=suites_of_batch,
        trained=trained_of_batch,
    output:
        done=RESULTS.root / "batches/{batch}.done.json",
    log:
        "logs/ask/{batch}.log",
    wildcard_constraints:
        batch="[0-9a-f]+",
    threads: 1  # several models side by side beat several threads on small ones
    resources:
        gpu=of_batch("gpu"),
        gpu_model=of_batch("gpu_model"),
        mem_mb=of_batch("mem_mb"),
        runtime=of_batch("runtime"),
    shell:
        "mmplat ask {input.batch:q} --threads {threads} --keep-going > {log} 2>&1"


# Creating MLflow's tables takes half a minute: it runs beside the asking.
rule tracking:
    output:
        ready=RESULTS.tracking_ready,
    log:
        "logs/tracking.log",
    shell:
        "mmplat tracking prepare > {log} 2>&1"
