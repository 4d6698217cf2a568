"""What a method is: it names the views it needs, and turns their evidence into scores. It never sees a model.

A method file files one `MethodKind` per name. `bind` puts its parameters in and gives a `Method`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.decoding.filters import Scores, sort_scores
from mmplat.errors import ConfigError
from mmplat.evidence.rows import Evidence, Rows
from mmplat.numbers import shortest
from mmplat.records import MethodSpec, ViewSpec
from mmplat.registry import Registry, with_defaults
from mmplat.views import bind as view
from mmplat.views import catalog as view_kinds

Floats = NDArray[np.float64]
NOTHING = 1e-6
"""Probability below which what was not told changes nothing: float32 rounds as much."""
Value = float | int | str
LARGEST = 1000.0
"""Of any number that a method multiplies logits with or divides by: papers use 0.1 to 3, and far above float32 rounds away
what is added to the product."""


Combine = Callable[[Any, list[Any], int], Any]
"""(main logits, logits of the references, step) → logits to choose from: torch tensors (row, vocab)."""


@dataclass(frozen=True, slots=True)
class Search:
    """Whole answers are searched by beams: how `asking/beams.py` chooses among them. `methods/opera.py` says what each means."""

    beams: int
    candidates: int
    scale: float
    weight: float
    threshold: int
    returns: int
    early: int
    unit: float

    def forwards(self, tokens: int) -> int:
        """Rows of forwards that an answer of so many tokens takes, when it never goes back: the prompt, then all candidates."""
        return 1 + sum(min(self.beams, self.candidates**step) * self.candidates for step in range(tokens))


WATCHED = "raised"
"""A view inside the network: where a family cannot make it, attention cannot be read there either."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method with its parameters and seed bound: what the plan asks and `deciding` calls."""

    spec: MethodSpec
    references: tuple[ViewSpec, ...]
    """Views it needs beside the main one; with another main view than the image, as that one sees them (`seen_from`)."""
    scores: Callable[[Evidence], Scores]
    beta: float | None = None
    """Its plausibility mask keeps tokens down to log(beta) below the largest; None: it looks at labels or has no mask."""
    stochastic: bool = False
    """One of its views is random, so the seed of the cell matters."""
    combine: Combine | None = None
    """The same method one token at a time, for answers in words; None: it needs labels."""
    binary: bool = False
    """Only for suites with a positive label."""
    choices: bool = False
    """Only for questions that list options."""
    cued: bool = False
    """Only under a condition that put a cue into the question."""
    transductive: bool = False
    """What it says of one sample depends on the others: it reads the unlabeled answers of the whole suite."""
    written_only: str = ""
    """Why it is for answers in words alone; empty: a first row tells what it says."""
    main: ViewSpec | None = None
    """The view it answers from, seen from itself; None: the image."""
    search: Search | None = None
    """It chooses whole answers, so a decoding has nothing to choose; None: the decoding takes token by token."""

    @property
    def views(self) -> tuple[ViewSpec, ...]:
        """What it needs, the view that it answers from first."""
        return (self.main or view("image"), *self.references)

    @property
    def rows(self) -> int:
        """Rows that one of its answers keeps in the caches."""
        return len(self.views) if self.search is None else self.search.beams * self.search.candidates

    @property
    def passes(self) -> int:
        """Forward passes per sample when it is run alone."""
        return sum(view_kinds.get(one.kind).passes for one in self.views)

    def forwards(self, tokens: int) -> int:
        """Rows of forwards that a written answer of so many tokens takes when it is written alone.

        What a view takes beside its own row, it takes for the prompt alone.
        """
        if self.search is not None:
            return self.search.forwards(tokens)
        return tokens * len(self.views) + self.passes - len(self.views)


@dataclass(frozen=True, slots=True)
class MethodKind:
    """One registered method. `version` is part of the run: raise it when the numbers move."""

    name: str
    summary: str
    family: str
    version: int
    build: Callable[[MethodSpec, int], Method]
    """(spec with all parameters, seed of the cell) → method."""
    defaults: Mapping[str, Value] = field(default_factory=dict)


catalog: Registry[MethodKind] = Registry("method", "mmplat.methods")


def bind(name: str, params: Mapping[str, Value] | None = None, *, seed: int = 0, where: str = "") -> Method:
    """The method called `name` with `params` over its defaults; parameters that differ show in its name."""
    kind = catalog.get(name, where=where)
    values = with_defaults("method", name, kind.defaults, params, where=where)
    changed = [f"{key}={shortest(value)}" if isinstance(value, (int, float)) else f"{key}={value}"
               for key, value in values.items() if value != kind.defaults[key]]  # fmt: skip
    full = f"{name}({','.join(changed)})" if changed else name
    spec = MethodSpec(name=full, family=kind.family, version=kind.version, params=values, kind=name)
    try:
        return kind.build(spec, seed)
    except ConfigError as error:
        if not where:
            raise
        raise ConfigError(f"{where.removeprefix(' in ')}: {error}") from None


def number(spec: MethodSpec, key: str, *, low: float, high: float = LARGEST) -> float:
    """A numeric parameter, refused outside [low, high]."""
    value = spec.params[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ConfigError(f"Method {spec.name!r} has {key} = {value!r}. Allowed: numbers from {low:g} to {high:g}.")
    return float(value)


def choice(spec: MethodSpec, key: str, allowed: tuple[str, ...]) -> str:
    """A parameter that is one of a few words."""
    value = spec.params[key]
    if value not in allowed:
        raise ConfigError(f"Method {spec.name!r} has {key} = {value!r}. Allowed: {', '.join(allowed)}.")
    return str(value)


def token_labels(rows: Rows) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Which label each kept token says (sample, k), and which spellings are among the kept (sample, spelling)."""
    label = np.full(rows.top_ids.shape, -1, np.int16)
    found = np.zeros(rows.spelling_ids.shape, bool)
    for index in range(rows.spelling_ids.shape[1]):
        hit = rows.top_ids == rows.spelling_ids[:, index : index + 1]
        found[:, index] = hit.any(axis=1)
        label = np.where(hit, rows.spelling_of[:, index : index + 1], label)
    return label, found


def whole_row(rows: Rows) -> Scores:
    """The model's own distribution: the kept tokens, the spellings below them, and the mass of all the rest."""
    if rows.drawn is not None:
        return _as_drawn(rows, rows.drawn)
    label, found = token_labels(rows)
    below = np.where(found, -np.inf, rows.spelling_logits)  # spellings that are not among the kept
    logits = np.concatenate([rows.top_logits, below], axis=1)
    labels = np.concatenate([label, rows.spelling_of], axis=1)
    kept = np.concatenate([rows.top_ids >= 0, np.zeros(below.shape, bool)], axis=1)
    hidden = np.asarray(np.isnan(rows.label_logits).any(axis=1))
    if rows.untold is not None:
        hidden = hidden & ~(rows.untold < NOTHING)
    return sort_scores(logits, labels, rows.label_logits.shape[1], kept=kept, log_total=rows.log_total, hidden=hidden)


def _as_drawn(rows: Rows, drawn: Floats) -> Scores:
    """Shares of real draws: the model's own answers under the decoding that drew them."""
    return of_labels(drawn, drawn_by=rows.drawn_by)


def of_labels(probs: Floats, *, drawn_by: str | None = None) -> Scores:
    """A distribution over the labels (sample, label), in which nothing else can be said."""
    with np.errstate(divide="ignore"):
        logits = np.log(probs)
    labels = np.broadcast_to(np.arange(probs.shape[1], dtype=np.int16), probs.shape)
    return sort_scores(logits, labels, probs.shape[1], drawn_by=drawn_by)


def plausible(rows: Rows, logits: Floats, beta: float) -> Scores:
    """Candidates are the tokens that the main view finds plausible: logit ≥ largest + log β, before any temperature."""
    label, _ = token_labels(rows)
    bar = rows.top_logits[:, 0] + (-np.inf if beta == 0 else np.log(beta))
    keep = (rows.top_ids >= 0) & (rows.top_logits >= bar[:, None])
    candidates = np.where(keep, logits, -np.inf)
    if rows.final.any():
        candidates = _unknown_where_untold(rows, candidates, bar)
    return sort_scores(candidates, label, rows.label_logits.shape[1])


def _unknown_where_untold(rows: Rows, candidates: Floats, bar: Floats) -> Floats:
    """Candidates of remote models: NaN where the reference did not tell one, or the model one that may be plausible too."""
    alone = (candidates != -np.inf).sum(axis=1, keepdims=True) == 1  # it is said, whatever its references say
    candidates = np.where(alone & np.isnan(candidates), 0.0, candidates)
    reached = (rows.kept > 0) & (rows.floor <= bar)
    return np.where((rows.final & ~reached)[:, None], np.nan, candidates)


def label_probs(rows: Rows) -> Floats:
    """Probabilities of the labels among themselves (sample, label), at temperature 1 and without filters."""
    weights = np.exp(rows.label_logits - rows.label_logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
