"""`streamlit run dashboard/app.py` for a lab: what the first reader would wait for is loaded before the server listens.

`python dashboard/serve.py [--server.port 8501 …]` takes what `streamlit run` takes.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOADED = ("charts", "distributions", "listing", "run_parts", "sample_parts", "why")
"""Modules that some page imports, with all that they import."""


def main() -> None:
    # Streamlit looks for .streamlit/config.toml in the working folder, and puts the script's folder on the path.
    sys.path.insert(0, str(HERE))
    warm()
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(HERE / "app.py"), *sys.argv[1:]]
    cli.main()


def warm() -> None:
    for name in LOADED:
        importlib.import_module(name)
    import shared

    from mmplat.errors import MmplatError

    try:
        shared.open_store()
    except MmplatError as error:  # the page says it in words
        print(f"mmplat: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
