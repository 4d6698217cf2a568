"""MM-SpuBench: nine types of spurious bias, one question with four options about each image (arXiv 2406.17126).

`mm-spubench` asks the questions. `mm-spubench-attributes` asks how likely each annotated core and spurious attribute is, as an
answer in words: its labels are the phrases, and what is computed from them is `cgla_reconstructed` (diagnostics/cgla.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmplat.records import Sample, SuiteSpec
from mmplat.samples import LeftOut, RawSample
from mmplat.spurious import CORE, SPURIOUS
from mmplat.suites import _spubench
from mmplat.suites._files import DEFAULTS, PLACES, REFUSE, Question, Row, chosen
from mmplat.suites._loading import Asked, Loader
from mmplat.suites._parsing import strict
from mmplat.suites._spubench import ATTRIBUTES, LETTERS, Item, Read
from mmplat.suites.base import Suite, catalog

QUESTIONS = 2400
"""Released, one per image."""

PROMPTS = {
    "letter-after": (
        "Question: {question}\n{choices}\nProvide only the letter corresponding to the correct choice (A, B, C, or D).\nAnswer:"
    ),
    "letter-before": (
        "Answer the multiple-choice visual question.\nReply with only one letter: A, B, C, or D.\n\n"
        "Question: {question}\nChoices:\n{choices}\n\nAnswer:"
    ),
}
"""How two public harnesses ask; the paper's own wording is not known."""

ATTRIBUTE_PROMPTS = {
    "attribute": "Which attribute of the object in the picture makes it what it is? Answer with a short phrase.",
    "class": "The picture shows a {klass}. Which attribute in the picture makes it one? Answer with a short phrase.",
}
"""Ours. `class` names the class, which not all annotations do."""

_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_STATED = re.compile(r"\banswer is\b:?", re.IGNORECASE)


def published(spec: SuiteSpec) -> Mapping[str, int]:
    return {"": QUESTIONS}


def question(item: Item, spec: SuiteSpec) -> Question:
    """The question with its options."""
    prompt = PROMPTS[chosen(spec, "prompt", PROMPTS)]
    reference: dict[str, Any] = {name: list(phrases) for name, phrases in item.attributes.items()}
    sample = RawSample(
        sample_id=item.identity,
        question=prompt.format(question=item.question, choices="\n".join(item.lines)),
        labels=LETTERS,
        gold=LETTERS[item.answer],
        options=item.options,
        cluster=item.stem,
        groups=dict(item.groups),
        reference=reference | ({"roles": list(item.roles)} if item.roles else {}),
        stem=item.question,
    )
    return Question(sample, (item.picture,), item.place)


def attributes(item: Item, spec: SuiteSpec) -> Asked:
    """The annotated phrases as labels; the first core attribute stands for the right ones."""
    wording = chosen(spec, "prompt", ATTRIBUTE_PROMPTS)
    prompt = ATTRIBUTE_PROMPTS[wording]
    core, spurious = (item.attributes.get(name, ()) for name in ATTRIBUTES)
    both = {phrase.casefold() for phrase in core} & {phrase.casefold() for phrase in spurious}
    if not core or not spurious:
        return LeftOut(item.identity, "its annotation has no core attribute or no spurious one")
    if both:
        return LeftOut(item.identity, "a phrase is both a core and a spurious attribute")
    if "{klass}" in prompt and item.klass is None:
        return LeftOut(item.identity, f"its annotation names no class, which `prompt: {wording}` needs")
    sample = RawSample(
        sample_id=item.identity,
        question=prompt.format(klass=item.klass),
        labels=(*core, *spurious),
        gold=core[0],
        cluster=item.stem,
        groups=dict(item.groups),
        reference={"roles": [CORE] * len(core) + [SPURIOUS] * len(spurious)},
    )
    return Question(sample, (item.picture,), item.place)


def said(text: str, sample: Sample) -> str | None:
    """What an answer says: of what follows a thought; "the answer is …" counts before a letter that it opens with."""
    answer = _THOUGHT.sub("", text)
    *before, stated = _STATED.split(answer)
    return strict(stated.strip() if before else answer, sample)


def loader(asked: Callable[[Item, SuiteSpec], Asked]) -> Loader:
    def of(found: Iterable[Read], spec: SuiteSpec) -> Iterator[Asked]:
        return (asked(one, spec) if isinstance(one, Item) else one for one in found)

    def of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
        return of(_spubench.of_table(rows, spec), spec)

    def questions(spec: SuiteSpec, path: Path) -> list[Asked]:
        return list(of(_spubench.of_folder(spec, path), spec))

    return Loader(
        what=f"the folder that holds {_spubench.ANNOTATIONS}, or a folder of Parquet files",
        of_table=of_table,
        files=lambda spec, path: {"annotations": _spubench.annotation_file(path)},
        questions=questions,
        snapshot=_spubench.PATTERNS,
    )


ASKED, PHRASES = loader(question), loader(attributes)
SHARED: dict[str, Any] = {**DEFAULTS, "malformed": REFUSE}
catalog.add(
    "mm-spubench",
    Suite(
        "mm-spubench",
        "nine types of spurious bias: four options, one built on the core attribute, the others on spurious ones",
        1,
        ASKED.samples,
        ASKED.count,
        defaults={"prompt": "letter-after", **SHARED},
        subsets=(("type",), ("source",)),
        parse=said,
        metrics=("macro_accuracy", "type_gap", "spurious_selection"),
        sources=ASKED.sources,
        places=PLACES,
        published=published,
    ),
)
catalog.add(
    "mm-spubench-attributes",
    Suite(
        "mm-spubench-attributes",
        "how likely are the core and the spurious attributes of MM-SpuBench's images, as phrases? For cgla_reconstructed",
        1,
        PHRASES.samples,
        PHRASES.count,
        defaults={"prompt": "attribute", **SHARED},
        subsets=(("type",),),
        phrases=True,
        sources=PHRASES.sources,
        places=PLACES,
    ),
)
