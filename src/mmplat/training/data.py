"""What is trained on: items of prepared suites, each as it is and under its conditions, and which of them make a batch.

A batch is a pure function of its number, so that a training that was killed goes on with the very batches it would have had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mmplat.artifacts import Results
from mmplat.errors import ConfigError
from mmplat.ids import seed_from
from mmplat.models import Ask
from mmplat.preparing import load_picture, load_samples
from mmplat.recipes import CLEAN, Data, Family, Losses, Shown, TrainingJob
from mmplat.records import Sample
from mmplat.views import bind as bind_view


@dataclass(frozen=True, slots=True)
class Way:
    """One sample as it is shown: clean, or under a condition."""

    name: str
    sample: Sample
    folder: Path
    """Of the prepared suite, where its pictures are."""
    share: float | None

    @property
    def ask(self) -> Ask:
        """As a model is asked: training sees the prompts of evaluation."""
        return Ask(self.sample, bind_view("image"), tuple(load_picture(self.folder, n) for n in self.sample.images))


@dataclass(frozen=True, slots=True)
class Item:
    """One question with all the ways in which it can be shown; the clean one first."""

    family: Family
    ways: tuple[Way, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Row:
    """One way of one item in a batch."""

    way: Way
    family: Family
    answer: str
    item: int
    """Rows of one item are compared with its clean row."""
    weight: float
    """Of its cross-entropy; 0: it is only compared with."""

    @property
    def clean(self) -> bool:
        return self.way.name == CLEAN


def items_of(part: Data, results: Results) -> list[Item]:
    """Every sample of a part; a condition that cannot be applied to a sample leaves it one way less."""
    told = [(way, results.suite(way.suite.name, way.suite.key)) for way in part.ways]
    samples = [{one.sample_id: one for one in load_samples(folder)} for _, folder in told]
    return [
        Item(part.family, ways, answer_of(clean, part.target))
        for name, clean in samples[0].items()
        if (ways := _ways(name, told, samples))
    ]


def _ways(name: str, told: Sequence[tuple[Shown, Path]], samples: Sequence[Mapping[str, Sample]]) -> tuple[Way, ...]:
    return tuple(
        Way(shown.name, its[name], folder, shown.share)
        for (shown, folder), its in zip(told, samples, strict=True)
        if name in its
    )


def answer_of(sample: Sample, target: str) -> str:
    """What is to be said, as the recipe wants it."""
    if target == "label":
        return sample.gold
    found = _option_of(sample) if target == "option" else sample.reference.get("answer")
    if not isinstance(found, str):
        raise ConfigError(
            f"target: {target}: sample {sample.sample_id!r} has none. Use `target: label` for suites whose questions list no "
            "options, and `answer` for open-ended suites with a reference answer."
        )
    return found


def _option_of(sample: Sample) -> str | None:
    places = dict(zip(sample.labels, sample.options, strict=False))
    return places.get(sample.gold)


class Batches:
    """The batches of one process among `processes`; all of them together see every item of an epoch at most once."""

    def __init__(
        self, items: Mapping[Family, Sequence[Item]], job: TrainingJob, *, process: int = 0, processes: int = 1
    ) -> None:
        self.items, self.counts, self.losses = items, job.recipe.batch, job.recipe.losses
        self.seed, self.process, self.processes = job.recipe.seed, process, processes
        self.per_epoch = min(len(self.items[family]) // (count * processes) for family, count in self.counts.items())
        if self.per_epoch < 1:
            short = {family: len(self.items[family]) for family in self.counts}
            raise ConfigError(
                f"Recipe {job.name!r} asks {processes} × {dict(self.counts)} items for one batch, and the data hold {short}. "
                "Ask for fewer, or give more data."
            )
        self._order = lru_cache(maxsize=2 * len(self.counts))(self._drawn)

    def rows(self, number: int) -> list[Row]:
        """Batch number `number` of this process."""
        epoch, at = divmod(number, self.per_epoch)
        rows: list[Row] = []
        for family, count in self.counts.items():
            start = (at * self.processes + self.process) * count
            for index in self._order(epoch, family)[start : start + count]:
                item = rows[-1].item + 1 if rows else 0
                rows += rows_of(self.items[family][index], item, self.losses, seed_from(self.seed, epoch, int(index)))
        return rows

    def _drawn(self, epoch: int, family: Family) -> list[int]:
        rng = np.random.default_rng(seed_from(self.seed, "order", epoch, family))
        return [int(index) for index in rng.permutation(len(self.items[family]))]


def rows_of(item: Item, number: int, losses: Losses, seed: int) -> list[Row]:
    """The rows of an item: all of its ways, or the one that is drawn, beside the clean one where they are compared."""
    drawn = _drawn_way(item.ways, seed)
    shown = [way for way in item.ways if drawn in (None, way)]
    compared = losses.consistency.kind != "none"
    weights = {way.name: losses.clean if way.name == CLEAN else losses.variants for way in shown}
    if compared and shown[0].name != CLEAN:
        shown, weights = [item.ways[0], *shown], {**weights, CLEAN: 0.0}
    return [Row(way, item.family, item.answer, number, weights[way.name]) for way in shown]


def _drawn_way(ways: Sequence[Way], seed: int) -> Way | None:
    """None: all of them are shown. A way that the item does not have leaves its share to the others."""
    if ways[0].share is None:
        return None
    shares = np.array([way.share for way in ways])
    if not shares.sum():
        return ways[0]
    return ways[int(np.random.default_rng(seed).choice(len(ways), p=shares / shares.sum()))]
