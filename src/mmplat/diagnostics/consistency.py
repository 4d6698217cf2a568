"""How often does a model say the same when it is asked the same again? From its exact distribution, and from real draws.

Per sample, `modal_share` is the probability of its likeliest answer and `agreement` that of two answers being equal (Σ p²). Papers
draw n answers and report the share of the commonest one, which is larger: with few draws some answer is the commonest by chance.
So `modal_of_draws` is what n draws are expected to show, exactly, and `modal_drawn` and `agreement_drawn` what they showed. All
answers that are no label count as one answer. The figures are of the suite as it is; right answers that a cue turned wrong are
told apart from those that stayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.conditioned import Conditioned
from mmplat.diagnostics.confidence import NAIVE
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.led import WRONG, cues_of, other_seeds, stages_of
from mmplat.diagnostics.reading import Measured, Run
from mmplat.diagnostics.two_stages import Floats, rate, share
from mmplat.errors import IncompatibleCell
from mmplat.ids import seed_from

DRAWS = 20


def modal_share(probs: Floats) -> Floats:
    return np.asarray(probs.max(axis=1))


def agreement(probs: Floats) -> Floats:
    """Probability that two answers are equal (sample,)."""
    return np.asarray((probs**2).sum(axis=1))


def expected_modal_share(probs: Floats, draws: int) -> Floats:
    """What the share of the commonest of `draws` answers is on average (sample,), exactly.

    P(no answer more than m times) is draws! times the coefficient of xᵈ in Π Σ_{c ≤ m} (p x)ᶜ / c!, over the answers.
    """
    at_most = np.stack([_none_above(probs, most, draws) for most in range(draws)])
    return np.asarray((1 - at_most).sum(axis=0) / draws)


def _none_above(probs: Floats, most: int, draws: int) -> Floats:
    """Answers are added one by one: the chance that the first of them take k draws, none more than `most`."""
    counts = np.arange(draws + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    terms = np.where(counts <= most, probs[:, :, None] ** counts, 0.0) / np.exp(log_factorial)
    found = np.zeros((len(probs), draws + 1))
    found[:, 0] = 1.0
    for answer in range(probs.shape[1]):
        shifted = [found[:, : draws + 1 - c] * terms[:, answer, c : c + 1] for c in range(most + 1)]
        found = np.sum([np.pad(part, ((0, 0), (c, 0))) for c, part in enumerate(shifted)], axis=0)
    return np.asarray(found[:, draws] * np.exp(log_factorial[draws]))


def drawn_modal_share(counts: NDArray[np.int64]) -> Floats:
    with np.errstate(invalid="ignore"):  # a sample that was never answered has no share
        return np.asarray(counts.max(axis=1) / counts.sum(axis=1))


def drawn_agreement(counts: NDArray[np.int64]) -> Floats:
    """Share of the pairs of draws that are equal (sample,): right on average, whatever their number."""
    n = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):  # nor has one draw alone a pair
        return np.asarray((counts * (counts - 1)).sum(axis=1) / (n * (n - 1)))


def measure(
    one: Conditioned, *, method: str | None = None, decoding: str | None = None, draws: int = DRAWS
) -> pl.DataFrame:
    found = [row for run in _runs(one.base, method or NAIVE, decoding) for row in _rows(one, run, draws)]
    if not found:
        raise IncompatibleCell(
            "it was decided under greedy decodings alone, which always say the same: add `sample`, or a temperature (t0.7)"
        )
    return pl.DataFrame(found, infer_schema_length=None)


def _runs(base: Measured, method: str, decoding: str | None) -> Iterator[Run]:
    for run in base.answers(method=method):
        if decoding in (None, run.decoding) and not base.settings(run.decoding).get("greedy"):
            yield run


def _rows(one: Conditioned, run: Run, draws: int) -> Iterator[dict[str, Any]]:
    """One row for all samples, and two for each kind of cue: right answers that it turned wrong, and those that stayed."""
    measures = _measures(one.base, run, draws)
    names = {"method": run.method, "decoding": run.decoding}
    for subset, cue, rows in _subsets(one, run):
        known = rows & run.decided
        if known.any():
            numbers: dict[str, Any] = {}
            for name, values in measures.items():
                interval = rate(share(np.where(known, values, np.nan)), one.base.cluster)
                numbers |= named(*interval, prefix=f"{name}_")
            yield {**names, "subset": subset, "cue": cue, **numbers, "n": int(known.sum())}


def _subsets(one: Conditioned, run: Run) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    yield "all", "", np.ones(len(one.base.samples), bool)
    before = stages_of(one.base)[run.method, run.decoding]
    for cue in cues_of(one):
        after = cue.stage(WRONG, (run.method, run.decoding))
        if after is not None:
            right = before.right > 0.5
            yield "misled", cue.name, right & (after.wrong > 0.5)
            yield "not misled", cue.name, right & (after.wrong <= 0.5)


def _measures(base: Measured, run: Run, draws: int) -> Mapping[str, Floats]:
    """Exact where the distribution is known; from the seeds of the grid where answers were written."""
    unknown = np.full(len(base.samples), np.nan)
    if base.pair.writings:
        counts = drawn_by_seed(base, run)
        exact = {"modal_share": unknown, "agreement": unknown, "modal_of_draws": unknown}
    else:
        probs = answers_of(run)
        counts = draw(probs, draws, seed_from("consistency", run.method, run.decoding))
        exact = {
            "modal_share": modal_share(probs),
            "agreement": agreement(probs),
            "modal_of_draws": expected_modal_share(probs, draws),
        }
    return {**exact, "modal_drawn": drawn_modal_share(counts), "agreement_drawn": drawn_agreement(counts)}


def drawn_by_seed(base: Measured, run: Run) -> NDArray[np.int64]:
    """How often each answer was written, over the seeds of the grid (sample, answer)."""
    others = [same for seed in other_seeds(base) for same in seed.answers(method=run.method, decoding=run.decoding)]
    if not others:
        raise IncompatibleCell(f"its answers under {run.decoding!r} were written once: give the grid several `seeds`")
    return np.sum([answers_of(one) for one in (run, *others)], axis=0).round().astype(np.int64)


def answers_of(run: Run) -> Floats:
    """Every label, and saying none (sample, answer); 0 where a sample has fewer labels or was not decided."""
    return np.nan_to_num(np.column_stack([run.probs, run.other]))


def draw(probs: Floats, draws: int, seed: int) -> NDArray[np.int64]:
    """How often each answer is drawn (sample, answer)."""
    rng = np.random.Generator(np.random.Philox(seed))
    total = probs.sum(axis=1, keepdims=True)
    return np.asarray(rng.multinomial(draws, probs / np.where(total > 0, total, 1.0)))


def panels(rows: pl.DataFrame) -> list[Panel]:
    """Exact shares by decoding: all samples, and those that each kind of cue misled or did not."""
    found = []
    for (cue,), own in rows.partition_by("cue", as_dict=True, maintain_order=True).items():
        series = [
            Series(str(subset), [Point(r["decoding"], *_shown(r)) for r in part.to_dicts()])
            for (subset,), part in own.partition_by("subset", as_dict=True, maintain_order=True).items()
        ]
        found.append(Panel(f"{title_of(rows)}{f': {cue}' if cue else ''}", series))
    return found


def _shown(row: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    """The exact figure, and the drawn one where nothing else is known."""
    name = "agreement" if row["agreement"] is not None else "agreement_drawn"
    return row[name], row[f"{name}_low"], row[f"{name}_high"]


DIAGNOSTIC = Diagnostic("misleading-consistency", 1, measure, panels, x="decoding", y="two answers are equal")
