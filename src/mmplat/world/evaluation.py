"""What a checkpoint can do and where it fails, measured on held-out pictures: `python -m mmplat.world.evaluation FOLDER`.

Every figure is a share with its n and a 95 % Wilson interval; means (confidence, label mass) carry n alone.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmplat.world import questions, suites, texts
from mmplat.world.items import LETTERS, WorldItem
from mmplat.world.scoring import Answers, Scorer
from mmplat.world.vlm import read_card, write_card
from mmplat.world.vocabulary import MODES, TYPES

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; a share has an interval, a mean or a difference has none."""

    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None


def evaluate(folder: Path, *, n_object: int = 2000, n_spurious: int = 400, seed: int) -> dict[str, Figure]:
    """All figures by name: `n_object` questions per split, `n_spurious` items per type and mode."""
    scorer = Scorer(folder)
    measured = [
        *_objects(scorer, list(suites.generate("world-objects", n=3 * n_object, seed=seed)), seed),
        *_spurious(scorer, list(suites.generate("world-spurious", n=27 * n_spurious, seed=seed)), seed),
        *_facts(scorer, list(suites.generate("world-facts", n=n_object, seed=seed))),
    ]
    return {figure.name: figure for figure in measured}


def share(name: str, hits: Sequence[bool] | NDArray[np.bool_]) -> Figure:
    """A share with its Wilson interval."""
    n = len(hits)
    low, high = wilson(int(np.sum(hits)), n)
    return Figure(name, float(np.mean(hits)), n, low, high)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share."""
    p, shrink = hits / n, 1 + _Z**2 / n
    centre = (p + _Z**2 / (2 * n)) / shrink
    half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / shrink
    return centre - half, centre + half


def table(figures: Iterable[Figure]) -> str:
    """One line per figure."""
    lines = [f"{'figure':44} {'value':>7} {'95 % interval':>15} {'n':>6}"]
    for figure in figures:
        interval = "" if figure.low is None or figure.high is None else f"{figure.low:.3f} – {figure.high:.3f}"
        lines.append(f"{figure.name:44} {figure.value:7.3f} {interval:>15} {figure.n:6d}")
    return "\n".join(lines)


def _objects(scorer: Scorer, items: list[WorldItem], seed: int) -> list[Figure]:
    rng = np.random.default_rng([91, seed])
    splits = np.array([item.groups["split"] for item in items])
    plain, blind = scorer.answers(items), scorer.answers(items, with_image=False)
    debiased = plain.debiased(blind)
    views = {
        "misled": [texts.prepend(texts.misleading_hint(item, rng), item.question) for item in items],
        "misled, held-out wording": [
            texts.prepend(texts.misleading_hint(item, rng, held_out=True), item.question) for item in items
        ],
        "true hint": [texts.prepend(texts.true_hint(item, rng), item.question) for item in items],
        "irrelevant text": [texts.prepend(texts.irrelevant_text(item, rng), item.question) for item in items],
    }
    answered = {view: scorer.answers(items, texts=asked) for view, asked in views.items()}
    figures = []
    for split in suites.SPLITS:
        here = splits == split
        right, name = plain.right[here], f"objects {split}"
        figures += [
            share(name, right),
            share(f"{name}: no image", blind.right[here]),
            _mean(f"{name}: no image, confidence", blind.confidence[here]),
            share(f"{name}: post-hoc", debiased.right[here]),
            share(f"{name}: flipped by misleading hints", ~answered["misled"].right[here][right]),
            share(f"{name}: flipped, held-out wording", ~answered["misled, held-out wording"].right[here][right]),
            share(f"{name}: true hint", answered["true hint"].right[here]),
            share(f"{name}: irrelevant text", answered["irrelevant text"].right[here]),
        ]
    return [*figures, *_shape_of_answers("objects", plain)]


def _spurious(scorer: Scorer, items: list[WorldItem], seed: int) -> list[Figure]:
    rng = np.random.default_rng([92, seed])
    plain = scorer.answers(items)
    misled = scorer.answers(
        items, texts=[texts.prepend(texts.misleading_hint(item, rng), item.question) for item in items]
    )
    by_word = [item.question.replace(questions.BY_LETTER, questions.BY_WORD) for item in items]
    words = scorer.answers_among(
        by_word,
        [item.image for item in items],
        [item.options for item in items],
        [item.options[LETTERS.index(item.gold)] for item in items],
    )
    of_type = np.array([item.groups["type"] for item in items])
    of_mode = np.array([item.groups["mode"] for item in items])
    figures = []
    for kind in TYPES:
        for mode in MODES:
            figures.append(share(f"spurious {kind} {mode}", plain.right[(of_type == kind) & (of_mode == mode)]))
    for mode in MODES:
        here = of_mode == mode
        figures += [share(f"letters, {mode}", plain.right[here]), share(f"words, {mode}", words.right[here])]
        figures.append(share(f"letters, {mode}: flipped by misleading hints", ~misled.right[here][plain.right[here]]))
    return [*figures, *_shape_of_answers("spurious", plain)]


def _facts(scorer: Scorer, items: list[WorldItem]) -> list[Figure]:
    plain, blind = scorer.answers(items), scorer.answers(items, with_image=False)
    figures = [share("facts: irrelevant image", plain.right), share("facts: no image", blind.right)]
    forms = np.array([item.groups["form"] for item in items])
    figures += [share(f"facts: irrelevant image, {form}", plain.right[forms == form]) for form in ("yes-no", "choice")]
    return [*figures, *_shape_of_answers("facts", plain)]


def _shape_of_answers(name: str, answers: Answers) -> list[Figure]:
    """Label mass, and how many answers leave room for decoding configs to matter."""
    open_ = np.array([bool(np.any((p > 0.05) & (p < 0.95))) for p in answers.labels])
    return [_mean(f"{name}: label mass", answers.mass), share(f"{name}: not saturated (.05 < p < .95)", open_)]


def _mean(name: str, values: NDArray[np.float64]) -> Figure:
    return Figure(name, float(values.mean()), len(values))


def as_json(figures: dict[str, Figure]) -> dict[str, object]:
    """Rounded, for the card."""
    return {
        name: {k: v for k, v in asdict(_rounded(figure)).items() if k != "name"} for name, figure in figures.items()
    }


def _rounded(figure: Figure) -> Figure:
    low, high = (None if v is None else round(v, 4) for v in (figure.low, figure.high))
    return replace(figure, value=round(figure.value, 4), low=low, high=high)


def main() -> None:
    """Print the table of one checkpoint."""
    parser = argparse.ArgumentParser(description="Evaluate a checkpoint of the synthetic world.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=9000)
    parser.add_argument("--n-object", type=int, default=2000)
    parser.add_argument("--n-spurious", type=int, default=400)
    parser.add_argument("--card", action="store_true", help="also write the figures into the folder's card.json")
    options = parser.parse_args()
    figures = evaluate(options.folder, n_object=options.n_object, n_spurious=options.n_spurious, seed=options.seed)
    print(table(figures.values()))
    if options.card:
        evaluated = {"seed": options.seed, "figures": as_json(figures)}
        write_card(options.folder, {**read_card(options.folder), "evaluated": evaluated})


if __name__ == "__main__":
    main()
