"""Says in one line what is wrong with an interpreter, before pip says it in forty."""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        f"mmplat needs Python 3.11, 3.12 or 3.13; {sys.executable} is {sys.version.split()[0]}. "
        "Run `make PYTHON=python3.12 …` with one that is installed."
    )
