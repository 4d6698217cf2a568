"""Captions: which objects a description mentions that are not there.

On COCO the truth is its annotations; on the synthetic world it is exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from mmplat.errors import ConfigError
from mmplat.ids import content_id
from mmplat.records import SuiteSpec
from mmplat.suites._chair import COCO_WORDS, grade, mentions, vocabulary
from mmplat.suites._files import DEFAULTS, PLACES, Question, finished, images_folder
from mmplat.suites.base import SIZE, LeftOut, RawSample, Suite, catalog
from mmplat.world.vocabulary import NOUNS

WORLD_WORDS = vocabulary(dict.fromkeys(NOUNS, ""))
WHAT = "the folder with instances_val2014.json (and captions_val2014.json), or such a file"


def coco(spec: SuiteSpec) -> Iterator[RawSample | LeftOut]:
    return finished(_coco_questions(spec), spec)


def coco_sources(spec: SuiteSpec) -> Mapping[str, Path | str]:
    """The annotations. Images are not: to know which of 40,000 are drawn, the annotations must be read, which takes seconds.
    Evidence is named by the pixels that were shown, so it is never another image's."""
    if not spec.params["path"] or not Path(spec.params["path"]).exists():
        raise ConfigError(f"path = {spec.params['path']!r} is not there. `path` is {WHAT}.")
    return {name: file for name, file in _annotations(spec).items() if file.exists()}


def _annotations(spec: SuiteSpec) -> dict[str, Path]:
    path = Path(spec.params["path"])
    folder, instances = (path, path / "instances_val2014.json") if path.is_dir() else (path.parent, path)
    if not instances.is_file():
        raise ConfigError(f"there is no {instances}. `path` is {WHAT}.")
    return {"instances": instances, "captions": folder / instances.name.replace("instances", "captions")}


def _coco_questions(spec: SuiteSpec) -> Sequence[Question]:
    """`n` images drawn by `seed`: a larger n draws more of the same."""
    files, folder = _annotations(spec), images_folder(spec)
    objects = _objects(files["instances"], files["captions"])
    drawn = sorted(objects, key=lambda name: content_id([spec.params["seed"], name]))[: spec.params[SIZE]]
    return [
        _described(Path(name).stem, objects[name], spec, (folder / name,), f"{files['instances']}: image {name}")
        for name in drawn
    ]


@lru_cache(maxsize=2)
def _objects(instances: Path, captions: Path) -> dict[str, frozenset[str]]:
    """Objects of each image: those that are annotated, and those that its captions mention."""
    said = _read(instances)
    name_of = {one["id"]: one["name"] for one in said["categories"]}
    found: dict[int, set[str]] = {image["id"]: set() for image in said["images"]}
    for one in said["annotations"]:
        found[one["image_id"]].add(name_of[one["category_id"]])
    for one in _read(captions)["annotations"] if captions.exists() else []:
        found[one["image_id"]] |= set(mentions(one["caption"], COCO_WORDS))
    return {image["file_name"]: frozenset(found[image["id"]]) for image in said["images"] if found[image["id"]]}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        missing = {"images", "annotations"} - set(found)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}). Is it cut off? Get it again.") from None
    if missing:
        raise ConfigError(f"{path} has no {' and no '.join(sorted(missing))}: it is no annotation file of COCO.")
    return dict(found)


def _described(name: str, objects: frozenset[str], spec: SuiteSpec, images: tuple[Path, ...], place: str) -> Question:
    reference = {"objects": sorted(objects)}
    sample = RawSample(name, spec.params["question"], (), "", reference=reference)
    return Question(sample, images, place)


def world(spec: SuiteSpec) -> Iterator[RawSample]:
    """The pictures of `world-objects` under the same seed. A faded object is there: who names it invents nothing.

    `question` replaces the world's own, which the tiny models understand.
    """
    from mmplat.world.captions import described

    for one in islice(described(int(spec.params["seed"])), world_count(spec)):
        question = spec.params["question"] or one.question
        reference = {"objects": list(one.objects), "faint": list(one.faint)}
        yield RawSample(one.image_id, question, (), "", images=(one.image,), reference=reference)


def world_count(spec: SuiteSpec) -> int:
    n = int(spec.params[SIZE])
    return n if spec.limit is None else min(n, spec.limit)


catalog.add(
    "coco-captions",
    Suite(
        "coco-captions",
        "descriptions of COCO images: objects mentioned that are not there (CHAIR)",
        1,
        coco,
        lambda spec: None,
        defaults={SIZE: 500, "seed": 0, "question": "Please describe this image in detail.", **DEFAULTS},
        open_ended=True,
        longest=512,
        small_is_good=("chair_i", "chair_s"),
        grade=partial(grade, words=COCO_WORDS),
        sources=coco_sources,
        places=PLACES,
    ),
)
catalog.add(
    "world-captions",
    Suite(
        "world-captions",
        "descriptions of the synthetic world: objects mentioned that are not there (CHAIR, exact truth)",
        1,
        world,
        world_count,
        defaults={SIZE: 300, "seed": 0, "question": ""},
        open_ended=True,
        longest=16,
        small_is_good=("chair_i", "chair_s"),
        grade=partial(grade, words=WORLD_WORDS),
    ),
)
