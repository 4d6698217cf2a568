rule rank:
    input:
        published=rules.publish.output.done,
    output:
        json=RESULTS.leaderboard(PLAN.grid.campaign, "json"),
        csv=RESULTS.leaderboard(PLAN.grid.campaign, "csv"),
        md=RESULTS.leaderboard(PLAN.grid.campaign, "md"),
    log:
        f"logs/rank/{safe_name(PLAN.grid.campaign)}.log",
    shell:
        "mmplat rank {PLAN.grid.campaign:q} --results {RESULTS.root} > {log} 2>&1"


# Fails when a sample or a cell failed: what could be done is done and published, and the exit code still says so.
rule verdict:
    input:
        ranked=rules.rank.output.json,
    output:
        fine=CAMPAIGN / "fine",
    log:
        f"logs/verdict/{safe_name(PLAN.grid.campaign)}.log",
    shell:
        "mmplat status --strict --grid {GRID:q} --results {RESULTS.root} 2>&1 | tee {log} && touch {output.fine}"
