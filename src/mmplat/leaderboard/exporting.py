"""Results in the shapes that other tools and papers read: lm-eval's JSON, long tables, LaTeX and Markdown.

Every number keeps its n and its interval; nothing of an export depends on when it is made, so two of one store are equal.
"""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl

from mmplat.artifacts import safe_name
from mmplat.errors import ConfigError
from mmplat.leaderboard.formats import interval, markdown
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.tables import Connection, check_name
from mmplat.leaderboard.views import RANKED_BY
from mmplat.metrics import catalog as metrics
from mmplat.metrics.intervals import Z95

FORMATS = ("lm-eval", "parquet", "csv", "latex", "markdown")
CELL = ["model", "method", "decoding", "seed"]
THEIR_NAMES = {"accuracy": "acc"}
"""What lm-eval calls what we measure; other metrics keep their names."""
SPECIAL = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "×": r"$\times$"},
}


def long_table(connection: Connection, campaign: str | None = None) -> pl.DataFrame:
    """One row per run, metric and subset, with the cell, its cost and its versions beside each number."""
    return _rows(
        connection,
        """
        SELECT runs.campaign, runs.suite, runs.model, runs.method, runs.decoding, runs.seed, metric, subset, value, low, high,
               metrics.n, runs.status, runs.origin, runs.n_failed, runs.forward_passes, runs.seconds, runs.device, runs.dtype,
               runs.git_revision, runs.git_dirty, CAST(runs.versions AS VARCHAR) AS versions, run_id
        FROM metrics JOIN runs USING (run_id) WHERE campaign = coalesce($campaign, campaign)
        ORDER BY ALL
        """,
        campaign,
    )


def wide_table(connection: Connection, campaign: str | None = None, metric: str = RANKED_BY) -> pl.DataFrame:
    """One row per model, method, decoding and seed, one column per suite: the value with its interval, as in a paper."""
    check_name(connection, "metric", metric)
    table = long_table(connection, campaign).filter(metric=metric, subset="all")
    several = table["campaign"].n_unique() > 1
    keys = [*(["campaign"] if several else []), *CELL]
    shown = [interval(*numbers) for numbers in table.select("value", "low", "high").iter_rows()]
    suites = table.select(pl.format("{} (n={})", "suite", "n").alias("column"))["column"]
    wide = table.with_columns(pl.Series("shown", shown, dtype=pl.String), suites)
    found = wide.pivot(on="column", index=keys, values="shown", sort_columns=True).sort(keys)
    return found if found["seed"].n_unique() > 1 else found.drop("seed")


def as_markdown(table: pl.DataFrame, metric: str) -> str:
    return f"{metric}, with 95 % intervals\n\n{markdown(table.fill_null('–'))}"


def as_latex(table: pl.DataFrame, metric: str) -> str:
    """A tabular for booktabs; names are escaped."""
    columns = "l" * sum(name in ("campaign", *CELL) for name in table.columns)
    columns += "r" * (len(table.columns) - len(columns))
    rows = [" & ".join(_escaped(value) for value in row) + r" \\" for row in table.fill_null("–").iter_rows()]
    return "\n".join(
        [
            f"% {metric}, with 95 % intervals; \\usepackage{{booktabs}}",
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_escaped, table.columns)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            "\\end{tabular}\n",
        ]
    )


def _escaped(value: object) -> str:
    return re.sub(r"[&%$#_{}\\~^–×]", lambda found: SPECIAL[found[0]], str(value))


def lm_eval(connection: Connection, campaign: str | None = None) -> dict[str, dict[str, Any]]:
    """Files as lm-eval and lmms-eval leave them, by path: `<model>/results_<campaign>_<method>_<decoding>_<seed>.json`."""
    files: dict[str, dict[str, Any]] = {}
    keys = ["campaign", *CELL]
    whole = long_table(connection, campaign).filter(pl.col("subset") == "all")
    for (name, model, method, decoding, seed), rows in whole.group_by(keys, maintain_order=True):
        path = "/".join([safe_name(str(model)), safe_name(f"results_{name}_{method}_{decoding}_{seed}.json")])
        if path in files:
            other = files[path]["config"]
            raise ConfigError(
                f"{path} would be written twice: for {_named(other)}, and for {name!r}, {model!r}, {method!r}, {decoding!r}. File "
                "names cannot tell these apart: export one --campaign at a time, or as parquet or csv."
            )
        config = {"model": model, "campaign": name, "method": method, "decoding": decoding, "random_seed": seed}
        files[path] = _lm_eval_file(rows, config)
    return files


def _named(config: dict[str, Any]) -> str:
    return ", ".join(repr(config[name]) for name in ("campaign", "model", "method", "decoding"))


def _lm_eval_file(rows: pl.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    tasks = {str(key[0]): part for key, part in rows.group_by("suite", maintain_order=True)}
    first = rows.row(0, named=True)
    return {
        "results": {task: {"alias": task, **_entry(part)} for task, part in tasks.items()},
        "versions": {task: json.loads(part["versions"][0]).get("suite", "unknown") for task, part in tasks.items()},
        "n-shot": dict.fromkeys(tasks, 0),
        "higher_is_better": {task: _directions(part) for task, part in tasks.items()},
        "n-samples": {task: _counts(part) for task, part in tasks.items()},
        "config": config,
        "git_hash": first["git_revision"],
        "model_name": config["model"],
    }


def _entry(rows: pl.DataFrame) -> dict[str, float | str]:
    """`acc,none` and `acc_stderr,none`; where an interval is known, a quarter of it is about the standard error."""
    entry: dict[str, float | str] = {}
    for metric, value, low, high in rows.select("metric", "value", "low", "high").iter_rows():
        name = THEIR_NAMES.get(metric, metric)
        if value is not None:
            entry[f"{name},none"] = value
            entry[f"{name}_stderr,none"] = "N/A" if low is None else (high - low) / (2 * Z95)
    return entry


def _directions(rows: pl.DataFrame) -> dict[str, bool]:
    found = {name: metrics.get(name.removeprefix("expected_")) for name in rows["metric"] if _is_known(name)}
    known = {name: metric.higher_is_better for name, metric in found.items()}
    return {THEIR_NAMES.get(name, name): better for name, better in known.items() if better is not None}


def _is_known(metric: str) -> bool:
    return metric.removeprefix("expected_") in metrics


def _counts(rows: pl.DataFrame) -> dict[str, int]:
    n, failed = int(rows["n"].max()), int(rows["n_failed"][0])  # type: ignore[arg-type]
    return {"original": n + failed, "effective": n}


def _rows(connection: Connection, sql: str, campaign: str | None) -> pl.DataFrame:
    if campaign is not None:
        check_name(connection, "campaign", campaign)
    return frame(connection.execute(sql, {"campaign": campaign}))
