"""The data card of a release: what it holds, who made it and how, what it cost, and what a number on it does not say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmplat.building.reviews import Reviews
from mmplat.building.stages import Build
from mmplat.provenance import packages
from mmplat.spurious import TYPES

ASKING = ("describe", "write", "check")
"""Stages that an endpoint answers."""

CAVEATS = (
    "Selection: every image is one that the zero-shot model below takes for another class. Accuracy here is no estimate for "
    "images as they come, and models that see through the same or a similar encoder are at a disadvantage: say so beside "
    "comparisons of models.",
    "Affinity: attributes, questions and options are written by a model. Models of its family may find them easier than others "
    "do, and a judge of that family may favour them.",
    "Checker: where it is the writer's own model, it shares the writer's mistakes.",
    "Types: an item counts under its strongest spurious attribute, as the writer sees it. A type is no group in the sense of "
    "class × attribute; the smallest of nine noisy accuracies is biased low.",
    "Not seen by the automatic checks: synonyms and translations of class names, questions without a right option where the "
    "checker believes one, attributes that are not in the image, near-duplicate images.",
)


def card_of(build: Build, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is known of a release, from its rows and the records of the stages."""
    records = {stage: build.record(stage) for stage in ("read", "select", *ASKING)}
    counts = {stage: record["counts"] for stage, record in records.items()}
    types = Counter(row["type"] for row in rows)
    return {
        "name": build.spec.build,
        "format": "MM-SpuBench: annotation.json, data/images/NNNNNN.png",
        "items": len(rows),
        "types": {name: types[name] for name in TYPES},
        "letters": _counted(rows, "answer"),
        "classes": _counted(rows, "class"),
        "sources": _counted(rows, "source"),
        "licence": build.spec.images.licence,
        "funnel": {
            "images": counts["read"]["images"],
            "mistaken": counts["select"]["mistaken"],
            "kept": counts["select"]["kept"],
            "described": counts["describe"]["described"],
            "written": counts["write"]["written"],
            "passed": counts["check"]["passed"],
            "released": len(rows),
        },
        "rejected": counts["check"]["rejected"],
        "zero_shot": {**records["select"]["by"], "accuracy": counts["select"]["accuracy"]},
        "models": {stage: records[stage]["by"] for stage in ASKING},
        "costs": _costs({stage: records[stage]["costs"] for stage in ASKING}),
        "seconds": {stage: record["seconds"] for stage, record in records.items()},
        "review": _review(build, rows),
        "caveats": list(CAVEATS),
        "versions": packages(),
    }


def _counted(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, int]:
    return dict(sorted(Counter(str(row[key]) for row in rows if key in row).items()))


def _costs(by_stage: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Of each stage and together."""
    names = sorted({name for costs in by_stage.values() for name in costs})
    total = {name: round(sum(costs.get(name, 0) for costs in by_stage.values()), 6) for name in names}
    return {**by_stage, "total": total}


def _review(build: Build, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What people did: of the released items, and of those that they turned down."""
    reviews = Reviews(build)
    standing = reviews.standing().values()
    return {
        "released": _counted(rows, "review"),
        "rejected": sum(decision.verdict == "reject" for decision in standing),
        "against_checks": sum(row["against_checks"] for row in rows),
        "waiting": len(reviews.pending()),
        "reviewers": dict(sorted(Counter(decision.who for decision in standing).items())),
        "decisions": len(reviews.history()),
    }


def readme_of(card: Mapping[str, Any]) -> str:
    """The card for people, with the header that the hub reads."""
    unreviewed = card["review"]["released"].get("unreviewed", 0)
    human = (
        f"**{unreviewed} of {card['items']} items were reviewed by nobody.**"
        if unreviewed
        else "Every item was reviewed."
    )
    return "\n".join(
        [
            "---",
            "task_categories: [visual-question-answering]",
            "language: [en]",
            "---",
            f"# {card['name']}",
            "",
            f"{card['items']} questions with four options about one image each, in the format of MM-SpuBench. One option is built "
            f"on what makes the object what it is (core), three on what merely goes along (spurious). {human}",
            "",
            f"Licence of the images: {card['licence'] or 'not stated'}. Sources: {_listed(card['sources']) or 'not stated'}.",
            "",
            *_table("Types", ("type", "items"), card["types"]),
            *_table("From images to items", ("stage", "left"), card["funnel"]),
            *_table("Rejected by the checks", ("reason", "items"), card["rejected"]),
            *_table("Review", ("what people did", "items"), card["review"]),
            *_table("Who made it", ("step", "model and prompt"), {"select": card["zero_shot"], **card["models"]}),
            *_table("What asking cost", ("step", "cost"), card["costs"]),
            "## What a number on it does not say",
            "",
            *(f"- {caveat}" for caveat in card["caveats"]),
            "",
        ]
    )


def _table(title: str, head: tuple[str, str], rows: Mapping[str, Any]) -> list[str]:
    lines = [f"| {name} | {_listed(value) if isinstance(value, Mapping) else value} |" for name, value in rows.items()]
    return [f"## {title}", "", f"| {head[0]} | {head[1]} |", "|---|---|", *lines, ""]


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items())
