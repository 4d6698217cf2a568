"""Review: accept, edit or reject the items that a benchmark was built of; the one page that writes, and only decisions."""

from __future__ import annotations

from typing import Any

import login
import numpy as np
import polars as pl
import sample_parts
import shared
import streamlit as st

from mmplat.building.items import LETTERS, Item
from mmplat.building.reviews import Reviews
from mmplat.building.stages import builds, open_build
from mmplat.errors import ArtifactError, ConfigError

WAITING, REJECTED, DECIDED = "waiting", "rejected by the checks", "decided"


def show() -> None:
    names = builds(shared.results())
    if not names:
        st.info("No benchmark is being built in this results folder.")
        st.code("mmplat spubench build", language="sh")
        return
    with st.container(horizontal=True):
        name = shared.choose("Build", "build", names)
        listed = shared.choose("Items", "items", [WAITING, REJECTED, DECIDED])
        who = login.name() or shared.choose_text("Your name", "who", placeholder="a decision needs a name")
    reviews = Reviews(open_build(shared.results(), name))
    standing = reviews.standing()
    items = items_of(reviews, listed)
    st.caption(f"{len(reviews.pending()):,} items wait, {len(reviews.rejected()):,} were rejected by the checks, "
               f"{len(standing):,} are decided.")  # fmt: skip
    if not items:
        st.info("No item is left here." if listed == WAITING else "There is no such item.")
        return
    item = step_through(items)
    left, right = st.columns([1, 2], gap="large")
    with left:
        show_image(reviews, item)
    with right:
        show_item(item)
        decide(reviews, item, who)
    show_history(reviews, item)


def items_of(reviews: Reviews, listed: str) -> list[Item]:
    if listed == DECIDED:
        standing = reviews.standing()
        return [item for item in reviews.items() if item.item_id in standing]
    return reviews.pending() if listed == WAITING else reviews.rejected()


def step_through(items: list[Item]) -> Item:
    """A decided item leaves the list of those that wait, so the next one takes its place."""
    ids = [item.item_id for item in items]
    asked = shared.from_address("item")
    if asked is not None:
        st.session_state["item"] = ids.index(asked[0]) if asked[0] in ids else 0
    position = min(st.session_state.get("item", 0), len(ids) - 1)
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, icon, key, to in (
            ("Previous", "left", "Left", position - 1),
            ("Next", "right", "Right", position + 1),
        ):
            st.button(
                label,
                icon=f":material/chevron_{icon}:",
                disabled=not 0 <= to < len(ids),
                on_click=_go,
                args=(to,),
                shortcut=key,
            )
        st.text(f"{position + 1:,} of {len(ids):,} · {ids[position]}")
    shared.keep("item", ids[position])
    return items[position]


def _go(position: int) -> None:
    st.session_state["item"] = position


def show_image(reviews: Reviews, item: Item) -> None:
    from PIL import Image

    try:
        with Image.open(reviews.picture(item)) as opened:
            st.image(sample_parts.enlarged(np.asarray(opened.convert("RGB"))))
    except (ArtifactError, OSError) as error:
        st.warning("The image cannot be shown.", icon=":material/broken_image:")
        st.text(str(error))
    known = reviews.build.spec.names
    image = item.about.image
    st.text(f"is {', '.join(known(image.label))}\nwas taken for {', '.join(known(image.predicted))}")


def show_item(item: Item) -> None:
    shared.verbatim(item.question)
    options = [(letter, one.text, one.role, one.type) for letter, one in zip(LETTERS, item.options, strict=True)]
    table = pl.DataFrame(options, schema=["letter", "option", "role", "type"], orient="row")
    st.dataframe(table, hide_index=True, column_config={"option": st.column_config.TextColumn(width="medium")})
    if item.reasons:
        st.warning("The checks rejected it:", icon=":material/rule:")
        st.text("\n".join(item.reasons))


def decide(reviews: Reviews, item: Item, who: str) -> None:
    """Whoever decides has a name: the history stays with it."""
    note = st.text_input("Note", key=f"note {item.key}")
    with st.container(horizontal=True):
        for verdict, icon in (("accept", "check"), ("reject", "close")):
            if st.button(
                verdict.capitalize(), icon=f":material/{icon}:", disabled=not who, key=f"{verdict} {item.key}"
            ):
                keep(reviews, item, verdict, who=who, note=note)
    with st.expander("Edit", icon=":material/edit:"), st.form(f"edit {item.key}", border=False):
        question = st.text_area("Question", item.question)
        options = [
            st.text_input(f"Option {letter}", one.text) for letter, one in zip(LETTERS, item.options, strict=True)
        ]
        if st.form_submit_button("Keep the edit", disabled=not who):
            keep(reviews, item, "edit", who=who, note=note, question=question, options=options)
    if not who:
        st.caption("Give your name above to decide.")


def keep(reviews: Reviews, item: Item, verdict: Any, **said: Any) -> None:
    try:
        reviews.decide(item.item_id, verdict, **said)
    except ConfigError as error:
        st.error("The decision was not kept.", icon=":material/error:")
        st.text(str(error))
    else:
        st.rerun()


def show_history(reviews: Reviews, item: Item) -> None:
    history = reviews.history(item.item_id)
    if history:
        st.subheader("Decisions", anchor=False)
        rows = [(one.when, one.who, one.verdict, one.note, one.question or "") for one in history]
        st.dataframe(
            pl.DataFrame(rows, schema=["when", "who", "verdict", "note", "question"], orient="row"), hide_index=True
        )


show()
