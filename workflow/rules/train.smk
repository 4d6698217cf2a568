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
