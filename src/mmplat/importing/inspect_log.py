"""inspect_ai's logs as JSON: samples with id, epoch, input, choices, target, output."""

from __future__ import annotations

from typing import Any

from mmplat.errors import ConfigError
from mmplat.importing._rows import groups_of, json_of, plain
from mmplat.importing.base import LETTERS, Answer, Format, Given, Question, Told, catalog


def read(given: Given) -> Told:
    if given.answers.suffix == ".eval":
        raise ConfigError(
            f"{given.answers} is a packed log. `inspect log dump {given.answers.name} > log.json` unpacks it."
        )
    log = json_of(given.answers)
    if not isinstance(log, dict) or not isinstance(log.get("samples"), list):
        raise ConfigError(
            f"{given.answers} is no log of inspect_ai with samples. Was it written with --no-log-samples?"
        )
    both = [_one(sample, f"{given.answers}: sample {number}") for number, sample in enumerate(log["samples"], 1)]
    return [question for question, _ in both], [answer for _, answer in both]


def _one(sample: dict[str, Any], place: str) -> tuple[Question, Answer]:
    """Each epoch asks the questions again, so it is a question of its own, about the same image."""
    for name in ("id", "target"):
        if name not in sample:
            raise ConfigError(f"{place}: there is no {name!r}. The sample has {', '.join(sample)}.")
    epoch, identity = sample.get("epoch") or 1, plain(sample["id"])
    if type(epoch) is not int or epoch < 1:
        raise ConfigError(f"{place}: the epoch is {epoch!r}. Epochs are counted from 1.")
    key = identity if epoch == 1 else f"{identity}#{epoch}"
    target, options = sample["target"], tuple(sample.get("choices") or ())
    metadata = sample.get("metadata") or {}
    question = Question(
        key,
        plain(target[0] if isinstance(target, list) else target).strip(),
        place,
        text=_content(sample.get("input")),
        labels=LETTERS[: len(options)],
        options=options,
        image=str(metadata.get("image") or identity),
        groups=groups_of(metadata, ("category", "split", "subject", "type")),
    )
    error = sample.get("error")
    said = error.get("message", str(error)) if isinstance(error, dict) else error
    return question, Answer(key, _said(sample.get("output") or {}), place, error=said)


def _said(output: dict[str, Any]) -> str:
    """`completion` is left out where it repeats the first choice."""
    if isinstance(output.get("completion"), str):
        return str(output["completion"])
    choices = output.get("choices") or [{}]
    return _content([choices[0].get("message") or {}])


def _content(said: Any) -> str:
    """The text of a message or of a list of them; images in it are left out."""
    if isinstance(said, list):
        return "\n".join(filter(None, map(_content, said)))
    if isinstance(said, dict):
        return str(said["text"]) if "text" in said else _content(said.get("content"))
    return said or ""


catalog.add("inspect", Format("inspect", "an inspect_ai log as JSON (`inspect log dump` unpacks .eval)", read,
                              files=("*.json",)))  # fmt: skip
