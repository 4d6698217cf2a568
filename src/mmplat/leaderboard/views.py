"""The views: their columns, and the SQL behind them.

Columns are declared once, here: the tables that are copied from the store, and the empty views that stand where there
is no file yet, are made from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmplat.evidence.coverage import REACH

RANKED_BY = "expected_accuracy"
"""The metric of the view `leaderboard`: exact under every decoding, equal to accuracy under greedy."""
UNPARSED = "unparsed"
"""The metric that holds the share of unparsed answers."""

CAMPAIGNS = {
    "campaign": "VARCHAR", "cells": "BIGINT", "planned": "BIGINT", "skipped": "JSON", "forwards": "BIGINT",
    "forwards_cell_by_cell": "BIGINT", "grid": "JSON", "grid_text": "VARCHAR", "origin_folder": "VARCHAR",
    "origin_user": "VARCHAR", "origin_host": "VARCHAR", "origin_made": "VARCHAR",
}  # fmt: skip
MODELS = {"campaign": "VARCHAR", "model": "VARCHAR", "key": "VARCHAR", "identity": "JSON"}
SUITES = {
    "campaign": "VARCHAR", "suite": "VARCHAR", "key": "VARCHAR", "kind": "VARCHAR", "version": "BIGINT", "n": "BIGINT",
    "content_id": "VARCHAR", "params": "JSON",
}  # fmt: skip
RUNS = {
    "run_id": "VARCHAR", "campaign": "VARCHAR", "model": "VARCHAR", "suite": "VARCHAR", "decoding": "VARCHAR",
    "method": "VARCHAR", "seed": "BIGINT", "origin": "VARCHAR", "status": "VARCHAR", "error": "VARCHAR", "n": "BIGINT",
    "n_failed": "BIGINT", "n_near_ties": "BIGINT", "forward_passes": "BIGINT", "seconds": "DOUBLE",
    "device": "VARCHAR", "dtype": "VARCHAR", "git_revision": "VARCHAR", "git_dirty": "BOOLEAN", "model_key": "VARCHAR",
    "suite_key": "VARCHAR", "evidence_key": "VARCHAR", "evidence_digest": "VARCHAR", "settings": "JSON", "versions": "JSON",
}  # fmt: skip
METRICS = {
    "run_id": "VARCHAR", "metric": "VARCHAR", "subset": "VARCHAR", "value": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE",
    "n": "BIGINT",
}  # fmt: skip
PUBLISHED_FIGURES = {
    "source": "VARCHAR", "place": "VARCHAR", "model": "VARCHAR", "suite": "VARCHAR", "method": "VARCHAR",
    "decoding": "VARCHAR", "metric": "VARCHAR", "subset": "VARCHAR", "value": "DOUBLE", "certainty": "VARCHAR",
    "note": "VARCHAR",
}  # fmt: skip
STORED = {
    "campaigns": CAMPAIGNS, "models": MODELS, "suites": SUITES, "runs": RUNS, "metrics": METRICS,
    "published_figures": PUBLISHED_FIGURES,
}  # fmt: skip

PREDICTIONS = {
    "run_id": "VARCHAR", "sample_id": "VARCHAR", "answer": "VARCHAR", "gold": "VARCHAR", "correct": "BOOLEAN",
    "p_correct": "DOUBLE", "p_other": "DOUBLE", "labels": "VARCHAR[]", "probs": "DOUBLE[]", "margin": "FLOAT",
    "near_tie": "BOOLEAN", "text": "VARCHAR", "error": "VARCHAR", "campaign": "VARCHAR", "model": "VARCHAR", "suite": "VARCHAR",
}  # fmt: skip
EVIDENCE = {
    "model": "VARCHAR", "suite": "VARCHAR", "model_key": "VARCHAR", "sample_key": "VARCHAR", "sample_id": "VARCHAR",
    "view": "VARCHAR", "view_key": "VARCHAR", "labels": "VARCHAR[]", "label_logits": "FLOAT[]", "label_mass": "FLOAT",
    "spelling_ids": "INTEGER[]", "spelling_of": "TINYINT[]", "spelling_logits": "FLOAT[]", "top_ids": "INTEGER[]",
    "top_logits": "FLOAT[]", "at_main": "FLOAT[]", "lse": "DOUBLE", "lse_temperatures": "FLOAT[]",
    "lse_shifted": "DOUBLE[]", "vocab_size": "INTEGER", "margin": "FLOAT", "near_tie": "BOOLEAN", "seconds": "FLOAT",
    "device": "VARCHAR", "dtype": "VARCHAR", "archive": "VARCHAR",
}  # fmt: skip
SAMPLES = {
    "suite": "VARCHAR", "suite_key": "VARCHAR", "sample_id": "VARCHAR", "sample_key": "VARCHAR", "cluster": "VARCHAR",
    "question": "VARCHAR", "options": "VARCHAR[]", "labels": "VARCHAR[]", "gold": "VARCHAR", "images": "VARCHAR[]",
    "groups": "JSON", "folder": "VARCHAR", "archive": "VARCHAR",
}  # fmt: skip

# A macro, so that SQL can rank by any metric: FROM leaderboard_by('f1'). A metric of which little is good:
# FROM leaderboard_by('unparsed', lowest_first := true). `metric_`, because a parameter hides the column of its name.
LEADERBOARD = f"""
CREATE MACRO leaderboard_by(metric_, lowest_first := false) AS TABLE
SELECT runs.campaign, runs.suite,
       CASE WHEN ranked.value IS NOT NULL THEN rank() OVER (
         PARTITION BY runs.campaign, runs.suite
         ORDER BY CASE WHEN lowest_first THEN -ranked.value ELSE ranked.value END DESC NULLS LAST
       ) END AS rank,
       runs.model, runs.method, runs.decoding, runs.seed,
       ranked.metric, ranked.value, ranked.low, ranked.high, ranked.n,
       unparsed.value AS unparsed, runs.forward_passes, runs.seconds, runs.run_id
FROM metrics AS ranked
JOIN runs USING (run_id)
LEFT JOIN metrics AS unparsed
  ON unparsed.run_id = ranked.run_id AND unparsed.metric = '{UNPARSED}' AND unparsed.subset = 'all'
WHERE ranked.metric = metric_ AND ranked.subset = 'all';
CREATE VIEW leaderboard AS
FROM leaderboard_by('{RANKED_BY}') ORDER BY campaign, suite, rank NULLS LAST, model, method, decoding, seed;
"""


def stored_sql() -> str:
    """Tables of the schema `store`, and a view on each."""
    statements = ["CREATE SCHEMA store;"]
    for name, columns in STORED.items():
        declared = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        statements.append(f"CREATE TABLE store.{name} ({declared});")
        statements.append(f"CREATE VIEW {name} AS FROM store.{name};")
    return "\n".join(statements)


def predictions_sql(files: dict[str, list[Path]]) -> str:
    """One branch per campaign: a filter on the campaign drops whole branches, one on model or suite drops files."""
    branches = [
        _select(PREDICTIONS, read_parquet(paths), {"campaign": quoted(campaign)})
        for campaign, paths in files.items()
        if paths
    ]
    return f"CREATE VIEW predictions AS {' UNION ALL '.join(branches) or _empty(PREDICTIONS)};"


def evidence_sql(roots: Sequence[tuple[str | None, Path]]) -> str:
    """A row that was asked again with a wider K lies in a later part: the widest one counts.

    `roots` are (archive, folder): rows that came with an archive stand beside ours, and never take their place.
    """
    if not roots:
        return f"CREATE VIEW evidence AS {_empty(EVIDENCE)};"
    same = "model, suite, model_key, sample_key, view_key"
    widest = ", ".join(f"len({name}) DESC NULLS LAST" for name in REACH)
    branches = []
    for archive, root in roots:
        source = read_parquet([root / "*" / "*" / "*" / "part-*.parquet"], literal=root)
        key = "regexp_extract(filename, '([^/]+)/[^/]+$', 1)"
        rows = _select(EVIDENCE, source, {"model_key": key, "archive": _text(archive)})
        branches.append(f"({rows} QUALIFY row_number() OVER (PARTITION BY {same} ORDER BY {widest}, filename) = 1)")
    return f"CREATE VIEW evidence AS {' UNION ALL '.join(branches)};"


def samples_sql(files: Sequence[tuple[str | None, Path]]) -> str:
    """`files` are (archive, samples.parquet)."""
    if not files:
        return f"CREATE VIEW samples AS {_empty(SAMPLES)};"
    computed = {
        "suite": "regexp_extract(filename, '([^/]+)/[^/]+/[^/]+$', 1)",
        "suite_key": "regexp_extract(filename, '([^/]+)/[^/]+$', 1)",
        "folder": "regexp_extract(filename, '^(.*)/[^/]+$', 1)",
    }
    by_archive: dict[str | None, list[Path]] = {}
    for archive, path in files:
        by_archive.setdefault(archive, []).append(path)
    branches = [
        _select(SAMPLES, read_parquet(paths, partitioned=False), {**computed, "archive": _text(archive)})
        for archive, paths in by_archive.items()
    ]
    return f"CREATE VIEW samples AS {' UNION ALL '.join(branches)};"


def _text(value: str | None) -> str:
    return "NULL" if value is None else quoted(value)


def read_parquet(paths: Sequence[Path], *, literal: Path | None = None, partitioned: bool = True) -> str:
    """The table function over `paths`; with `literal`, what follows that folder in a path is a pattern."""
    names = [
        escaped(str(path)) if literal is None else escaped(str(literal)) + str(path).removeprefix(str(literal))
        for path in paths
    ]
    listed = ", ".join(quoted(name) for name in names)
    # Types are given, or a model called 2024-01 would be read as a date.
    hive = "true, hive_types = {model: VARCHAR, suite: VARCHAR}" if partitioned else "false"
    return f"read_parquet([{listed}], filename = true, hive_partitioning = {hive})"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def escaped(path: str) -> str:
    """A path in which DuckDB finds no pattern: each special sign as a class of itself."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)


def _select(columns: dict[str, str], source: str, computed: dict[str, str]) -> str:
    shown = [f'CAST({computed.get(name, f""""{name}" """)} AS {kind}) AS "{name}"' for name, kind in columns.items()]
    return f"SELECT {', '.join(shown)} FROM {source}"


def _empty(columns: dict[str, str]) -> str:
    shown = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items())
    return f"SELECT {shown} WHERE false"
