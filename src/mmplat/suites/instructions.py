"""Instructions with answers in words, to train on beside multiple choices: LLaVA-Instruct and TextCaps.

Layouts: the JSON list of the LLaVA release (`llava_v1_5_mix665k.json`: rows of id, image, conversations), and that of TextCaps
(`TextCaps_0.1_train.json`: `data` with image_id and caption_str). Samples come in an order drawn by `seed`, so a limit is a sample
of everything. Only the JSON file is in the key: there are more pictures than anybody wants to hash, and what is shown is prepared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmplat.errors import ConfigError
from mmplat.ids import content_id
from mmplat.records import Sample, SuiteSpec
from mmplat.suites._files import (
    DEFAULTS,
    LEAVE_OUT,
    Question,
    Row,
    chosen,
    finished,
    images_folder,
    json_object,
    json_rows,
    row_of,
)
from mmplat.suites._prompts import bare
from mmplat.suites.base import LeftOut, RawSample, Suite, catalog

FIRST, ALL = CAPTIONS = ("first", "all")
LOCAL = {name: value for name, value in DEFAULTS.items() if name not in ("hub", "revision")}
Asked = Question | LeftOut


def instructions(spec: SuiteSpec) -> Iterator[Asked]:
    """The first turn of every row with a picture. Rows about text alone are no part of this."""
    folder = images_folder(spec)
    for number, row in enumerate(json_rows(_file(spec)), 1):
        if row.data.get("image"):
            yield _turn(row, f"{row.text('id')}-{number}", folder)


def _turn(row: Row, name: str, folder: Path) -> Asked:
    """Ids are given several times: one picture has questions of several sources."""
    match row.get("conversations"):
        case [{"from": "human", "value": str(asked)}, {"from": "gpt", "value": str(answered)}, *_]:
            image = row.text("image")
            return _question(name, bare(asked), [answered.strip()], folder / image, image, row.place)
    return LeftOut(name, "its first two turns are no question with its answer")


def captions(spec: SuiteSpec) -> Iterator[Asked]:
    """A picture with one of its captions, or with each in turn; all of them are what an answer may be like."""
    folder, of_image = images_folder(spec), dict[str, list[tuple[str, str]]]()
    for row in _captioned(_file(spec)):
        of_image.setdefault(row.text("image_id"), []).append((row.text("caption_str").strip(), row.place))
    for image, told in of_image.items():
        texts = [text for text, _ in told]
        for at in range(len(told) if chosen(spec, "captions", CAPTIONS) == ALL else 1):
            answers = [texts[at], *texts[:at], *texts[at + 1 :]]
            path = folder / f"{image}.jpg"
            yield _question(f"{image}-{at}", spec.params["question"], answers, path, image, told[at][1])


def _captioned(file: Path) -> Iterator[Row]:
    for number, data in enumerate(json_object(file).get("data"), 1):
        yield row_of(data, f"{file}: data, row {number}")


def _question(name: str, text: str, answers: Sequence[str], image: Path, cluster: str, place: str) -> Question:
    reference = {"answer": answers[0], "answers": list(answers)}
    return Question(RawSample(name, text, (), "", cluster=cluster, reference=reference), (image,), place)


def _file(spec: SuiteSpec) -> Path:
    path = Path(spec.params["path"])
    if not spec.params["path"] or not path.is_file():
        raise ConfigError(f"path = {spec.params['path']!r} is no file. Give the JSON file of the release.")
    return path


def drawn(questions: Callable[[SuiteSpec], Iterable[Asked]]) -> Callable[[SuiteSpec], Iterator[RawSample | LeftOut]]:
    """In an order of the seed's. With a limit, only pictures that are asked for have to be there."""

    def samples(spec: SuiteSpec) -> Iterator[RawSample | LeftOut]:
        ordered = sorted(questions(spec), key=lambda one: content_id([spec.params["seed"], _name(one)]))
        whole = spec.limit is None or spec.params["missing_images"] == LEAVE_OUT
        return finished(ordered if whole else ordered[: spec.limit], spec)

    return samples


def _name(one: Asked) -> str:
    return one.sample.sample_id if isinstance(one, Question) else one.sample_id


def grade(text: str, sample: Sample) -> Mapping[str, tuple[float, float]]:
    """`word_f1`: how many words an answer shares with the reference that is nearest to it; and how long it is."""
    return {
        "word_f1": (max(_f1(_words(text), _words(one)) for one in sample.reference["answers"]), 1),
        "words": (len(text.split()), 1),
    }


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def _f1(said: Counter[str], wanted: Counter[str]) -> float:
    return 2 * (said & wanted).total() / max((said + wanted).total(), 1)


def _suite(name: str, summary: str, questions: Callable[[SuiteSpec], Iterable[Asked]], **defaults: Any) -> Suite:
    return Suite(
        name,
        summary,
        1,
        drawn(questions),
        lambda spec: None,
        defaults={"seed": 0, **defaults, **LOCAL},
        needs="both",
        open_ended=True,
        longest=256,
        grade=grade,
        sources=lambda spec: {"annotations": _file(spec)},
        places=("path", "images"),
    )


for _made in (
    _suite("llava-instruct", "the pictured half of LLaVA's instructions, first turns: to train on", instructions),
    _suite(
        "textcaps",
        "captions that read what is written in a picture: to train on",
        captions,
        question="Provide a one-sentence caption for the provided image.",
        captions=FIRST,
    ),
):
    catalog.add(_made.name, _made)
