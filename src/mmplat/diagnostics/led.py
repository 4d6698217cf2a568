"""Which conditions of a campaign led to a wrong answer and which to the right one, and what every cell said under them.

A condition that changes the instruction notes where it led each sample (`towards` a label, or `leads`). Conditions of equal
parameters are the two directions of one cue; notes that differ in their number alone are several cues of one kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.conditions import catalog as conditions
from mmplat.diagnostics.conditioned import Conditioned, matched
from mmplat.diagnostics.confidence import NAIVE
from mmplat.diagnostics.reading import Measured, Rows, Run
from mmplat.diagnostics.two_stages import Stage, any_of, each_of
from mmplat.errors import IncompatibleCell
from mmplat.ids import canonical_json
from mmplat.records import ConditionSpec, Sample
from mmplat.samples import LEADS, MADE

WRONG, GOLD = "wrong", "gold"
ANY_OF = (3, 5)
"""How many notes papers let a model be misled by, any of them counting."""
Key = tuple[str, str]
"""Method and decoding."""


@dataclass(frozen=True)
class Led:
    """One suite under one condition, seen from the samples of the suite as it is."""

    base: Measured
    cued: Measured

    @cached_property
    def rows(self) -> tuple[Rows, Rows]:
        """Rows that hold the same sample, without those whose cue says what it must not."""
        ours, theirs = matched(self.base, self.cued)
        fair = ~np.isin(theirs, self.unfair)
        return ours[fair], theirs[fair]

    @cached_property
    def unfair(self) -> Rows:
        """Rows under the condition whose cue was to mislead and names the right answer: they are counted, and in no rate."""
        return np.array([row for row, sample in enumerate(self.cued.samples) if not _is_fair(sample)], np.int64)

    @cached_property
    def stages(self) -> Mapping[Key, Stage]:
        """What each cell said, in the order of the suite as it is."""
        n = len(self.base.samples)
        return {key: stage.at(*self.rows, n) for key, stage in stages_of(self.cued).items()}

    @cached_property
    def wordings(self) -> NDArray[np.object_]:
        """Which wording each sample of the suite met, as "family/number"; empty where it met none."""
        found = np.full(len(self.base.samples), "", object)
        for row, there in zip(*self.rows, strict=True):
            made = self.cued.samples[there].reference[MADE]
            found[row] = f"{made['template']}/{made['wording']}" if "template" in made else ""
        return found

    @cached_property
    def templates(self) -> NDArray[np.object_]:
        """Of which family that was."""
        return np.array([wording.partition("/")[0] for wording in self.wordings], object)


@dataclass(frozen=True)
class Cue:
    """One kind of cue in both directions."""

    name: str
    wrong: Sequence[Led] = ()
    gold: Sequence[Led] = ()
    """Several where there are several notes."""
    together: str = ""
    """How several notes are counted: empty for one cue alone."""

    def stage(self, direction: str, key: Key) -> Stage | None:
        """What a cell said; None where nothing led there, or the cell was not run there."""
        said = [led.stages.get(key) for led in (self.wrong if direction == WRONG else self.gold)]
        found = [stage for stage in said if stage is not None]
        if not found or len(found) < len(said):
            return None
        return any_of(found) if self.together == ANY else each_of(found)

    @property
    def keys(self) -> list[Key]:
        """Cells that were run under it."""
        return list(dict.fromkeys(key for led in (*self.wrong, *self.gold) for key in led.stages))

    @property
    def unfair(self) -> int:
        return sum(len(led.unfair) for led in (*self.wrong, *self.gold))


ANY, EACH = "any", "each"


def _is_fair(sample: Sample) -> bool:
    made = sample.reference[MADE]
    return "towards" not in made or (made["towards"] == sample.gold) == (made[LEADS] == GOLD)


def stages_of(pair: Measured) -> dict[Key, Stage]:
    return {(run.method, run.decoding): stage_of(pair, run) for run in pair.answers()}


def stage_of(pair: Measured, run: Run) -> Stage:
    return Stage.of(run.probs, run.other, pair.gold)


def first_stage(stages: Mapping[Key, Stage], key: Key) -> tuple[str, Stage] | None:
    """What a cell said without a cue, and by which method: one that works on cues alone says what naive says there."""
    method, decoding = key
    found = next((name for name in (method, NAIVE) if (name, decoding) in stages), None)
    return None if found is None else (found, stages[found, decoding])


def cues_of(one: Conditioned) -> list[Cue]:
    """Every kind of cue that a suite was asked under; notes also each alone, and any of the first 3 and 5."""
    kinds: dict[str, _Kind] = {}
    for measured in one.under.values():
        direction = leads(measured)
        if direction:
            spec = _condition(measured)
            kind = kinds.setdefault(_key(spec), _Kind(_title(spec)))
            kind.led.setdefault(direction, {})[_number(spec) or 0] = Led(one.base, measured)
    if not kinds:
        raise IncompatibleCell("it was asked under no cue: give its suite `conditions: [cue-wrong, cue-gold]`")
    return [cue for kind in kinds.values() for cue in kind.cues()]


NOTE = "k"
"""Parameter of a condition: which of several notes on a sample."""


@dataclass(slots=True)
class _Kind:
    """Conditions of equal parameters."""

    title: str
    led: dict[str, dict[int, Led]] = field(default_factory=dict)
    """By direction and number of the note."""

    def cues(self) -> Iterator[Cue]:
        wrong, gold = (self.led.get(direction, {}) for direction in (WRONG, GOLD))
        numbers = sorted({*wrong, *gold})
        if numbers == [0]:
            yield Cue(self.title, tuple(wrong.values()), tuple(gold.values()))
            return
        for k in numbers:
            yield Cue(f"{self.title} {k}", _numbered(wrong, [k]), _numbered(gold, [k]))
        yield Cue(f"{self.title}, each", _numbered(wrong, numbers), _numbered(gold, numbers), EACH)
        for m in (m for m in ANY_OF if m <= len(numbers)):
            yield Cue(f"{self.title}, any of {m}", _numbered(wrong, numbers[:m]), _numbered(gold, numbers[:m]), ANY)


def _numbered(found: Mapping[int, Led], numbers: Sequence[int]) -> tuple[Led, ...]:
    """All of these notes, or none where one was not asked."""
    return tuple(found[k] for k in numbers) if set(numbers) <= set(found) else ()


def leads(measured: Measured) -> str:
    """Where the condition of a pair leads; empty where it leads nowhere."""
    made: dict[str, Any] = measured.samples[0].reference.get(MADE, {})
    return str(made.get(LEADS, ""))


def _condition(measured: Measured) -> ConditionSpec:
    condition = measured.pair.suite.condition
    assert condition is not None  # it stands in `under`
    return condition


def _number(spec: ConditionSpec) -> int | None:
    """Which of several notes; None where there is one, or one is drawn."""
    number = spec.params.get(NOTE)
    return number if isinstance(number, int) else None


def _key(spec: ConditionSpec) -> str:
    """Equal for both directions of a cue, and for notes that differ in their number alone."""
    said = spec.settings
    params = {k: v for k, v in said["params"].items() if k != NOTE or _number(spec) is None}
    return canonical_json([params, said["content"]])


def _title(spec: ConditionSpec) -> str:
    """Its template, and what else differs from the default, as short as it can be told; what has no template is a note."""
    defaults = conditions.get(spec.kind).defaults
    plain = {"template", *([] if _number(spec) is None else [NOTE]), *spec.places}
    changed = {name: value for name, value in spec.params.items() if value != defaults.get(name) and name not in plain}
    said = [value if isinstance(value, str) and value else f"{name}={value}" for name, value in changed.items()]
    return " ".join([str(spec.params.get("template", "note")), *said])


def again(base: Measured) -> dict[Key, Stage]:
    """Every cell once more without a cue: by its distribution, or where it shows none (written draws) by the next seed."""
    drawn = bool(base.pair.writings)
    exact = [run for run in base.answers() if not drawn or base.settings(run.decoding).get("greedy")]
    found = {(run.method, run.decoding): stage_of(base, run) for run in exact}
    return {**stages_of(other), **found} if drawn and (other := next(other_seeds(base), None)) else found


def other_seeds(base: Measured) -> Iterator[Measured]:
    """The same pair under each further seed of its grid."""
    runs = pl.read_parquet(base.predictions.with_name("runs.parquet"), glob=False).filter(pl.col("status") != "failed")
    for seed in sorted(set(runs["seed"].to_list()) - {base.seed}):
        yield replace(base, seed=seed, runs=runs.filter(seed=seed))
