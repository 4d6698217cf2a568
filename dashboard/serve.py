"""`streamlit run dashboard/app.py` for a lab: what the first reader would wait for is done before the server listens.

`python dashboard/serve.py [--server.port 8501 …]` takes what `streamlit run` takes.
"""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path

HERE = Path(__file__).parent
APP = HERE / "app.py"
LOADED = ("charts", "distributions", "listing", "run_parts", "sample_parts", "why")
"""Modules that some page imports, with all that they import."""


def main() -> None:
    # Streamlit looks for .streamlit/config.toml in the working folder, and puts the script's folder on the path.
    sys.path.insert(0, str(HERE))
    warm()
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    cli.main()


def warm() -> None:
    """Imports what any page needs, and makes the first page once, without a browser: what it read and computed stays."""
    for name in LOADED:
        importlib.import_module(name)
    from streamlit.testing.v1 import AppTest

    logging.getLogger("streamlit").setLevel(logging.ERROR)  # it would warn that there is no server yet
    AppTest.from_file(str(APP), default_timeout=600).run()


if __name__ == "__main__":
    main()
