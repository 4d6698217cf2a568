# Models that a grid trains before it asks them. Points to go on from are no outputs: a killed training continues.
rule fine_tune:
    input:
        spec=RESULTS.root / "trained/{key}.json",
        suites=suites_of_training,
    output:
        card=RESULTS.root / "trained/{key}/card.json",
    log:
        "logs/fine_tune/{key}.log",
    wildcard_constraints:
        key="[0-9a-f]+",
    threads: 1
    resources:
        gpu=of_training("gpu"),
        gpu_model=of_training("gpu_model"),
        mem_mb=of_training("mem_mb"),
        runtime=of_training("runtime"),
    params:
        accelerate=config["accelerate"],
    shell:
        "mmplat train {input.spec:q} --threads {threads} --processes {resources.gpu} --accelerate={params.accelerate:q} > {log} 2>&1"


# Retrains the models of the synthetic world: snakemake --profile profiles/default results/world/tiny-seed1/card.json
rule train:
    output:
        card=RESULTS.root / "world/{recipe}-seed{seed}/card.json",
    log:
        "logs/train/{recipe}-seed{seed}.log",
    threads: 2
    params:
        folder=subpath(output.card, parent=True),
    shell:
        "mmplat world train --recipe {wildcards.recipe} --seed {wildcards.seed} --out {params.folder} > {log} 2>&1"
