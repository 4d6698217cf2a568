rule rank:
    input:
        published=rules.publish.output.done,
    output:
        json=RESULTS.leaderboard(NAME, "json"),
        html=report(
            RESULTS.leaderboard(NAME, "html"),
            caption="../report/leaderboard.rst",
            category="Leaderboard",
            labels={"as": "tables and intervals"},
        ),
        csv=report(
            RESULTS.leaderboard(NAME, "csv"),
            caption="../report/leaderboard.rst",
            category="Leaderboard",
            labels={"as": "CSV, every row"},
        ),
        md=RESULTS.leaderboard(NAME, "md"),
    log:
        LOGS / "rank.log",
    params:
        campaign=NAME,
    shell:
        "mmplat rank {params.campaign:q} > {log} 2>&1"


# Fails when a sample or a cell failed: what could be done is done and published, and the exit code still says so.
rule verdict:
    input:
        plan=PLAN_FILE,
        ranked=rules.rank.output.json,
    output:
        fine=CAMPAIGN / "fine",
    log:
        LOGS / "verdict.log",
    shell:
        "mmplat status {input.plan:q} --strict 2>&1 | tee {log} && touch {output.fine}"
