"""Where words are put into a question."""

from __future__ import annotations

from dataclasses import replace

from mmplat.errors import ConfigError
from mmplat.samples import RawSample


def before_question(sample: RawSample, text: str, separator: str = " ") -> RawSample:
    """Text, then the bare question; what a prompt puts in front of the question stays in front."""
    head, stem, tail = _around(sample)
    return replace(sample, question=f"{head}{text}{separator}{stem}{tail}")


def after_stem(sample: RawSample, text: str, separator: str = " ") -> RawSample:
    """Text behind the bare question, before options and instructions."""
    head, stem, tail = _around(sample)
    return replace(sample, question=f"{head}{stem}{separator}{text}{tail}")


def at_end(sample: RawSample, text: str, separator: str = " ") -> RawSample:
    """Everything that was asked, then the text."""
    return replace(sample, question=f"{sample.question}{separator}{text}")


def _around(sample: RawSample) -> tuple[str, str, str]:
    """What is asked, cut into what precedes the bare question, the question, and what follows."""
    stem = sample.stem or sample.question
    head, found, tail = sample.question.partition(stem)
    if not found:
        raise ConfigError(
            f"Sample {sample.sample_id!r}: its bare question {stem!r:.60} does not stand in what is asked, so there is no place "
            "beside it. The suite's loader must give the `stem` as it stands in `question` (docs/add-a-suite.md)."
        )
    return head, stem, tail
