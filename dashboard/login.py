"""Who may see the pages: everybody who reaches the server, unless its file of secrets names an OpenID Connect provider; then those
who log in there.

A file that is named and cannot be used lets nobody in: a slip in its path must not open the results to everyone.
"""

from __future__ import annotations

import logging
from pathlib import Path

import shared
import streamlit as st
from streamlit import config
from streamlit.errors import StreamlitAuthError, StreamlitSecretNotFoundError

from mmplat.errors import ConfigError

FAILED = "login failed"


def require() -> None:
    """Ends the page unless its reader may see it."""
    try:
        if not has_provider() or is_logged_in():
            return
    except (StreamlitSecretNotFoundError, ConfigError, OSError) as error:
        _tell_the_terminal(error)
        st.error("Nobody is let in: the settings of the login cannot be used. The terminal of the server says why.")
        st.stop()
    st.header("mmplat", anchor=False)
    st.write("These results are for those who log in.")
    st.button("Log in", on_click=_log_in, icon=":material/login:")
    if st.session_state.pop(FAILED, False):
        st.error("The login could not begin. The terminal of the server says why.")
    st.stop()


def has_provider() -> bool:
    """Whether a file of secrets has a section `auth`; a file that someone named must have one."""
    files, named = config.get_option("secrets.files"), config.is_manually_set("secrets.files")
    try:
        found = "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        if named or any(Path(each).exists() for each in files):
            raise
        return False
    if named and not found:
        raise ConfigError(
            f"{', '.join(files)} has no section [auth], which names the provider of the login. Write it "
            "(docs/dashboard.md), or start the dashboard without naming a file of secrets."
        )
    return found


def is_logged_in() -> bool:
    return bool(st.user.get("is_logged_in", False))


def name() -> str | None:
    """What the provider calls whoever is logged in."""
    if not is_logged_in():
        return None
    return str(st.user.get("email") or st.user.get("name") or st.user.get("sub"))


def offer_logout() -> None:
    who = name()
    if who is not None:
        st.button("Log out", on_click=st.logout, icon=":material/logout:", help=f"Logged in as {shared.literal(who)}")


def _log_in() -> None:
    try:
        st.login()
    except StreamlitAuthError as error:  # a setting is missing, or Authlib is
        _tell_the_terminal(error)
        st.session_state[FAILED] = True


def _tell_the_terminal(error: Exception) -> None:
    """Strangers read no path and no setting."""
    logging.getLogger("mmplat.dashboard").error("Nobody can log in: %s", error)
