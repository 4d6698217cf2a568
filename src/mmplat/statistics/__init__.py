"""Is a difference there? Tests and intervals for runs on the same samples, in numpy alone.

Samples of one cluster (the questions about one image) are right and wrong together, so clusters are what is drawn again and what
changes its sign. McNemar's test is the one that knows no clusters; it stands here because papers quote it.
"""

from mmplat.statistics.families import benjamini_hochberg, holm
from mmplat.statistics.gating import Verdict, verdict
from mmplat.statistics.paired import Paired, design_effect, mcnemar, paired_bootstrap, sign_flip_test
from mmplat.statistics.power import Design
from mmplat.statistics.ranks import rank_ranges

__all__ = [
    "Design",
    "Paired",
    "Verdict",
    "benjamini_hochberg",
    "design_effect",
    "holm",
    "mcnemar",
    "paired_bootstrap",
    "rank_ranges",
    "sign_flip_test",
    "verdict",
]
