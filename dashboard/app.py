"""The frame around the pages: page list, errors in words, and what to do while there is nothing to show.

`streamlit run dashboard/app.py` opens it. A page is a file below pages/ that reads through `shared.read` alone.
"""

import shared
import streamlit as st

st.set_page_config(page_title="mmplat", layout="wide")
page = st.navigation(
    [
        st.Page("pages/leaderboard.py", title="Leaderboard", icon=":material/leaderboard:", default=True),
        st.Page("pages/grid.py", title="Grid", icon=":material/grid_on:", url_path="grid"),
        st.Page("pages/samples.py", title="Samples", icon=":material/image_search:", url_path="samples"),
    ],
    position="top",
)
with shared.address(), shared.errors_in_words():
    if shared.has_runs():
        page.run()
    else:
        shared.say_how_to_begin()
