"""SQL: ask the results anything, read-only, within limits of time and memory; draw and take home what is found."""

from __future__ import annotations

import altair as alt
import charts
import drawing
import listing
import polars as pl
import shared
import streamlit as st

from mmplat.errors import MmplatError
from mmplat.leaderboard.documented import schema

EXAMPLES = {
    "The leaderboard": "FROM leaderboard ORDER BY campaign, suite, rank LIMIT 100",
    "What each method gains over naive": """SELECT l.model, l.suite, l.method, avg(l.value - naive.value) AS gain
FROM leaderboard AS l JOIN leaderboard AS naive USING (campaign, model, suite, decoding, seed)
WHERE naive.method = 'naive' AND l.method <> 'naive'
GROUP BY ALL ORDER BY gain DESC""",
    "Accuracy in ten steps of confidence": """SELECT floor(list_max(probs) * 10) / 10 AS confidence,
       avg(correct::INT) AS accuracy, count(*) AS n
FROM predictions JOIN runs USING (run_id)
WHERE method = 'naive' AND answer IS NOT NULL
GROUP BY 1 ORDER BY 1""",
    "Samples that every method gets wrong": """SELECT model, suite, sample_id, any_value(gold) AS gold,
       max(p_correct) AS best_p_correct
FROM predictions GROUP BY model, suite, sample_id
HAVING bool_and(NOT correct) ORDER BY best_p_correct LIMIT 50""",
    "Answers without the image": """SELECT model, suite, answer_of(softmax(label_logits), labels) AS answer, count(*) AS times
FROM evidence WHERE view = 'none'
GROUP BY ALL ORDER BY model, suite, times DESC""",
    "What sharing forward passes saved": """SELECT campaign, forwards, forwards_cell_by_cell,
       forwards_cell_by_cell / forwards AS times
FROM campaigns""",
}
NOTHING = "–"
LEGEND = 40  # names that a legend lists
KINDS = {"bars": alt.Chart.mark_bar, "points": alt.Chart.mark_point, "line": alt.Chart.mark_line}


def show() -> None:
    shared.prepare_to_ask()
    st.selectbox("Example", [NOTHING, *EXAMPLES], key="example", on_change=take_example)
    # Whoever follows a link sees its query here. It runs after a click in this session, and never because of an address.
    with st.form("query", border=False):
        sql = shared.choose_text("Query", "sql", placeholder="FROM leaderboard LIMIT 10", lines=8)
        is_asked = st.form_submit_button("Run", type="primary", shortcut="Ctrl+Enter")
    limits = shared.LIMITS
    st.caption(
        f"Read-only; no file outside the results; at most {limits.seconds:g} s, {limits.memory_gb:g} GB of memory, "
        f"{limits.rows:,} rows and {limits.answer_mb:g} MB. The query is in the address: a copied address brings it back, and "
        "runs nothing before Run is pressed."
    )
    if is_asked and sql.strip():
        st.session_state["answered"] = sql, answer_of(sql)
    answered, answer = st.session_state.get("answered", ("", None))
    if answer is not None and answered == sql:
        tell(answer)
    with st.expander("Views, columns and macros", icon=":material/schema:"):
        st.dataframe(
            shared.read(schema), hide_index=True, column_config={"meaning": listing.words("meaning", width="large")}
        )


def take_example() -> None:
    """Puts the chosen example where queries are typed."""
    text = EXAMPLES.get(st.session_state["example"])
    if text is not None:
        st.session_state["choose sql"] = text


def answer_of(sql: str) -> pl.DataFrame | MmplatError:
    try:
        with st.spinner("Running"):
            return shared.ask(sql)
    except MmplatError as error:
        return error


def tell(answer: pl.DataFrame | MmplatError) -> None:
    if isinstance(answer, MmplatError):
        st.error("The query was not answered.", icon=":material/error:")
        # All letters have one width: DuckDB points at the place with a sign below it.
        st.code(str(answer), language=None, wrap_lines=True)
        return
    if answer.is_empty():
        st.info("The query finds no row.")
        return
    if answer.height == shared.LIMITS.rows:
        st.info(f"These are the first {shared.LIMITS.rows:,} rows.")
    listing.show(answer, "query")
    draw(answer)


def draw(rows: pl.DataFrame) -> None:
    """A chart of two columns, and of a third as colour, where the result has a number."""
    numbers = [name for name, kind in rows.schema.items() if kind.is_numeric()]
    plain = [name for name, kind in rows.schema.items() if not kind.is_nested()]
    if not numbers or len(plain) < 2:
        return
    with st.expander("Chart", icon=":material/bar_chart:"):
        with st.container(horizontal=True):
            y = shared.choose("Up", "y", numbers, default=numbers[-1])
            x = shared.choose("Across", "x", [name for name in plain if name != y])
            colour = shared.choose("Colour", "colour", [NOTHING, *[name for name in plain if name not in (x, y)]])
            kind = shared.choose("Kind", "kind", list(KINDS))
        drawing.draw(chart(rows.head(listing.LISTED), x, y, colour, kind))


def chart(rows: pl.DataFrame, x: str, y: str, colour: str, kind: str) -> alt.Chart:
    """Columns are renamed: Vega reads dots and brackets in their names."""
    renamed = {x: "across", y: "up"} | ({colour: "colour"} if colour != NOTHING else {})
    table = rows.select(list(renamed)).rename(renamed)
    type_ = "Q" if table["across"].dtype.is_numeric() and kind != "bars" else "N"
    encoded = KINDS[kind](alt.Chart(table)).encode(
        x=alt.X(f"across:{type_}", title=x, sort=None), y=alt.Y("up:Q", title=y),
        tooltip=[alt.Tooltip(f"{name}:N", title=title) for title, name in renamed.items()],
    )  # fmt: skip
    if colour == NOTHING:
        return encoded.encode(color=alt.value(charts.BLUE)).properties(height=360)
    names = table["colour"].cast(pl.String).fill_null("").unique(maintain_order=True).to_list()
    coloured = encoded.encode(color=charts.coloured("colour", names))
    return coloured.properties(height=360, usermeta=charts.palette(names[:LEGEND]))


show()
