"""Training and test apart: what a training has seen, and whether a suite asks about the same.

A question that its picture decides is known by the picture, one that its words decide by the words; an equal prompt is known
whatever decides it. Pictures that do not decide (of text questions) do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmplat.artifacts import Results, read_json
from mmplat.errors import ConfigError
from mmplat.preparing import load_samples
from mmplat.recipes import TrainingJob
from mmplat.records import ModelSpec, Record, Sample, SuiteSpec
from mmplat.suites import catalog as suites


class Seen(Record):
    """What a training was shown, by content: results/trained/<key>/seen.json."""

    samples: tuple[str, ...]
    images: tuple[str, ...]
    questions: tuple[str, ...]
    known_questions: tuple[str, ...] = ()
    """Of suites with few questions, which a recipe declares as known: asking them again is counted, not refused."""


def seen_in(job: TrainingJob, results: Results) -> Seen:
    """Everything that the parts of a training hold."""
    found = [(part, [s for way in part.ways for s in _samples(way.suite, results)]) for part in job.data]
    by_words = [(part, samples) for part, samples in found if part.family == "text"]
    return Seen(
        samples=_names(s.sample_key for _, samples in found for s in samples),
        images=_names(i for part, samples in found if part.family != "text" for s in samples for i in s.images),
        questions=_names(s.question for part, samples in by_words if not part.known_questions for s in samples),
        known_questions=_names(s.question for part, samples in by_words if part.known_questions for s in samples),
    )


def refuse_seen(model: ModelSpec, suite: SuiteSpec, results: Results) -> None:
    """A trained model is not asked what it was trained on."""
    if model.training is None:
        return
    seen = Seen.model_validate(read_json(results.trained(model.training.key) / "seen.json", made_by="mmplat train"))
    shared = shared_with(seen, suite, _samples(suite, results))
    if shared:
        raise ConfigError(
            f"Suite {suite.name!r} is no test of model {model.name!r}, which was trained on {shared} of it. Give the suite or "
            f"the data of recipe {model.training.recipe!r} another seed, split or limit."
        )


def shared_with(seen: Seen, suite: SuiteSpec, samples: Sequence[Sample]) -> str:
    """What a suite has in common with what was seen, in words; nothing: an empty string."""
    needs = suites.get(suite.kind).needs
    shared = {
        "prompts": {s.sample_key for s in samples} & set(seen.samples),
        "pictures": {i for s in samples for i in s.images} & set(seen.images) if needs != "text" else set(),
        "questions": {s.question for s in samples} & set(seen.questions) if needs == "text" else set(),
    }
    return ", ".join(f"{len(common)} {what}" for what, common in shared.items() if common)


def _samples(suite: SuiteSpec, results: Results) -> list[Sample]:
    return load_samples(results.suite(suite.name, suite.key))


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found)))
