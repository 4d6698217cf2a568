"""Two answers to each sample, before and after something was changed: which changed, and into what. Pure, and general.

Answers are numbers of labels; NO_LABEL is an answer that says none. It is an answer like any other here: from a label to no label
is a change, from no label to no label is none, and neither is ever right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Answers = NDArray[np.int64]  # (sample,)
Mask = NDArray[np.bool_]  # (sample,)
NO_LABEL = -1


@dataclass(frozen=True, slots=True)
class Transitions:
    """Answers of equal samples before and after, and the right ones."""

    before: Answers
    after: Answers
    gold: Answers

    @property
    def changed(self) -> Mask:
        """δ_cp of each sample; its mean is the prediction-change rate."""
        return self.before != self.after

    @property
    def right_to_wrong(self) -> Mask:
        return (self.before == self.gold) & (self.after != self.gold)

    @property
    def wrong_to_right(self) -> Mask:
        return (self.before != self.gold) & (self.after == self.gold)

    @property
    def wrong_to_other(self) -> Mask:
        """From one wrong answer to another: accuracy does not see it."""
        return self.changed & (self.before != self.gold) & (self.after != self.gold)

    @property
    def half_parsed(self) -> Mask:
        """Changed because one of the two says no label."""
        return (self.before == NO_LABEL) != (self.after == NO_LABEL)
