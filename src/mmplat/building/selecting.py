"""select: which images a zero-shot vision model takes for another class. That is where misleading attributes win.

Scores are kept in parts of PART images as they come, so a killed job scores no image of a finished part again.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmplat.artifacts import write_bytes
from mmplat.building.images import READ, opened, root_of
from mmplat.building.items import Mistaken, Picture, read_lines, write_lines
from mmplat.building.settings import BuildSpec
from mmplat.building.stages import Advance, Build, Outcome, Stage
from mmplat.errors import ConfigError
from mmplat.ids import content_id, file_id, seed_from
from mmplat.image_files import UnreadableImage
from mmplat.models.identity import checkpoint_folder
from mmplat.records import Record
from mmplat.sources import content_of

if TYPE_CHECKING:
    from mmplat.models.zero_shot import Embeddings, ZeroShot

PART = 256
NO_NUMBER = "the model gave no number for it (NaN or infinity)"


class Score(Record):
    """What the zero-shot model says of one image."""

    image_id: str
    predicted: str = ""
    similarity: float = 0.0
    similarity_label: float = 0.0
    unreadable: str | None = None


def _settings(build: Build) -> Mapping[str, Any]:
    select = build.spec.select
    said = select.model_dump(exclude={"batch_size", "device", "model"})
    return {**said, "encoder": _encoder(build.spec), "names": build.spec.images.names, "seed": build.spec.seed}


def _encoder(spec: BuildSpec) -> str:
    """A local folder counts by its files, a hub name by its commit."""
    local = checkpoint_folder(spec.select.model)
    if local is None:
        return spec.select.model
    return content_of({path.relative_to(local).as_posix(): path for path in sorted(local.rglob("*")) if path.is_file()})


def _select(build: Build, advance: Advance) -> Outcome:
    from mmplat.models.zero_shot import ZeroShot

    select, pictures = build.spec.select, read_lines(build.lines("read"), Picture, made_by="mmplat spubench read")
    encoder = ZeroShot(select.model, revision=select.revision or None, device=select.device)
    scores = {score.image_id: score for score in _scores(build, pictures, encoder, advance)}
    unreadable = [f"{one.file}: {why}" for one in pictures if (why := scores[one.image_id].unreadable)]
    mistaken = [one for one in pictures if scores[one.image_id].predicted not in (one.label, "")]
    if not mistaken:
        raise ConfigError(
            f"The zero-shot model ({select.model}) takes none of the {len(pictures)} images for another class "
            f"({len(unreadable)} cannot be read), so there is nothing to build from. Give harder images, or a weaker model."
        )
    kept = sorted(_drawn(mistaken, build.spec), key=lambda one: one.image_id)
    write_lines(build.lines("select"), [_shown(build, one, scores[one.image_id]) for one in kept])
    readable = len(pictures) - len(unreadable)
    counts = {
        "images": readable,
        "mistaken": len(mistaken),
        "accuracy": round(1 - len(mistaken) / readable, 4),
        "kept": len(kept),
        "kept_by_class": dict(sorted(Counter(one.label for one in kept).items())),
        "unreadable": unreadable,
    }
    return Outcome(file_id(build.lines("select")), counts, by={**encoder.identity, "prompts": select.prompts})


def _scores(build: Build, pictures: list[Picture], encoder: ZeroShot, advance: Advance) -> Iterator[Score]:
    """The score of every image, part after part; a part that is there is read."""
    spec = build.spec
    labels = sorted({one.label for one in pictures})
    texts = [[prompt.replace("{}", spec.names(label)[0]) for prompt in spec.select.prompts] for label in labels]
    classes = encoder.classes(texts)
    root = root_of(spec.images)
    folder = build.folder / "scores" / content_id([encoder.identity, labels, texts])
    for start in range(0, len(pictures), PART):
        part = pictures[start : start + PART]
        path = folder / f"{content_id([[one.image_id, one.label] for one in part])}.jsonl"
        if not path.exists():
            sized = range(0, len(part), spec.select.batch_size)
            batches = (part[first : first + spec.select.batch_size] for first in sized)
            write_lines(path, [score for batch in batches for score in _scored(batch, root, labels, classes, encoder)])
        yield from read_lines(path, Score, made_by="mmplat spubench select")
        advance("select", start + len(part), len(pictures))


def _scored(
    batch: Iterable[Picture], root: Path, labels: list[str], classes: Embeddings, encoder: ZeroShot
) -> Iterator[Score]:
    """The class whose embedding is nearest, for each image that can be read."""
    readable, shown = [], []
    for one in batch:
        try:
            shown.append(np.asarray(opened(root / one.file)))
            readable.append(one)
        except UnreadableImage as error:
            yield Score(image_id=one.image_id, unreadable=str(error))
    if not readable:
        return
    for one, row in zip(readable, encoder.images(shown) @ classes.T, strict=True):
        if not np.isfinite(row).all():  # NaN would be the largest
            yield Score(image_id=one.image_id, unreadable=NO_NUMBER)
            continue
        best = int(row.argmax())
        own = labels.index(one.label)
        told = {"similarity": round(float(row[best]), 6), "similarity_label": round(float(row[own]), 6)}
        yield Score(image_id=one.image_id, predicted=labels[best], **told)


def _drawn(mistaken: list[Picture], spec: BuildSpec) -> list[Picture]:
    """What the limits keep, in an order that the seed draws: the worst mistakes alone would select harder still."""
    order = sorted(mistaken, key=lambda one: seed_from("select", spec.seed, one.image_id))
    taken: Counter[str] = Counter()
    kept = []
    for one in order:
        taken[one.label] += 1
        if spec.select.per_class is None or taken[one.label] <= spec.select.per_class:
            kept.append(one)
    return kept[: spec.select.limit]


def _shown(build: Build, one: Picture, score: Score) -> Mistaken:
    """Stores the image as everybody will see it: at most so large, as PNG, and named by what it was."""
    path = build.images / f"{one.image_id}-{build.spec.select.longest_side}.png"
    if not path.exists():
        image, buffer = opened(root_of(build.spec.images) / one.file), io.BytesIO()
        image.thumbnail((build.spec.select.longest_side,) * 2)
        image.save(buffer, "PNG")
        write_bytes(path, buffer.getvalue())
    told = {"similarity": score.similarity, "similarity_label": score.similarity_label, "source": one.source}
    return Mistaken(image_id=one.image_id, image=path.name, label=one.label, predicted=score.predicted, **told)


SELECT = Stage("select", 1, _settings, _select, after=READ.name)
