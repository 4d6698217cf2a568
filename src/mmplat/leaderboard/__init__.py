"""Reading what was measured: read-only DuckDB views over the store and the Parquet files, and what is asked of them.

The only room that reads results for people: the dashboard, `mmplat sql`, `mmplat leaderboard` and `mmplat rank` use it.
"""

from mmplat.leaderboard.connection import connect
from mmplat.leaderboard.querying import query
from mmplat.leaderboard.tables import (
    answers,
    campaigns,
    evidence_of,
    grid,
    main_metric,
    metrics_of,
    overall,
    ranking,
    runs,
    sample,
    samples,
)

__all__ = [
    "answers",
    "campaigns",
    "connect",
    "evidence_of",
    "grid",
    "main_metric",
    "metrics_of",
    "overall",
    "query",
    "ranking",
    "runs",
    "sample",
    "samples",
]
