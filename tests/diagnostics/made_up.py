"""Made-up answers and evidence."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmplat.evidence.rows import Rows


def label_rows(logits: Any) -> Rows:
    """Evidence of which only the label logits matter."""
    labels = np.asarray(logits, float)
    n = len(labels)
    empty, zero = np.zeros((n, 0)), np.zeros(n)
    return Rows(
        present=np.ones(n, bool), label_logits=labels, spelling_ids=empty.astype(np.int32),
        spelling_of=empty.astype(np.int16), spelling_logits=empty, top_ids=empty.astype(np.int32), top_logits=empty,
        at_main=None, lse=zero, lse_temperatures=(), lse_shifted=empty, vocab_size=np.full(n, 2, np.int32), margin=zero,
        near_tie=np.zeros(n, bool), seconds=zero,
    )  # fmt: skip


def surely(said: Any) -> np.ndarray[Any, Any]:
    """One-hot answers: 0 is yes, 1 is no."""
    return np.eye(2)[np.asarray(said)]
