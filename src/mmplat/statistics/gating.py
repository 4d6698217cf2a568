"""A gate: is a candidate at most a margin worse than a baseline?"""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What an interval of candidate − baseline says about a margin."""

    GO = "GO"
    NO_GO = "NO-GO"
    INCONCLUSIVE = "INCONCLUSIVE"


def verdict(low: float, high: float, margin: float) -> Verdict:
    """GO: the whole interval lies above −margin; NO-GO: all of it below; else more samples are needed.

    With a 95 % interval each of the two wrong verdicts has a chance of about 2.5 %.
    """
    if low >= -margin:
        return Verdict.GO
    return Verdict.NO_GO if high < -margin else Verdict.INCONCLUSIVE  # an interval of NaN decides nothing
