"""release: what was accepted, in the released format of MM-SpuBench, with a data card. The suite `mm-spubench` loads it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmplat.artifacts import write_bytes, write_json
from mmplat.building.card import card_of, readme_of
from mmplat.building.checking import CHECK
from mmplat.building.items import Item
from mmplat.building.reviews import Decision, Reviews
from mmplat.building.settings import BuildSpec
from mmplat.building.stages import Advance, Build, Outcome, Stage
from mmplat.errors import ConfigError
from mmplat.ids import file_id

ANNOTATIONS, UNREVIEWED = "annotation.json", "unreviewed"


def chosen(build: Build) -> list[Item]:
    """What is released: accepted items, and items that nobody reviewed only where the build says so."""
    reviews = Reviews(build)
    waiting = reviews.pending()
    found = [*reviews.accepted(), *(waiting if build.spec.release.unreviewed else [])]
    if not found:
        raise ConfigError(
            f"Nothing of build {build.spec.build!r} is accepted: {len(waiting)} items wait for review, {len(reviews.items())} are "
            f"written. `mmplat spubench review` (or the dashboard) decides; `release: {{unreviewed: true}}` in the build does "
            "without people, and its data card says so."
        )
    return sorted(found, key=lambda item: item.item_id)


def _settings(build: Build) -> Mapping[str, Any]:
    decided = file_id(build.reviews) if build.reviews.exists() else None
    images = build.spec.images.model_dump(include={"source", "licence", "names"})
    return {"unreviewed": build.spec.release.unreviewed, "decided": decided, **images}


def _release(build: Build, advance: Advance) -> Outcome:
    """Written beside the old release and put in its place at the end, so that no image of another release stays."""
    items, decided = chosen(build), Reviews(build).standing()
    new = build.folder / "release.new"
    _remove(new)
    rows = []
    for number, item in enumerate(items):
        name = f"{number:06d}"
        write_bytes(new / "data" / "images" / f"{name}.png", build.picture(item.about.image.image).read_bytes())
        rows.append(annotation(name, item, decided.get(item.item_id), build.spec))
        advance("release", number + 1, len(items))
    write_json(new / ANNOTATIONS, rows)
    card = card_of(build, rows)
    write_bytes(new / "README.md", readme_of(card).encode())
    write_json(new / "card.json", card)
    _replace(build.release, new)
    return Outcome(file_id(build.release / ANNOTATIONS), {"items": len(rows), "types": card["types"]})


def annotation(name: str, item: Item, decision: Decision | None, spec: BuildSpec) -> dict[str, Any]:
    """One row of annotation.json: the keys of the published file, and what only a builder knows."""
    image = item.about.image
    return {
        "id": name,
        "image": f"{name}.png",
        "question": item.question,
        "choices": [option.text for option in item.options],
        "answer": item.answer,
        "type": item.type,
        "class": spec.names(image.label)[0],
        "predicted_class": spec.names(image.predicted)[0],
        "core_attributes": [one.phrase for one in item.about.core],
        "spurious_attributes": [one.phrase for one in item.about.spurious],
        "spurious_types": [one.type for one in item.about.spurious],
        "roles": [option.role for option in item.options],
        "choice_types": [option.type for option in item.options],
        "item": item.item_id,
        "review": UNREVIEWED if decision is None else decision.verdict,
        "against_checks": bool(item.reasons),
        **({"source": image.source} if image.source else {}),
    }


def _replace(old: Path, new: Path) -> None:
    _remove(old)
    new.replace(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


RELEASE = Stage("release", 1, _settings, _release, after=CHECK.name, made=lambda build: build.release / ANNOTATIONS)
