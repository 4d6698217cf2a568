"""The frame around the pages: page list, errors in words, and what to do while there is nothing to show.

`streamlit run dashboard/app.py` opens it. A page is a file below screens/ that reads through
`shared.read` alone. The folder is not called pages: Streamlit would run what it finds there without this frame, when the
first reader of a fresh server asks for /grid.
"""

import shared
import streamlit as st

TIGHT = "<style>.stMainBlockContainer {padding-top: 4rem; padding-bottom: 2rem}</style>"

st.set_page_config(page_title="mmplat", layout="wide")
st.html(TIGHT)
# No icons on pages: the browser would fetch the one of the open page from a font server, as its favicon.
page = st.navigation(
    [
        st.Page("screens/leaderboard.py", title="Leaderboard", default=True),
        st.Page("screens/grid.py", title="Grid", url_path="grid"),
        st.Page("screens/samples.py", title="Samples", url_path="samples"),
    ],
    position="top",
)
with shared.address(), shared.errors_in_words():
    if shared.has_runs():
        page.run()
    else:
        shared.say_how_to_begin()
