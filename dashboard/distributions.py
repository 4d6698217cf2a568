"""What the page Samples draws of one sample: the model's words under every view, and every method's answer."""

from __future__ import annotations

from typing import Any

import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st

from mmplat import leaderboard
from mmplat.leaderboard import pages

Row = dict[str, Any]
RIGHT, WRONG = "✓", "✗"
MARKS = pl.when(pl.col("correct")).then(pl.lit(RIGHT)).when(pl.col("correct").not_()).then(pl.lit(WRONG))


def parts(rows: list[Row], labels: list[str]) -> pl.DataFrame:
    """Rows of a stacked bar: each share with its middle, where its number stands."""
    found = []
    for row in rows:
        left = 0.0
        for position, (label, share) in enumerate(zip(labels, row["shares"], strict=True)):
            detail = row["details"][position] if row.get("details") else row["detail"]
            found.append((row["row"], label, share, position, left + share / 2, detail))
            left += share
    schema = ["row", "label", "share", "position", "middle", "detail"]
    return pl.DataFrame(found, schema=schema, orient="row")


def marked(name: str, answer: Row) -> str:
    return f"{RIGHT if answer['correct'] else WRONG} {name}"


def verdict(answer: Row) -> str:
    return f"answers {answer['answer'] or charts.NO_LABEL}: {'right' if answer['correct'] else 'wrong'}"


def show_views(run: Row, sample: Row) -> None:
    st.subheader("Under every view", anchor=False)
    evidence = shared.read(
        leaderboard.evidence_of, run["model"], run["suite"], sample["sample_id"], run["campaign"]
    ).filter(pl.col("model_key") == run["model_key"], pl.col("sample_key") == sample["sample_key"])
    if evidence.is_empty():
        st.info("No evidence of this sample is stored. `mmplat ask` gathers it.")
        return
    # One name with two keys is one kind of view in two versions.
    twins = set(evidence.filter(pl.col("view").is_duplicated())["view"])
    rows = [
        {
            "row": f"{each['view']} {each['view_key'][:4] if each['view'] in twins else ''}({each['label_mass']:.2f})",
            "shares": each["probs"],
            "details": [f"logit {logit:.3f}, mass of all labels {each['label_mass']:.3f}" for logit in each["label_logits"]],
        }
        for each in evidence.to_dicts()
    ]  # fmt: skip
    names = [row["row"] for row in rows]
    chart = charts.distributions(
        parts(rows, sample["labels"]), rows=names, labels=sample["labels"], title="probability among the labels",
        gold=sample["gold"],
    )  # fmt: skip
    drawing.draw(chart)
    st.caption("In brackets: the mass of all labels, which is the probability that the model says one of them at all.")
    table = evidence.select("view", "label_mass", "margin", "near_tie", *label_columns(sample["labels"]))
    listing.aside(table, f"views-{run['model']}-{sample['sample_id']}")


def show_methods(run: Row, sample: Row) -> None:
    st.subheader("Answers of all methods", anchor=False)
    answers = shared.read(
        leaderboard.answers, run["campaign"], run["model"], run["suite"], sample_id=sample["sample_id"]
    ).filter(pl.col("decoding") == run["decoding"])
    order = shared.axis(shared.read(pages.axes, run["campaign"]), "methods")
    answers = answers.sort(
        pl.col("method").replace_strict(order, range(len(order)), default=None), "seed", nulls_last=True
    )
    decided = answers.filter(pl.col("probs").list.len() > 0)
    several = decided["seed"].n_unique() > 1
    twins = set(decided.filter(pl.col("method").is_duplicated())["method"])
    labels = [*sample["labels"], charts.NO_LABEL]
    rows = [
        {
            "row": marked(
                f"{each['method']} · seed {each['seed']}" if each["method"] in twins else each["method"], each
            ),
            "shares": [*each["probs"], each["p_other"]],
            "detail": verdict(each),
        }
        for each in decided.to_dicts()
    ]
    if rows:
        names = [row["row"] for row in rows]
        chart = charts.distributions(
            parts(rows, labels), rows=names, labels=labels, title="probability of each answer", gold=sample["gold"]
        )
        drawing.draw(chart)
    table = answers.select(
        "method", "seed", "answer", MARKS.alias("right"), *label_columns(sample["labels"]),
        pl.col("p_other").alias(f"p({charts.NO_LABEL})"), "error",
    )  # fmt: skip
    dull = [name for name, varies in (("seed", several), ("error", answers["error"].count() > 0)) if not varies]
    table = table.drop(dull)
    st.caption("Under the decoding chosen above; ✓ is right, ✗ is wrong.")
    listing.aside(table, f"answers-{run['model']}-{sample['sample_id']}-{run['decoding']}")


def label_columns(labels: list[str]) -> list[pl.Expr]:
    return [pl.col("probs").list.get(at, null_on_oob=True).alias(f"p({label})") for at, label in enumerate(labels)]
