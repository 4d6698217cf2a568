"""Lets a model write what is told about wrong options: two sentences each, for the condition `misleading-description`.

Each option is asked about once, whatever the number of questions that offer it. The prompt is that of "Modality Interference in
MLLMs" (2505.19616), where Vicuna-7B answered it. The endpoint keeps every reply as it comes, so nothing is paid twice; a model on
one's own machine is served by vLLM or its like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from mmplat.artifacts import Results
from mmplat.conditions._about import About, leak, plain, write_about
from mmplat.documents import Document, read_text, validated
from mmplat.errors import ConfigError
from mmplat.grid import SuiteEntry
from mmplat.judges import bind_writer
from mmplat.models import Failure
from mmplat.preparing import load_samples, prepare
from mmplat.records import Prompt, Record, Sample
from mmplat.suites import bind as bind_suite

SYSTEM = "Give me some fact about a certain concept. Please provide only Two sentences."
TEXT = (
    "Example: Input: Tell me two facts about platypus. Output: The platypus is a unique animal that is found in the wild in "
    "Australia. It is a mammal, but it lays eggs like a bird.\nNow Tell me some facts about {0}."
)
PROMPT = {"prompt": "two-facts", "version": 1}
"""Belongs to every word of the prompt: raise the version with each change."""
Advance = Callable[[int], None]


class FactsFile(Record):
    """What `mmplat facts generate` reads: whose options, who writes, and where to."""

    suites: tuple[str | SuiteEntry, ...] = Field(min_length=1)
    writer: dict[str, Any]
    """Parameters of the endpoint: url, model, key_env, max_cost, … (docs/endpoints.md)."""
    out: str
    """The file that is written."""


@dataclass(slots=True)
class Written:
    """What came of it."""

    told: list[About] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    kept: Path | None = None
    """Where the file lies that was there before and held something else."""
    beside: int = 0
    """Pairs of a question and one of its wrong options that something is told about."""
    leaks: Counter[str] = field(default_factory=Counter)
    """Pairs in which it may not stand there, by the reason."""


def load(path: Path) -> FactsFile:
    text = read_text(path, what="file of facts to write", hint="docs/interference.md shows one.")
    return validated(FactsFile, Document(text, str(path)), what="a file of facts to write")


def generate(spec: FactsFile, results: Results, *, advance: Advance = lambda n: None) -> Written:
    """Prepares the suites, lets something be written about each wrong option, and says beside which questions it may stand."""
    samples = [sample for entry in spec.suites for sample in _samples(entry, results)]
    options = sorted({option.strip() for sample in samples for option in wrong_options(sample)})
    if not options:
        raise ConfigError(
            "None of these suites has questions with options, so there is no wrong one to tell anything about."
        )
    written = Written()
    for one in _by_endpoint(spec, options, results, written):
        written.told.append(one)
        advance(1)
    written.told.sort(key=lambda one: one.option)
    review(written, samples)
    written.kept = write_about(Path(spec.out), written.told)
    return written


def wrong_options(sample: Sample) -> list[str]:
    """The options of a sample that are not the right one."""
    options = dict(zip(sample.labels, sample.options, strict=False))
    return [option for option in options.values() if plain(option) != plain(options.get(sample.gold, ""))]


def review(written: Written, samples: Iterable[Sample]) -> None:
    """Counts where a text would give an answer away. The condition leaves it out there, and says so in the sample."""
    told = {plain(one.option): one.text for one in written.told}
    for sample in samples:
        options = dict(zip(sample.labels, sample.options, strict=False))
        for text in (told[plain(option)] for option in wrong_options(sample) if plain(option) in told):
            written.beside += 1
            why = leak(text, options[sample.gold])
            if why:
                written.leaks[why.partition(",")[0]] += 1


def summary(written: Written) -> Mapping[str, Any]:
    """Counts for whoever started it."""
    return {
        "options": len(written.told),
        "failed": len(written.failures),
        "questions × wrong options": written.beside,
        "left out there": dict(written.leaks) or 0,
    }


def _samples(entry: str | SuiteEntry, results: Results) -> list[Sample]:
    entry = SuiteEntry(name=entry) if isinstance(entry, str) else entry
    suite = bind_suite(entry.name, entry.params, name=entry.as_, limit=entry.limit)
    return load_samples(prepare(suite, results).parent)


def _by_endpoint(spec: FactsFile, options: list[str], results: Results, written: Written) -> Iterable[About]:
    from mmplat.models.endpoint import load as load_endpoint

    endpoint = load_endpoint(bind_writer("writer", spec.writer, prompted_by="prompt"))
    prompts = [Prompt(TEXT.format(option), SYSTEM) for option in options]
    whose = {id(prompt): option for prompt, option in zip(prompts, options, strict=True)}
    for prompt, said in endpoint.complete(prompts, results.replies):
        option = whose[id(prompt)]
        if isinstance(said, Failure):
            written.failures.append(f"{option}: {said.error}")
        elif text := " ".join(said.text.split()):
            yield About(option=option, text=text, by={"model": endpoint.settings.model, "served": said.model, **PROMPT})
        else:
            written.failures.append(f"{option}: the reply is empty")
