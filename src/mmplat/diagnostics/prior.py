"""What does a model answer before it has seen anything? The likeliest answers under each kind of empty input.

An answer is the first token as text, without surrounding blanks and in lower case; spellings are summed. Means and standard
deviations are over questions (LLaVA-Align §3.1). Of each row the likeliest 256 tokens are kept, or all; a token that is not among
them counts as 0, and `untold` is the mean probability of all tokens that are not.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from mmplat.diagnostics.base import Diagnostic, title_of
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Measured
from mmplat.errors import IncompatibleCell
from mmplat.evidence.files import read_rows
from mmplat.evidence.tokens import read_tokens
from mmplat.records import ViewSpec


def measure(pair: Measured, *, top: int = 15, views: tuple[str, ...] = ()) -> pl.DataFrame:
    specs = _views(pair, views)
    rows = read_rows(pair.evidence_folder, specs, [s.sample_key for s in pair.samples])
    if rows.is_empty():
        raise IncompatibleCell("none of its rows without an image is stored")
    said = _texts(pair, rows)
    per_row = said.group_by("view", "sample_key", "answer").agg(pl.col("p").sum())
    n = rows.group_by("view").agg(pl.len().alias("n"))
    mean = pl.col("p").sum() / pl.col("n").first()
    square = (pl.col("p") ** 2).sum() / pl.col("n").first()
    untold = (
        said.group_by("view", "sample_key").agg((1 - pl.col("p").sum()).alias("p"))
        .group_by("view").agg(pl.col("p").mean().clip(0, 1).alias("untold"))
    )  # fmt: skip
    found = (
        per_row.join(n, on="view")
        .group_by("view", "answer")
        .agg(mean.alias("mean"), (square - mean**2).clip(0).sqrt().alias("sd"), pl.col("n").first())
        .join(untold, on="view")
    )
    return _likeliest(found, [view.name for view in specs], top)


def _views(pair: Measured, names: tuple[str, ...]) -> list[ViewSpec]:
    """The empty inputs that were asked, or those that are named."""
    there = {view.name: view for view in (pair.empty_inputs if not names else pair.pair.views)}
    missing = [name for name in names if name not in there]
    if missing or not there:
        what = f"view {', '.join(missing)} was not asked" if missing else "no view without its image was asked"
        raise IncompatibleCell(f"{what}: add `views: [{', '.join(missing) or 'none, zero'}]` to the grid and ask")
    return [there[name] for name in names] if names else list(there.values())


def _texts(pair: Measured, rows: pl.DataFrame) -> pl.DataFrame:
    """One row per (view, sample, kept token): what it says, and its probability."""
    known = read_tokens(pair.evidence_folder)
    texts = pl.DataFrame(
        {"token": list(known), "text": list(known.values())}, schema={"token": pl.Int32, "text": pl.String}
    )
    tokens = rows.select(
        "view", "sample_key", "labels", "lse", pl.col("label_tokens").is_not_null().alias("whole"),
        pl.col("top_ids").alias("token"), pl.col("top_logits").alias("logit"),
    ).explode("token", "logit", empty_as_null=False)  # fmt: skip
    # A row of labels scored as continuations holds places of labels instead of tokens.
    text = pl.when("whole").then(pl.col("labels").list.get(pl.col("token"), null_on_oob=True)).otherwise("text")
    plain = text.str.strip_chars(" \t\n▁Ġ").str.to_lowercase()
    unnamed = pl.format("#{}", pl.col("token"))
    return tokens.join(texts, on="token", how="left").select(
        "view",
        "sample_key",
        pl.when(plain.is_null() | (plain == "")).then(unnamed).otherwise(plain).alias("answer"),
        (pl.col("logit").cast(pl.Float64) - pl.col("lse")).exp().alias("p"),
    )


def _likeliest(found: pl.DataFrame, views: list[str], top: int) -> pl.DataFrame:
    """The `top` answers by their mean over the kinds of input, every kind of them."""
    each = pl.DataFrame({"view": views, "place": np.arange(len(views))})
    ranked = (
        found.group_by("answer").agg((pl.col("mean").sum() / len(views)).alias("overall"))
        .sort("overall", "answer", descending=[True, False]).head(top).with_row_index("rank", offset=1)
    )  # fmt: skip
    # An answer that no row of one kind of input keeps has no row there: it is 0.
    about = found.select("view", "n", "untold").unique()
    return (
        ranked.join(each, how="cross")
        .join(about, on="view")
        .join(found.drop("n", "untold"), on=["view", "answer"], how="left")
        .sort("rank", "place")
        .select("rank", "answer", "view", pl.col("mean", "sd").fill_null(0.0), "n", "untold")
    )


def panels(rows: pl.DataFrame) -> list[Panel]:
    series = [
        Series(
            str(view),
            [Point(r["answer"], r["mean"], max(r["mean"] - r["sd"], 0), r["mean"] + r["sd"]) for r in own.to_dicts()],
        )
        for (view,), own in rows.partition_by("view", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series)]


DIAGNOSTIC = Diagnostic("prior", 1, measure, panels, x="answer", y="mean probability ± sd over questions")
