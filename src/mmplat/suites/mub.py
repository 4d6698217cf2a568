"""MUB: questions from nine benchmarks on which many models were misled; multiple choice (2–6 options, some in Chinese) and yes/no.

Layout: the released file, one JSON array although it ends in .jsonl. The public copies break off in the middle of an item and
repeat items 3–9 times: every complete item is recovered, equal ones are asked once, and what is dropped is counted in suite.json.
The cue, the answer and the flags that the file records belong to other models: they are kept aside and shown to nobody.

Difficulty says how many of twelve probing models were misled by a cue. For these twelve, rates rise with it by construction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmplat.errors import ConfigError
from mmplat.ids import content_id
from mmplat.records import SuiteSpec
from mmplat.samples import LeftOut, RawSample
from mmplat.suites._choices import LAYOUTS, LETTER_ONLY, asked, letters, one_file
from mmplat.suites._files import DEFAULTS, PLACES, Question, Row, chosen, images_folder, row_of, text_of
from mmplat.suites._loading import Asked, Loader
from mmplat.suites._official import mub
from mmplat.suites._parsing import strict
from mmplat.suites._prompts import PROMPTS, YES_NO
from mmplat.suites.base import Suite, catalog

NAMES = ("all_combined_items.jsonl", "benchmark.json")
WHAT = "the released all_combined_items.jsonl (or one of allmislead_gpt….jsonl), or a folder that holds it"
LEVELS = {6: "low", 9: "medium", 12: "high"}
EXACT, AT_LEAST = MODES = ("exact", "at-least")
"""Whether a level holds the items of exactly so many misled models, as the paper's scripts have it, or of at least as many."""
RECORDED = ("guide", "response", "question_correction", "model")
"""Of the model that was probed when the data were made, and of no other."""
NOTES = {"closed_model_response_F": "misleading", "closed_model_response_T": "guiding"}
"""Where the released implicit files hold notes, several in one text."""
MARKER = re.compile(r"\s*<image \d+>\s*")
INSIDE = re.compile(r"(?<!\w)([A-F])\)\s*(.+?)\s*(?=(?<!\w)[A-F]\)|\n|$)")
"""An option that stands in the question itself: "A) text"."""
TRUTH = re.compile(r"true answer is\s*:?\s*(\w+)", re.IGNORECASE)


def recovered(text: str) -> Iterator[Any]:
    """Every complete value of a JSON array (or of JSON lines), and a LeftOut where the text breaks off."""
    decoder, at = json.JSONDecoder(), 0
    for number in range(1, len(text) + 1):
        while at < len(text) and text[at] in "[], \t\r\n":
            at += 1
        if at == len(text):
            return
        try:
            found, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            yield LeftOut(f"row {number}", f"the file breaks off here, {len(text) - at} characters before its end")
            return
        yield found


@lru_cache(maxsize=4)
def _rows(path: Path, *stamp: int) -> Sequence[Row | LeftOut]:
    values = enumerate(recovered(_text(path)), 1)
    return [one if isinstance(one, LeftOut) else row_of(one, f"{path}: row {number}") for number, one in values]


def _text(path: Path) -> str:
    """A file may break off inside a character too."""
    data = path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        return data[: error.start].decode() if error.end == len(data) else text_of(path)


def rows_of(path: Path) -> Sequence[Row | LeftOut]:
    return _rows(path, path.stat().st_mtime_ns, path.stat().st_size)


def _questions(spec: SuiteSpec, path: Path) -> Sequence[Asked]:
    file = one_file(path, NAMES, WHAT)
    folder = images_folder(spec, file.parent)
    return list(_distinct(rows_of(file), spec, folder))


def _distinct(rows: Iterable[Row | LeftOut], spec: SuiteSpec, folder: Path | None) -> Iterator[Asked]:
    """Each item once; a repeated one is counted, and one that is repeated with another answer is told apart."""
    seen: dict[str, Row] = {}
    for row in rows:
        if isinstance(row, LeftOut):
            yield row
            continue
        identity = identity_of(row)
        first = seen.setdefault(identity, row)
        if first is not row:
            same = all(first.data.get(name) == row.data.get(name) for name in ("answer", "choices"))
            yield LeftOut(identity, "repeated" if same else "repeated with another answer or other options")
        else:
            yield _question(row, identity, spec, folder)


def identity_of(row: Row) -> str:
    """An item is known by its image and its question."""
    return f"{Path(row.text('new_id')).stem}-{content_id(row.text('question'), length=6)}"


def _question(row: Row, identity: str, spec: SuiteSpec, folder: Path | None) -> Asked:
    level = _level(row, spec)
    if level is None:
        return LeftOut(identity, f"num = {row.data.get('num')!r}, and levels are exactly {', '.join(map(str, LEVELS))}")
    images = () if folder is None else (_image(folder, row.text("new_id")),)
    kind = _kind(row)
    made = _MADE[kind](row, identity, spec, images, _shared(row, level, kind))
    if isinstance(made, Question) and made.sample.gold not in made.sample.labels:
        return LeftOut(identity, f"the right answer {made.sample.gold!r} is none of {', '.join(made.sample.labels)}")
    return made


def _level(row: Row, spec: SuiteSpec) -> dict[str, str] | None:
    """Groups by difficulty; None: of no level. A curated file says its levels itself."""
    said, mode = row.data.get("difficulty"), chosen(spec, "levels", MODES)
    if said is not None:
        return {"difficulty": str(said)}
    num = row.get("num")
    if type(num) is not int:
        return None
    if mode == EXACT:
        return {"difficulty": LEVELS[num]} if num in LEVELS else None
    reached = [least for least in LEVELS if num >= least]
    return {"difficulty": LEVELS[reached[-1]], **{f"at_least_{n}": "yes" for n in reached}} if reached else None


def _kind(row: Row) -> str:
    if row.text("question_type_CHorYN") == "YN":
        return "yes-no"
    return "choice" if row.data.get("choices") else "choice-inside"


def _shared(row: Row, level: dict[str, str], kind: str) -> dict[str, Any]:
    recorded = {name: row.data[name] for name in RECORDED if name in row.data}
    notes = {name: row.text(column) for column, name in NOTES.items() if column in row.data}
    groups = {**level, "dataset": row.text("dataset"), "category": row.text("all_category"), "type": kind}
    reference = {"recorded": recorded, "num": row.data.get("num"), **({"notes": notes} if notes else {})}
    return {"cluster": row.text("new_id"), "groups": groups, "reference": reference}


def _choice(row: Row, identity: str, spec: SuiteSpec, images: tuple[Path, ...], shared: dict[str, Any]) -> Asked:
    """Letters are given anew from A; the gold goes with its option."""
    said = row.get("choices")
    if not isinstance(said, dict):
        return LeftOut(identity, f"its choices are {said!r:.60}, and not texts by their letters")
    choices = {str(letter).strip().upper(): str(text) for letter, text in sorted(said.items())}
    given = row.text("answer").strip().upper()
    if given not in choices:  # before letters are given anew: C of A, B, D would name what was D
        return LeftOut(identity, f"the right answer {given!r} is none of {', '.join(choices)}")
    gold = dict(zip(choices, letters(choices), strict=True))[given]
    return asked(row, spec, identity, _bare(row), list(choices.values()), gold, images, **shared)


def _choice_inside(row: Row, identity: str, spec: SuiteSpec, images: tuple[Path, ...], shared: dict[str, Any]) -> Asked:
    """The options stand in the question, which stays as it is: a cue comes after it."""
    stem = _bare(row)
    listed = [(letter, text.strip(" ,;")) for letter, text in INSIDE.findall(stem)]
    found = tuple(letter for letter, _ in listed)
    if len(found) < 2 or found != letters(found):
        return LeftOut(identity, f"options were looked for in its question as 'A) …', and {list(found)} were found")
    options = tuple(text for _, text in listed)
    gold = row.text("answer").strip().upper()[:1]
    question = f"{stem}\n{LETTER_ONLY}"
    return Question(RawSample(identity, question, found, gold, options=options, stem=stem, **shared), images, row.place)


def _yes_no(row: Row, identity: str, spec: SuiteSpec, images: tuple[Path, ...], shared: dict[str, Any]) -> Asked:
    """The file spells Yes, yes and No."""
    stem, gold = _bare(row), row.text("answer").strip(" .").lower()
    question = PROMPTS["yes-no"].format(stem)
    return Question(RawSample(identity, question, YES_NO, gold, stem=stem, **shared), images, row.place)


_MADE = {"choice": _choice, "choice-inside": _choice_inside, "yes-no": _yes_no}


def _bare(row: Row) -> str:
    """Every item has one image: a marker at the ends of the question says nothing, and one inside it is "the image"."""
    text = re.sub(r"^(?:\s*<image \d+>)+|(?:<image \d+>\s*)+$", "", row.text("question"))
    return MARKER.sub(" the image ", text).strip()


def _image(folder: Path, key: str) -> Path:
    """The key is a path; people also give the folder of the images itself."""
    inner = folder / key
    return inner if inner.exists() or not (folder / Path(key).name).exists() else folder / Path(key).name


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
    raise ConfigError(f"MUB is published as a JSON file and no table. `path` is {WHAT}.")


@dataclass(frozen=True, slots=True)
class Audit:
    """What the recorded cues of a released file say, by what became of the answer they were shown with."""

    items: int
    misled: int
    """Recorded as right before and wrong after the cue."""
    misled_with_gold: int
    """Of these, cues that name the right answer: 0 in sound data."""
    corrected: int
    """Recorded as wrong before and right after the cue."""
    corrected_without_gold: int
    """Of these, cues that do not name the right answer: 0 in sound data."""
    left_out: int


def audit(path: Path) -> Audit:
    """Checks the recorded cues of a file; none of them is ever shown to a model."""
    spec = SuiteSpec(name="mub", kind="mub", version=1, params={**DEFAULTS, "prompt": "letter", "levels": AT_LEAST})
    found = list(_distinct(rows_of(one_file(path, NAMES, WHAT)), spec, None))
    samples = [one.sample for one in found if isinstance(one, Question)]
    if not samples:
        why = next((one.reason for one in found if isinstance(one, LeftOut)), "the file is empty")
        raise ConfigError(f"{path} holds no whole item ({why}). `path` is {WHAT}.")
    by_flag: dict[str, list[bool]] = {"TF": [], "FT": []}
    for sample in samples:
        recorded = sample.reference["recorded"]
        if recorded.get("question_correction") in by_flag:
            named = TRUTH.search(str(recorded.get("guide", "")))
            is_gold = named is not None and named[1].casefold() == sample.gold.casefold()
            by_flag[recorded["question_correction"]].append(is_gold)
    misled, corrected = by_flag["TF"], by_flag["FT"]
    return Audit(
        len(samples),
        len(misled),
        sum(misled),
        len(corrected),
        len(corrected) - sum(corrected),
        len(found) - len(samples),
    )


LOADER = Loader(
    what=WHAT,
    of_table=_of_table,
    files=lambda spec, path: {"items": one_file(path, NAMES, WHAT)},
    questions=_questions,
    parts=2,
)
catalog.add(
    "mub",
    Suite(
        "mub",
        "questions on which many models were misled: multiple choice and yes/no, by difficulty",
        1,
        LOADER.samples,
        LOADER.count,
        defaults={"prompt": next(iter(LAYOUTS)), "levels": EXACT, **DEFAULTS},
        subsets=(("difficulty",), ("dataset",), ("category",), ("type",), *((f"at_least_{n}",) for n in LEVELS)),
        needs="both",
        parse=strict,
        official={"official": mub},
        sources=LOADER.sources,
        places=PLACES,
    ),
)
