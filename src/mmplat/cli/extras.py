"""Which extra of mmplat brings a package that is not installed, as mmplat's own metadata say."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires

REQUIREMENT = re.compile(r"""(?P<package>[\w.-]+).*extra\s*==\s*["'](?P<extra>[\w-]+)["']""")
EVERYTHING = "all"
"""The extra that repeats the others."""


def extra_of(module: str | None) -> str | None:
    """The extra whose packages hold `module`; None: it is no package of ours, and its absence a defect."""
    wanted = (module or "").partition(".")[0]
    try:
        said = [REQUIREMENT.match(line) for line in requires("mmplat") or ()]
    except PackageNotFoundError:  # run from a folder of sources
        return None
    found = {one["package"].replace("-", "_"): one["extra"] for one in said if one and one["extra"] != EVERYTHING}
    return found.get(wanted)
