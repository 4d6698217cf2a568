"""`streamlit run dashboard/app.py` for a lab: what the first reader would wait for is done before the server listens.

`python dashboard/serve.py [--server.port 8501 …]` takes what `streamlit run` takes.
"""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path

import streamlit as st
from guard import SameOrigin
from starlette.middleware import Middleware
from streamlit import config, logger

APP = Path(__file__).with_name("app.py")
LOADED = ("charts", "distributions", "listing", "run_parts", "sample_parts", "why")
"""Modules that some page imports, with all that they import."""
WITHIN_S = 600
"""How long the first page may take: as long as reading the largest store does."""


def warm() -> None:
    """Imports what any page needs, and makes the first page once, without a browser: what it read and computed stays."""
    for name in LOADED:
        importlib.import_module(name)
    from streamlit.testing.v1 import AppTest

    AppTest.from_file(str(APP), default_timeout=WITHIN_S).run()
    # Streamlit collects garbage after every run of a page: what was made so far is none, and is never looked at again.
    gc.freeze()


def main() -> None:
    # Streamlit puts this folder on the path, reads the options and .streamlit/config.toml here, imports this file by its name, and
    # serves the `app` that it finds.
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", __file__, *sys.argv[1:]]
    cli.main()


if __name__ == "__main__":
    main()
else:
    logger.set_log_level("ERROR")  # it would warn that there is no server yet
    warm()
    logger.set_log_level(config.get_option("logger.level").upper())
app = st.App(str(APP), middleware=[Middleware(SameOrigin)])
