"""What the page Samples shows of one sample: its images, its question as the model reads it, and the same under conditions."""

from __future__ import annotations

import json
from typing import Any

import charts
import distributions
import drawing
import listing
import numpy as np
import polars as pl
import shared
import streamlit as st

from mmplat.errors import ArtifactError
from mmplat.leaderboard import pages
from mmplat.leaderboard.under_conditions import under_conditions

Row = dict[str, Any]
ENLARGED_PX = 320
ABREAST = 3
LONG, LONG_PX = 300, 220
"""Characters of a question that get a box of this height to scroll in, so that conditions stand abreast."""
AS_IT_IS = "as it is"


def show_images(sample: Row) -> None:
    for name in sample["images"] or []:
        try:
            small = pages.picture(str(sample["folder"]), name)
        except ArtifactError as error:
            st.warning("The image cannot be shown.", icon=":material/broken_image:")
            st.text(str(error))
        else:
            st.image(enlarged(small))
    if not sample["images"]:
        st.info("This sample has no image.")


def enlarged(picture: np.ndarray) -> np.ndarray:
    """Whole pixels, repeated: a 32 × 32 picture would be a blur otherwise. A picture that is large enough is as it is."""
    times = max(1, ENLARGED_PX // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def show_question(sample: Row, sample_id: str) -> None:
    """Literally: a question may hold Markdown, LaTeX or HTML, and is shown as the model reads it."""
    st.caption("Question")
    shared.verbatim(sample["question"], key="question")
    gold = ["✓" if label == sample["gold"] else "" for label in sample["labels"]]
    answers = pl.DataFrame({"label": sample["labels"], "gold": gold}, schema={"label": pl.String, "gold": pl.String})
    if len(sample["options"]) == len(sample["labels"]):
        answers.insert_column(1, pl.Series("option", sample["options"], dtype=pl.String))
    if answers.height:
        st.dataframe(answers, hide_index=True, width="content")
    groups = "  ·  ".join(f"{name}: {value}" for name, value in json.loads(sample["groups"]).items())
    st.text("  ·  ".join(part for part in (groups, f"sample: {sample_id}") if part))


def show_conditions(run: Row, sample_id: str) -> None:
    """The same sample as it is and under every condition that the grid gave it, with this cell's answer to each."""
    cell = {part: run[part] for part in ("model", "method", "decoding")}
    rows = shared.read(under_conditions, run["campaign"], run["suite"], sample_id, **cell).to_dicts()
    if len(rows) < 2:
        return
    st.subheader("Under every condition", anchor=False)
    for at in range(0, len(rows), ABREAST):
        for place, row in zip(st.columns(ABREAST, gap="medium"), rows[at : at + ABREAST], strict=False):
            with place.container(border=True):
                show_condition(row, rows[0])
    draw_answers([row for row in rows if row["probs"]], f"conditions-{run['model']}-{run['method']}-{sample_id}")


def show_condition(row: Row, unchanged: Row) -> None:
    """Images only where they are others: their names are their content."""
    st.text(row["condition"] or AS_IT_IS)
    if row["images"] != unchanged["images"]:
        show_images(row)
    shared.verbatim(row["question"], height=LONG_PX if len(row["question"]) > LONG else "content")
    if row["run_id"] is None:
        st.caption("Not answered by this method and decoding.")
    else:
        st.text(f"{distributions.verdict(row)} (gold {row['gold']})")


def draw_answers(rows: list[Row], name: str) -> None:
    """Only where all have the same labels: conditions change what is shown, not what may be answered."""
    if not rows or len({tuple(row["labels"]) for row in rows}) > 1:
        return
    labels = [*rows[0]["labels"], charts.NO_LABEL]
    drawn = [
        {
            "row": distributions.marked(row["condition"] or AS_IT_IS, row),
            "shares": [*row["probs"], row["p_other"]],
            "detail": distributions.verdict(row),
        }
        for row in rows
    ]
    parts = distributions.parts(drawn, labels)
    names = [row["row"] for row in drawn]
    drawing.draw(charts.distributions(parts, rows=names, labels=labels, title="probability of each answer"))
    table = pl.DataFrame(rows, infer_schema_length=None).select(
        pl.col("condition").replace("", AS_IT_IS).fill_null(AS_IT_IS), "gold", "answer", distributions.MARKS.alias("right"),
        *distributions.label_columns(labels[:-1]), pl.col("p_other").alias(f"p({charts.NO_LABEL})"),
    )  # fmt: skip
    listing.aside(table, name)
