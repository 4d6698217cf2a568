"""The frame around the pages: which pages there are, who may see them, errors in words, and what to do while there is nothing.

`python dashboard/serve.py` serves it. `streamlit run dashboard/app.py` would too, but without what `guard` keeps away.
A page is a file below screens/ that reads through `shared.read` and `shared.look` alone; its docstring begins with its title.
The folder is not called pages: Streamlit would run what it finds there without this frame, when the first reader of a fresh
server asks for /grid.
"""

import ast
from functools import cache
from pathlib import Path

import login
import shared
import streamlit as st

SECTIONS = {
    "": ("leaderboard", "grid", "compare", "samples"),
    "Why": ("profile", "debiasing", "decoding", "prior", "interference", "misleading"),
    "Lab": ("campaigns", "sql", "run", "review"),
}
"""The order of the pages that are there. A file that is named nowhere here stands last, under the last heading."""
WORKS_WHILE_EMPTY = ("campaigns", "review")
"""Pages that have something to say before anything is published."""
TIGHT = (
    "<style>.stMainBlockContainer {padding-top: 4rem; padding-bottom: 2rem}"
    "@media (max-width: 640px) {.stMainBlockContainer {padding-left: 1rem; padding-right: 1rem}}</style>"
)
SCREENS = Path(__file__).parent / "screens"


@st.cache_resource(show_spinner=False)
def docstring(path: str) -> str | None:
    """Of a page; parsed once, and not whenever this script runs."""
    return ast.get_docstring(ast.parse(Path(path).read_text(encoding="utf-8")))


@cache
def told() -> dict[str, tuple[str, str]]:
    """File → (title, what the page shows): what its docstring says before and after the first colon."""
    said = {path.stem: docstring(str(path)) for path in SCREENS.glob("*.py")}
    parts = {stem: (text or stem).partition(":") for stem, text in sorted(said.items())}
    return {stem: (title, shows.strip()) for stem, (title, _, shows) in parts.items()}


def registry() -> dict[str, list[st.Page]]:
    # No icons on pages: the browser would fetch the one of the open page from a font server, as its favicon.
    named = {stem for stems in SECTIONS.values() for stem in stems}
    sections = {heading: [stem for stem in stems if stem in told()] for heading, stems in SECTIONS.items()}
    sections["Lab"] += [stem for stem in told() if stem not in named]
    return {heading: [page(stem) for stem in stems] for heading, stems in sections.items() if stems}


def page(stem: str) -> st.Page:
    is_first = stem == SECTIONS[""][0]
    return st.Page(
        f"screens/{stem}.py",
        title=told()[stem][0],
        url_path=None if is_first else stem.replace("_", "-"),
        default=is_first,
    )


def head(title: str) -> None:
    """The same on every page: what it is called, and in one line what it shows."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(title, anchor=False)
        login.offer_logout()
    shows = dict(told().values())[title]
    st.caption(shows[:1].upper() + shows[1:])


st.set_page_config(page_title="mmplat", layout="wide")
st.html(TIGHT)
login.require()  # outside of everything that goes on after an error
chosen = st.navigation(registry(), position="top")
with shared.address(), shared.errors_in_words():
    if chosen.url_path in WORKS_WHILE_EMPTY or shared.has_runs():
        head(chosen.title)
        chosen.run()
    else:
        shared.say_how_to_begin()
