"""Evidence as arrays: one `Rows` per view, aligned with the samples of a suite.

Ragged lists are padded: token ids with −1, logits with −inf, so that array maths needs no masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.records import ViewSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Next-token rows of one view of n samples. Rows of samples without evidence hold NaN and are False in `present`."""

    present: NDArray[np.bool_]  # (sample,)
    label_logits: Floats  # (sample, label): log-sum-exp over the spellings of each label; NaN: not told
    spelling_ids: NDArray[np.int32]  # (sample, spelling)
    spelling_of: NDArray[np.int16]  # (sample, spelling): index of the label, −1 for padding
    spelling_logits: Floats  # (sample, spelling)
    top_ids: NDArray[np.int32]  # (sample, k)
    top_logits: Floats  # (sample, k): from the largest
    at_main: Floats | None  # (sample, k): this view's logits at the main view's top ids; None for the main view
    lse: Floats  # (sample,): log-sum-exp of the whole row
    lse_temperatures: tuple[float, ...]
    lse_shifted: Floats  # (sample, temperature): log Σ exp((logit − max) / temperature)
    vocab_size: NDArray[np.int32]  # (sample,)
    margin: Floats  # (sample,): the largest logit minus the second
    near_tie: NDArray[np.bool_]  # (sample,)
    seconds: Floats  # (sample,)
    untold: Floats | None = None
    """Probability of the tokens that a remote model did not tell (sample,); NaN, or None for all: the whole row was seen."""
    drawn: Floats | None = None
    """Share of the draws that said each label (sample, label), where a remote model only draws answers."""
    drawn_by: str | None = None
    """The decoding that drew them."""

    @property
    def final(self) -> NDArray[np.bool_]:
        """Rows of a remote model, which told all that it tells: asking again widens nothing (sample,)."""
        return np.zeros(len(self.present), bool) if self.untold is None else ~np.isnan(self.untold)

    @property
    def kept(self) -> NDArray[np.int64]:
        """How many of the largest tokens were kept (sample,)."""
        return np.asarray((self.top_ids >= 0).sum(axis=1))

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Every token of the vocabulary was kept (sample,)."""
        return np.asarray(self.kept >= self.vocab_size)

    @property
    def floor(self) -> Floats:
        """The smallest kept logit (sample,): no token that is not listed lies above it."""
        last = np.maximum(self.kept - 1, 0)
        return np.asarray(np.take_along_axis(self.top_logits, last[:, None], axis=1)[:, 0])

    def take(self, samples: NDArray[np.int64]) -> Rows:
        """The rows of some samples."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        taken: dict[str, Any] = {n: v[samples] if isinstance(v, np.ndarray) else v for n, v in values.items()}
        return Rows(**taken)

    def log_total(self, temperature: float) -> Floats:
        """Log-sum-exp of the whole row of logits ÷ temperature relative to the largest; NaN where it is not known."""
        for index, stored in enumerate(self.lse_temperatures):
            if abs(stored - temperature) < 1e-6:
                found = self.lse_shifted[:, index]
                break
        else:
            found = np.full(len(self.present), np.nan)
        with np.errstate(divide="ignore"):
            return np.where(np.isnan(found) & self.complete, np.log(self.listed(temperature)), found)

    def listed(self, temperature: float) -> Floats:
        """Mass of the kept tokens relative to the largest, at a temperature (sample,); 0 where there is no row."""
        with np.errstate(invalid="ignore"):  # −inf − −inf where there is no row
            weights = np.exp((self.top_logits - self.top_logits[:, :1]) / temperature)
        return np.asarray(np.nan_to_num(weights).sum(axis=1))


@dataclass(frozen=True, slots=True)
class Evidence:
    """The views of one suite by one model, by view key, aligned with its samples."""

    n_labels: NDArray[np.int16]  # (sample,)
    main: Rows
    views: dict[str, Rows] = field(default_factory=dict)
    device: str = "unknown"
    """What it was asked on; several devices are joined by a plus."""
    dtype: str = "unknown"
    parts: Mapping[str, str] = field(default_factory=dict)
    """Files that these rows were read from, and the SHA-256 of each."""

    def view(self, spec: ViewSpec) -> Rows:
        return self.views[spec.key]

    def main_of(self, spec: ViewSpec) -> Rows:
        """Rows of the main view at whose likeliest tokens a view is kept: its own where it is one."""
        return self.main if spec.main_key is None else self.views[spec.main_key]

    def seen_from(self, main: ViewSpec | None) -> Evidence:
        """The same evidence, answered from another view than the image."""
        return self if main is None else replace(self, main=self.view(main))

    def at_main(self, spec: ViewSpec) -> Floats:
        """What a view says at the main view's top tokens (sample, k)."""
        said = self.view(spec).at_main
        return self.main.top_logits if said is None else said
