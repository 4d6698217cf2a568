"""Sample logs of lmms-eval and lm-eval: JSON lines with doc_id, doc, target, resps, filtered_resps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from mmplat.errors import ConfigError
from mmplat.importing._rows import groups_of, json_of, plain, rows_of
from mmplat.importing.base import LETTERS, Answer, Format, Given, Question, Told, catalog
from mmplat.suites._files import Row

GROUPS = ("category", "split", "subset", "subject", "type", "subfield")


def read(given: Given) -> Told:
    both = [_one(row) for row in _logs(given)]
    return [question for question, _ in both], [answer for _, answer in both]


def _logs(given: Given) -> Iterator[Row]:
    """Older versions of lmms-eval wrote one JSON object with the rows under `logs`."""
    rows = rows_of(given.answers) if given.answers.suffix == ".jsonl" else ()
    if rows:
        return iter(rows)
    found = json_of(given.answers)
    logs = found.get("logs") if isinstance(found, dict) else found
    if not isinstance(logs, list):
        raise ConfigError(
            f"{given.answers}: a sample log is JSON lines, or an object with `logs`. Was it --log_samples?"
        )
    return (Row(data, f"{given.answers}: row {number}") for number, data in enumerate(logs, 1))


def _one(row: Row) -> tuple[Question, Answer]:
    key, said = plain(row.get("doc_id")), _response(row)
    doc = row.data.get("doc")
    doc = doc if isinstance(doc, dict) else {}
    text = str(doc.get("question") or row.data.get("input") or "")
    image = next(
        (str(doc[name]) for name in ("image_source", "image_id", "image") if isinstance(doc.get(name), str)), ""
    )
    scores = _likelihoods(said)
    gold, labels = _gold(row, 0 if scores is None else len(scores))
    question = Question(key, gold, row.place, text=text, labels=labels, image=image, groups=groups_of(doc, GROUPS))
    if scores is None:
        return question, Answer(key, _text(said), row.place)
    chosen = _likeliest(scores)
    if isinstance(chosen, str):
        return question, Answer(key, "", row.place, error=chosen)
    return question, Answer(key, LETTERS[chosen], row.place, label=LETTERS[chosen])


def _response(row: Row) -> Any:
    """What the task's own filter left; it is a list with one entry per request."""
    said = row.get("filtered_resps", "resps")
    return said if isinstance(said, list) else [said]


def _likelihoods(responses: list[Any]) -> list[Any] | None:
    """The log-likelihood of each option, where responses are (log-likelihood, is greedy); None: they are texts.

    Where only some are such pairs, the others have no likelihood.
    """
    pairs = [one[0] if isinstance(one, list) and one and isinstance(one[0], list) else one for one in responses]
    scored = [isinstance(one, list) and len(one) == 2 and str(one[1]) in ("True", "False") for one in pairs]
    if len(responses) < 2 or not any(scored):
        return None
    return [one[0] if is_pair else None for one, is_pair in zip(pairs, scored, strict=True)]


def _likeliest(scores: Sequence[Any]) -> int | str:
    """The place of the likeliest option, or why none is.

    An impossible option (−∞) loses. One of which nothing is known makes the likeliest unknown: NaN and null compare with
    nothing, and whatever stood first would win. So it is where two are the likeliest; lm-eval counts the first of them.
    """
    found = [_number(one) for one in scores]
    for letter, one, given in zip(LETTERS, found, scores, strict=False):
        if one is None or math.isnan(one) or one == math.inf:
            return f"the log-likelihood of option {letter} is {given!r:.40}, which is no number"
    best = max(one for one in found if one is not None)
    places = [at for at, one in enumerate(found) if one == best]
    if len(places) > 1:
        return f"options {' and '.join(LETTERS[at] for at in places)} are equally likely ({best:g}), so neither is the likeliest"
    return places[0]


def _number(value: Any) -> float | None:
    """A number as JSON or as text, as older logs spell it; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _text(said: Any) -> str:
    while isinstance(said, list):
        said = said[0] if said else ""
    return str(said)


def _gold(row: Row, options: int) -> tuple[str, tuple[str, ...]]:
    """The target: a text, or the place of the right option."""
    target = row.get("target")
    if not options:
        return plain(target).strip(), ()
    if options > len(LETTERS):
        raise ConfigError(f"{row.place}: a question has {options} options; at most {len(LETTERS)} can be imported.")
    place = _number(target)
    if place is None or place not in range(options):
        raise ConfigError(
            f"{row.place}: the target of a multiple choice is the place of its option, from 0 to {options - 1}, not {target!r}."
        )
    return LETTERS[int(place)], LETTERS[:options]


for _name in ("lmms-eval", "lm-eval"):
    catalog.add(_name, Format(_name, f"sample logs of {_name} (--log_samples), one task per file", read,
                              files=("*samples_*.jsonl",)))  # fmt: skip
