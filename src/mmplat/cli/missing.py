"""What a campaign lacks, in words: for `publish` and `rank`, which take what is there."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 10


def not_decided(missing: Sequence[str], pairs: int) -> str:
    """Of the pairs of a plan, those that nobody has decided."""
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return f"{len(missing)} of {pairs} pairs are not decided yet: {'; '.join(missing[:SHOWN])}{more}"
