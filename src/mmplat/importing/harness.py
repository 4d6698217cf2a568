"""Sample logs of lmms-eval and lm-eval: JSON lines with doc_id, doc, target, resps, filtered_resps."""

from __future__ import annotations

from collections.abc import Iterator
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
    chosen = _likeliest(said)
    gold, labels = _gold(row, len(said) if chosen is not None else 0)
    question = Question(key, gold, row.place, text=text, labels=labels, image=image, groups=groups_of(doc, GROUPS))
    label = None if chosen is None else LETTERS[chosen]
    return question, Answer(key, label or _text(said), row.place, label=label)


def _response(row: Row) -> Any:
    """What the task's own filter left; it is a list with one entry per request."""
    said = row.get("filtered_resps", "resps")
    return said if isinstance(said, list) else [said]


def _likeliest(said: list[Any]) -> int | None:
    """The place of the likeliest option, where each response is (log-likelihood, is greedy)."""
    pairs = [one[0] if isinstance(one, list) and one and isinstance(one[0], list) else one for one in said]
    scores = [one[0] for one in pairs if isinstance(one, list) and len(one) == 2 and str(one[1]) in ("True", "False")]
    if len(scores) != len(said) or len(said) < 2:
        return None
    return max(range(len(scores)), key=lambda at: float(scores[at]))


def _text(said: Any) -> str:
    while isinstance(said, list):
        said = said[0] if said else ""
    return str(said)


def _gold(row: Row, options: int) -> tuple[str, tuple[str, ...]]:
    """The target: a text, or the place of the right option."""
    target = row.get("target")
    if not options:
        return plain(target).strip(), ()
    try:
        return LETTERS[int(target)], LETTERS[:options]
    except (ValueError, IndexError):
        raise ConfigError(
            f"{row.place}: the target of a multiple choice is the place of its option, not {target!r}."
        ) from None


for _name in ("lmms-eval", "lm-eval"):
    catalog.add(_name, Format(_name, f"sample logs of {_name} (--log_samples), one task per file", read,
                              files=("*samples_*.jsonl",)))  # fmt: skip
