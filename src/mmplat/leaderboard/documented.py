"""What every view and column means, as comments inside the database: any tool that reads its catalog shows them."""

from __future__ import annotations

import duckdb
import polars as pl

from mmplat.leaderboard.macros import DESCRIPTIONS
from mmplat.leaderboard.querying import frame
from mmplat.leaderboard.views import quoted

VIEWS = {
    "campaigns": "one row per campaign: one grid, under one name",
    "models": "one row per model of a campaign, with its identity",
    "suites": "one row per suite of a campaign",
    "runs": "one row per cell: model × suite × decoding × method × seed",
    "metrics": "one row per run, metric and subset",
    "leaderboard": "runs ranked by expected_accuracy inside each campaign and suite; ties share a rank",
    "predictions": "one row per run and sample",
    "evidence": "what a model says about one view of one sample",
    "samples": "the prepared questions",
    "published_figures": "what papers report: shown beside what was measured, never ranked with it",
}
SHARED = {
    "campaign": "the campaign",
    "model": "the model; in predictions and evidence as its folder is called",
    "suite": "the suite; in predictions, evidence and samples as its folder is called",
    "decoding": "the decoding",
    "method": "the method; naive is none",
    "seed": "the seed of what is random in the method",
    "run_id": "identity of the run: its cell and what it was decided from",
    "sample_id": "the sample, inside its suite",
    "sample_key": "the sample by content: equal samples share their evidence",
    "key": "identity by content",
    "suite_key": "identity of the prepared suite",
    "model_key": "identity of the model",
    "archive": "the imported campaign that it came with; null: it was made here",
    "n": "samples behind the number",
    "value": "the number; null where it is undefined",
    "low": "lower end of its 95 % interval",
    "high": "upper end of its 95 % interval",
    "metric": "the metric",
    "subset": "all, group=value, or worst:group",
    "labels": "what may be answered",
    "gold": "the right label",
    "margin": "by how much the likeliest token leads",
    "near_tie": "closer to a tie than the device's arithmetic tells apart",
    "seconds": "seconds of its views and its deciding",
    "device": "where it was asked",
    "dtype": "precision in which it was asked",
    "forward_passes": "cost of the cell when it is run alone",
    "unparsed": "share of answers that are no label",
    "error": "why there is none; null where all is well",
}
COLUMNS = {
    "campaigns": {
        "cells": "cells of the grid", "planned": "cells that can be", "skipped": "the others, with reasons",
        "forwards": "forward passes when each view is asked once; of answers in words, one per token and view",
        "forwards_cell_by_cell": "forward passes when each cell runs its model by itself",
        "grid": "the grid, resolved", "grid_text": "the grid file as it was written",
        "origin_folder": "id of the results folder that published it", "origin_user": "who made that folder",
        "origin_host": "on which machine", "origin_made": "when, in UTC",
    },
    "models": {"identity": "revision, dtype, processor, template"},
    "suites": {
        "kind": "the registered suite", "version": "its version", "content_id": "its samples by content",
        "params": "its parameters",
    },
    "runs": {
        "status": "done, incomplete or failed", "n": "samples that were decided",
        "origin": "measured (here), archive (measured elsewhere, with its evidence) or imported (answers alone)",
        "n_failed": "samples without evidence, which are in no metric",
        "n_near_ties": "samples closer to a tie than the device's arithmetic tells apart",
        "git_revision": "the code", "git_dirty": "whether it had uncommitted changes",
        "evidence_key": "identity of the evidence it was decided from",
        "evidence_digest": "digest of the evidence parts that it was decided from",
        "settings": "resolved settings of decoding and method",
        "versions": "versions of packages and extensions",
    },
    "leaderboard": {"rank": "1 is the best; null where the value is undefined"},
    "predictions": {
        "answer": "the likeliest label; null: saying none is likelier", "correct": "whether it is the right one",
        "p_correct": "probability of the right label", "p_other": "probability of saying something that is no label",
        "probs": "probabilities of the labels, in their order", "text": "what was written, where a suite is answered in words",
    },
    "evidence": {
        "view": "what was shown: image is the sample as it is", "view_key": "identity of the view",
        "label_logits": "log-sum-exp over the spellings of each label", "label_mass": "probability of all labels together",
        "spelling_ids": "token of each spelling", "spelling_of": "place of its label", "spelling_logits": "its logit",
        "top_ids": "the likeliest tokens", "top_logits": "their logits",
        "at_main": "this view's logits at the main view's top_ids", "lse": "log-sum-exp of the whole row",
        "lse_temperatures": "temperatures at which it was taken too", "lse_shifted": "the log-sum-exp at each of them",
        "vocab_size": "length of the whole row",
    },
    "samples": {
        "cluster": "samples of one cluster (questions about one image) are not independent", "question": "what is asked",
        "options": "the texts of the options", "images": "files in folder/images", "groups": "groups that are reported apart",
        "folder": "where the suite lies",
    },
    "published_figures": {
        "source": "the paper", "place": "table, figure or file in it", "certainty": "printed, released data, quoted or digitised",
        "note": "what to know about the figure",
    },
}  # fmt: skip


def document(connection: duckdb.DuckDBPyConnection) -> None:
    """Puts the comments into the catalog of a connection that has the views."""
    statements = [f"COMMENT ON VIEW {view} IS {quoted(text)};" for view, text in VIEWS.items()]
    for view, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal"
    ).fetchall():
        text = COLUMNS.get(view, {}).get(column) or SHARED[column]
        statements.append(f'COMMENT ON COLUMN {view}."{column}" IS {quoted(text)};')
    connection.execute("\n".join(statements))


def schema(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """view, column, type, meaning: of every column, and of every macro under the view `macro`."""
    columns = frame(
        connection.execute(
            "SELECT table_name AS view, column_name AS column, data_type AS type, comment AS meaning FROM duckdb_columns() "
            "WHERE schema_name = 'main' AND NOT internal ORDER BY view, column_index"
        )
    )
    macros = [{"view": "macro", "column": call, "type": None, "meaning": text} for call, text in DESCRIPTIONS.items()]
    return pl.concat([columns, pl.DataFrame(macros, schema=columns.schema)])
