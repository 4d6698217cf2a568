"""What every page uses: cached reading, choices that live in the address, and errors in words.

A page is made in one way: choices from the address (`choose` and its kind), a table read once per version of the store
(`read`, `look`), a chart of it (`charts`), and the table itself with its downloads (`listing.show`).

Text from data or from the address is only ever shown by elements that take it literally (st.text, st.code, cells of
st.dataframe, options of st.selectbox): Streamlit reads most other strings as Markdown.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Literal

import duckdb
import polars as pl
import streamlit as st

from mmplat import artifacts, leaderboard
from mmplat.errors import ArtifactError, MmplatError, StoreError, UnknownName
from mmplat.leaderboard import pages, stored
from mmplat.leaderboard.console import Console
from mmplat.leaderboard.console_process import Limits
from mmplat.leaderboard.statements import QueryError

Version = tuple[Any, ...]
Read = Callable[..., Any]
DEFECT = "This page has a defect."
LIMITS = Limits()
NOT_OF_FILES = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
"""What DuckDB says of our SQL and not of a file: where the results are still the same, the page has a defect."""


# Reading ------------------------------------------------------------------------------------------------------------


def read(function: Read, *arguments: Any, **options: Any) -> Any:
    """`function(connection, …)` of mmplat.leaderboard; computed once per version of the store."""
    return _cached(_version(), named(function), arguments, tuple(sorted(options.items())), _function=function)


def look(function: Read, campaign: str, *arguments: Any) -> Any:
    """`function(results, campaign, …)` of mmplat.leaderboard.stored; read once per version of the campaign's diagnostics."""
    place = results()
    version = (str(place.root.resolve()), stored.stamp(place, campaign))
    return _looked(version, named(function), (campaign, *arguments), _function=function)


def named(function: Read) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def results() -> artifacts.Results:
    """MMPLAT_RESULTS, else ./results."""
    return artifacts.results()


def tolerant(function: Read, *arguments: Any) -> Any:
    """What cannot be read is a sentence, and the rest of the page goes on: None."""
    try:
        return function(*arguments)
    except MmplatError as error:
        st.warning("This part cannot be told.", icon=":material/warning:")
        st.text(str(error))
        return None


@st.cache_data(show_spinner=False, max_entries=100)
def _looked(version: Version, name: str, arguments: Any, *, _function: Read) -> Any:
    return _function(results(), *arguments)


@st.cache_data(show_spinner=False, max_entries=400)
def _cached(version: Version, name: str, arguments: Any, options: Any, *, _function: Read) -> Any:
    # A cursor of its own: two sessions must not fetch each other's rows from one connection.
    with closing(_connection(version).cursor()) as cursor:
        return _function(cursor, *arguments, **dict(options))


@st.cache_resource(show_spinner=False, max_entries=2)
def _connection(version: Version) -> duckdb.DuckDBPyConnection:
    return leaderboard.connect(results())


@st.cache_resource(show_spinner=False, max_entries=1)
def _console(root: str, store_url: str) -> Console:
    return Console(results(), LIMITS)


def prepare_to_ask() -> None:
    """Where somebody is about to type SQL: the results are read for it meanwhile."""
    root, store_url, version = _version()
    _console(root, store_url).prepare(version)


def ask(sql: str) -> pl.DataFrame:
    """SQL that a reader types, within LIMITS, in a process of its own: no page and no other reader shares anything with it."""
    root, store_url, version = _version()
    try:
        return _console(root, store_url).ask(sql, version)
    except QueryError as error:
        if _version_now() == _version():
            raise
        raise QueryError(f"The results changed while they were read. Run the query again.\n{error}") from None


def _version() -> Version:
    """Of the results as the page found them when it began: all that it reads is of one moment."""
    version: Version = st.session_state["version"]
    return version


def _version_now() -> Version:
    return str(results().root.resolve()), os.environ.get("MMPLAT_STORE_URL", ""), pages.version_of(results())


# The address --------------------------------------------------------------------------------------------------------


@contextmanager
def address() -> Iterator[None]:
    """Around a page. What its choices chose is written into the address, once: every writing is a step of the browser's
    history."""
    st.session_state["chosen"] = {}
    st.session_state["version"] = _version_now()
    yield
    chosen: dict[str, list[str]] = st.session_state["chosen"]
    if chosen and chosen != {name: st.query_params.get_all(name) for name in st.query_params}:
        st.query_params.from_dict(chosen)
    st.session_state.setdefault("kept", {}).update(chosen)


def choose(
    label: str, name: str, options: Sequence[str], *, default: str | None = None, help: str | None = None
) -> str:
    """A select box whose value is shareable and goes along from page to page."""
    key = f"choose {name}"
    wanted = _from_address(label, name, options)
    known = [*(wanted or []), st.session_state.get(key), *_kept(name), default, options[0]]
    # Set whatever it was: a box with other options is another one for Streamlit, and would begin with the first of them.
    st.session_state[key] = next(value for value in known if value in options)
    value: str = st.selectbox(literal(label), options, key=key, help=help)
    keep(name, value)
    return value


def choose_some(label: str, name: str, options: Sequence[str], *, placeholder: str = "all") -> list[str]:
    """A shareable selection of several values; none means all."""
    key = f"choose {name}"
    wanted = _from_address(label, name, options)
    if wanted is not None:
        st.session_state[key] = wanted
    elif key not in st.session_state:
        st.session_state[key] = _kept(name)
    st.session_state[key] = [value for value in st.session_state[key] if value in options]
    values: list[str] = st.multiselect(label, options, key=key, placeholder=placeholder)
    keep(name, *values)
    return values


def choose_text(label: str, name: str, *, placeholder: str = "", lines: int = 1) -> str:
    """A shareable text of one line or of several; whatever it holds is taken literally."""
    key = f"choose {name}"
    wanted = from_address(name)
    if wanted is not None or key not in st.session_state:
        st.session_state[key] = (wanted or _kept(name) or [""])[0]
    if lines > 1:
        value: str = st.text_area(label, key=key, placeholder=placeholder, height=24 * lines)
    else:
        value = st.text_input(label, key=key, placeholder=placeholder)
    keep(name, *([value] if value else []))
    return value


def keep(name: str, *values: str) -> None:
    """Puts a value into the address; no value, and the name is left out of it."""
    if values:
        st.session_state["chosen"][name] = list(values)
    else:
        st.session_state.setdefault("kept", {}).pop(name, None)


def switch(label: str, name: str) -> bool:
    """A shareable yes or no; no, unless the address says otherwise."""
    key = f"choose {name}"
    if from_address(name) is not None or key not in st.session_state:
        st.session_state[key] = bool(from_address(name) or _kept(name))
    value: bool = st.toggle(label, key=key)
    keep(name, *(["yes"] if value else []))
    return value


def chosen() -> dict[str, list[str]]:
    """What this page has put into its address so far."""
    return dict(st.session_state["chosen"])


def from_address(name: str) -> list[str] | None:
    """Values that someone typed, followed or went back to; None where the page itself wrote them, or there are none."""
    values: list[str] = st.query_params.get_all(name)
    return values if values and values != _kept(name) else None


def _from_address(label: str, name: str, options: Sequence[str]) -> list[str] | None:
    values = from_address(name)
    for value in values or []:
        if value not in options:
            raise UnknownName(label.lower(), value, options, where=" in the address of this page")
    return values


def _kept(name: str) -> list[str]:
    """What the page wrote into the address last, under this name."""
    kept: list[str] = st.session_state.get("kept", {}).get(name, [])
    return kept


def verbatim(text: str, *, height: int | Literal["content"] = "content", key: str | None = None) -> None:
    """A question as the model reads it, in a box. `st.code` would first load what colours two hundred languages: a third of a
    second."""
    with st.container(border=True, height=height, key=key):
        st.text(text)


def literal(text: str) -> str:
    """Text from data where Streamlit knows Markdown alone: the label of a select box."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)  # Markdown escapes ASCII punctuation alone


def axis(axes: pl.DataFrame, name: str) -> list[str]:
    return axes.filter(pl.col("axis") == name)["name"].to_list()


def choose_campaign() -> str:
    known = read(leaderboard.campaigns).filter(pl.col("runs") > 0)["campaign"].to_list()
    return choose("Campaign", "campaign", pages.newest_first(results(), known))


def choose_metric(campaign: str, suite: str | None = None) -> str | None:
    """A metric that was measured on the suite, or on any; None where none was."""
    measured = read(pages.measured, campaign)
    if suite is not None:
        measured = measured.filter(pl.col("suite") == suite)
    known = measured["metric"].unique(maintain_order=True).to_list()
    if not known:
        st.info("No run of this suite has a metric.")
        return None
    return choose("Metric", "metric", known)


def link(page: str, label: str, **address: str | list[str]) -> None:
    """A link to another page in this state; what it does not name goes along as it was chosen."""
    st.page_link(f"screens/{page}.py", label=label, icon=":material/arrow_forward:", query_params=address)


def go(page: str, **address: str) -> None:
    st.session_state["chosen"] = {}
    st.switch_page(f"screens/{page}.py", query_params=address)


# Errors and emptiness -----------------------------------------------------------------------------------------------


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Errors of ours, and files that vanish while they are read, are sentences; a defect's traceback is for the terminal."""
    try:
        yield
    except UnknownName as error:
        explain("The address of this page names something that is not there.", str(error))
        st.button("Forget the address", on_click=_forget, icon=":material/restart_alt:")
    except StoreError as error:
        explain("The results store cannot be read.", str(error), "mmplat db check")
    except ArtifactError as error:
        explain("A file of the results is missing or broken.", str(error))
    except MmplatError as error:
        explain("This page cannot be shown.", str(error))
    except duckdb.Error as error:
        if isinstance(error, NOT_OF_FILES) and _version_now() == _version():
            _explain_defect(error)
            return
        # Jobs replace files while pages read them; the next reading finds the new ones.
        _connection.clear()
        explain("The results changed or vanished while they were read. Reload this page.", str(error), "mmplat publish")
    except Exception as error:
        _explain_defect(error)


def _explain_defect(error: Exception) -> None:
    logging.getLogger("mmplat.dashboard").error("A page failed", exc_info=error)
    explain(DEFECT, f"{type(error).__name__}; its traceback is in the terminal that serves the dashboard.")


def explain(headline: str, message: str, command: str | None = None) -> None:
    """`headline` is ours; the message may hold anything, so it is shown literally."""
    st.session_state["chosen"] = {}  # the address stays as it is: half of it would hide what was wrong
    st.error(headline, icon=":material/error:")
    st.text(message)
    if command:
        st.code(command, language="sh")


def _forget() -> None:
    st.query_params.clear()
    st.session_state.pop("kept", None)


def has_runs() -> bool:
    return bool(read(leaderboard.campaigns)["runs"].sum())


def say_how_to_begin() -> None:
    """The first thing that a new user sees: which command is the next one."""
    place = results()
    st.header("Nothing is published yet")
    if not place.root.exists():
        st.warning("The results folder does not exist.", icon=":material/folder_off:")
        st.text(str(place.root.resolve()))
        st.write("Run the demo, or point `MMPLAT_RESULTS` at a results folder and start the dashboard again:")
        st.code("make demo\nMMPLAT_RESULTS=/path/to/results make dashboard", language="sh")
    elif names := pages.planned_only(place):
        st.info("Campaigns are planned or decided here, and the store holds no run of them:", icon=":material/info:")
        st.text(", ".join(names))
        st.write("Finish the campaign with Snakemake, or publish what is decided:")
        st.code(f"mmplat publish --results {shlex.quote(str(place.root.resolve()))}", language="sh")
    else:
        st.info("The results folder holds no campaign.", icon=":material/info:")
        st.text(str(place.root.resolve()))
        st.write("Run the demo, or a grid of your own:")
        st.code("make demo\nsnakemake --profile profiles/default --config grid=config/grid.yaml", language="sh")
    st.caption("Reload this page afterwards: it reads the store anew.")
