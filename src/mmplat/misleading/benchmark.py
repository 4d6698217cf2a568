"""A curated benchmark on disk: items in the schema of the released MUB data, their images, and a data card.

Suite `mub` reads it. The items record who was misled when they were chosen; no cue is stored, because every model is cued anew.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmplat.artifacts import write_bytes, write_json
from mmplat.errors import ConfigError
from mmplat.provenance import packages
from mmplat.records import SuiteSpec
from mmplat.samples import RawSample
from mmplat.suites import catalog as suites

ITEMS, CARD, READ_ME, IMAGES = "benchmark.json", "card.json", "README.md", "extract_img_all"
CAVEATS = (
    "Selection: every item was chosen because it misled the models below. Their misleading rates on it are high by construction, "
    "and rise from low to high by construction; quote them beside their rates on all items. Models that were not among them are "
    "not selected against, but items that mislead many models tend to be hard or unclear for others too.",
    "Levels are relative to these models: low, medium and high are half, three quarters and all of them.",
    "One kind of cue chose the items: another kind need not mislead on the same ones.",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One item of the benchmark."""

    suite: SuiteSpec
    sample_id: str
    gold: str
    level: str
    num: int
    """Models that followed the cue."""
    models: Sequence[str]


@dataclass(frozen=True, slots=True)
class Effect:
    """T→F of one model with its interval: on all items, on the chosen ones, and on those that other models would have chosen."""

    model: str
    all: tuple[float, float, float]
    chosen: tuple[float, float, float]
    by_others: tuple[float, float, float] | None = None


def write_benchmark(
    folder: Path, chosen: Sequence[Chosen], card: Mapping[str, Any], effects: Sequence[Effect]
) -> list[str]:
    """Writes items, images and card; returns what was left out and why."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file: a benchmark is written into a folder of its own. Give another name.")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds something already: a benchmark is written into a folder of its own.")
    rows, left_out = [], []
    for number, (one, sample) in enumerate(_with_samples(chosen)):
        if len(sample.images) != 1:
            left_out.append(f"{one.sample_id}: it has {len(sample.images)} images, and the schema has room for one")
            continue
        name = f"{IMAGES}/{number}.png"
        write_bytes(folder / name, _png(sample))
        rows.append(_row(one, sample, name))
    said = card_of(rows, card, effects, left_out)
    write_json(folder / CARD, said)
    write_bytes(folder / READ_ME, read_me(said, effects).encode())
    write_json(folder / ITEMS, rows)
    return left_out


def _with_samples(chosen: Sequence[Chosen]) -> Iterator[tuple[Chosen, RawSample]]:
    """Items with their bare questions, which only the suite itself knows."""
    wanted: dict[str, dict[str, Chosen]] = {}
    for one in chosen:
        wanted.setdefault(one.suite.key, {})[one.sample_id] = one
    for items in wanted.values():
        spec = next(iter(items.values())).suite
        for sample in suites.get(spec.kind).samples(spec):
            if isinstance(sample, RawSample) and sample.sample_id in items:
                yield items[sample.sample_id], sample


def _row(one: Chosen, sample: RawSample, image: str) -> dict[str, Any]:
    """As the released data spell it: yes/no has no choices, and its answers have a capital."""
    letters = bool(sample.options)
    choices = {"choices": dict(zip(sample.labels, sample.options, strict=True))} if letters else {}
    return {
        "question": sample.stem or sample.question,
        **choices,
        "answer": sample.gold if letters else sample.gold.capitalize(),
        "all_category": ", ".join(sample.groups.values()) or "none",
        "question_type_CHorYN": "CH" if letters else "YN",
        "dataset": one.suite.name,
        "num": one.num,
        "difficulty": one.level,
        "misled_models": list(one.models),
        "source_id": one.sample_id,
        "new_id": image,
    }


def _png(sample: RawSample) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(sample.images[0]).save(buffer, "PNG")
    return buffer.getvalue()


def card_of(
    rows: Sequence[Mapping[str, Any]], said: Mapping[str, Any], effects: Sequence[Effect], left_out: Sequence[str]
) -> dict[str, Any]:
    def counted(key: str) -> dict[str, int]:
        return dict(sorted(Counter(str(row[key]) for row in rows).items()))

    return {
        **said,
        "items": len(rows),
        "levels": counted("difficulty"),
        "datasets": counted("dataset"),
        "answers": counted("answer"),
        "selection_effect": [
            {"model": e.model, "all": e.all, "chosen": e.chosen, "by_others": e.by_others} for e in effects
        ],
        "left_out": list(left_out),
        "caveats": list(CAVEATS),
        "versions": packages(),
    }


def read_me(card: Mapping[str, Any], effects: Sequence[Effect]) -> str:
    """The card for people."""
    counts = [f"| {level} | {card['levels'].get(level, 0)} | {n} |" for level, n in card["available"].items()]
    rates = [
        f"| {e.model} | {_shown(e.all)} | {_shown(e.chosen)} | {'–' if e.by_others is None else _shown(e.by_others)} |"
        for e in effects
    ]
    lines = [
        f"# Items of campaign {card['campaign']} that cues led models astray on",
        "",
        f"{card['items']} closed questions with one image each, in the schema of the released MUB data (suite `mub` reads them).",
        f"Chosen by the cue `{card['cue']}` and the naive answers of {', '.join(e.model for e in effects)}; seed {card['seed']}.",
        "",
        "| level | items | there were |",
        "|---|---|---|",
        *counts,
        "",
        "## Selection effect: share of right answers that the cue turned wrong",
        "",
        "| model | on all items | on these items | on the items that the other models would choose |",
        "|---|---|---|---|",
        *rates,
        "",
        "## What a number on it does not say",
        "",
        *(f"- {caveat}" for caveat in card["caveats"]),
        "",
    ]
    return "\n".join(lines)


def _shown(rate: tuple[float, float, float]) -> str:
    value, low, high = rate
    return "–" if value != value else f"{value:.3f} [{low:.3f}, {high:.3f}]"
