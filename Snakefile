# From one grid file to a ranked leaderboard: plan → prepare → ask → decide → publish → rank.
#
#   snakemake --profile profiles/default --config grid=config/grids/demo.yaml
#
# No logic here: the plan says what there is to do, a rule is one call of the command line.
from snakemake.utils import min_version

min_version("9.0")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/ask.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/decide.smk"
include: "workflow/rules/publish.smk"
include: "workflow/rules/rank.smk"


# Short, and writing to databases or loading from the network: on a cluster they run beside Snakemake, not on nodes.
localrules:
    all,
    prepare,
    tracking,
    judge,
    decide,
    publish,
    rank,
    verdict,


# The markers of asking, judging and deciding are named besides what is made from them: Snakemake leaves a missing input alone
# where what was made from it is there, as after `mmplat publish` of a part, and would never ask for the rest.
rule all:
    default_target: True
    input:
        all_asked,
        all_judged,
        all_decided,
        rules.rank.output,
        rules.verdict.output,
