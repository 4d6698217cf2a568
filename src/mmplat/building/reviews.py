"""review: what people decide about items. Append-only; the last decision on an item wins, and the history stays.

For pages and scripts:

    from mmplat.artifacts import results
    from mmplat.building.reviews import Reviews
    from mmplat.building.stages import builds, open_build

    names = builds(results())                    # builds of the results folder
    reviews = Reviews(open_build(results(), names[0]))
    item = reviews.pending()[0]                  # Item: item_id, question, options (text, role, type), answer, type, reasons
    reviews.picture(item)                        # path of the PNG that models were shown
    reviews.build.spec.names(item.about.image.label)         # names of the right class; `.predicted`: of the mistaken one
    item.about.core, item.about.spurious         # attributes (type, phrase) that the item is built on
    reviews.decide(item.item_id, "accept", who="Ann")
    reviews.decide(item.item_id, "reject", who="Ben", note="the core option is not visible")
    reviews.decide(item.item_id, "edit", who="Ann", question="…", options=["…", "…", "…", "…"])
    reviews.standing()                           # item_id → the decision that counts
    reviews.history(item.item_id)                # all decisions, the oldest first

An edit keeps the order and the roles of the options and is checked at once by its words (ConfigError says what is wrong). What the
automatic checks rejected (`rejected()`) can be accepted or edited too: a person outranks them, and the data card counts how
often. A decision belongs to the words that were seen: where a later run wrote others, the item waits for review again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from mmplat.artifacts import write_bytes
from mmplat.building.checking import CHECK, worded_badly
from mmplat.building.items import Item, lines_in, read_lines
from mmplat.building.stages import Build
from mmplat.errors import ArtifactError, ConfigError
from mmplat.ids import canonical_json
from mmplat.records import Record

Verdict = Literal["accept", "edit", "reject"]


class Decision(Record):
    """What one person decided about one item at one time."""

    item_id: str
    item_key: str
    """The words that were seen."""
    verdict: Verdict
    who: str
    when: str
    """UTC, ISO 8601."""
    note: str = ""
    question: str | None = None
    options: tuple[str, ...] | None = None
    """Of an edit: what the item says instead."""


class Reviews:
    """The decisions about the items of a build."""

    def __init__(self, build: Build) -> None:
        self.build = build

    def items(self) -> list[Item]:
        """Every item as the checks left it."""
        path = self.build.lines(CHECK.name)
        state = path.stat() if path.exists() else None
        return list(_items(path, state and state.st_mtime_ns, state and state.st_size))

    def pending(self) -> list[Item]:
        """What passed the checks and waits for a person."""
        decided = self.standing()
        return [item for item in self.items() if not item.reasons and item.item_id not in decided]

    def rejected(self) -> list[Item]:
        """What the checks rejected and nobody decided otherwise."""
        decided = self.standing()
        return [item for item in self.items() if item.reasons and item.item_id not in decided]

    def accepted(self) -> list[Item]:
        """What people let through, in the words that they left."""
        decided = self.standing()
        found = [(item, decided[item.item_id]) for item in self.items() if item.item_id in decided]
        return [worded(item, decision) for item, decision in found if decision.verdict != "reject"]

    def standing(self) -> dict[str, Decision]:
        """The last decision on each item, where the item still says what was decided on."""
        keys = {item.item_id: item.key for item in self.items()}
        last = {decision.item_id: decision for decision in self.history()}
        return {name: decision for name, decision in last.items() if keys.get(name) == decision.item_key}

    def history(self, item_id: str | None = None) -> list[Decision]:
        """All decisions, or those on one item, the oldest first."""
        found = _read(self.build.reviews)
        return [decision for decision in found if item_id in (None, decision.item_id)]

    def decide(
        self,
        item_id: str,
        verdict: Verdict,
        *,
        who: str,
        note: str = "",
        question: str | None = None,
        options: Sequence[str] | None = None,
    ) -> Decision:
        """Adds a decision. Two people may decide at the same moment: both decisions are kept."""
        item = self._item(item_id)
        self._refuse_odd(item, verdict, who, question, options)
        decision = Decision(
            item_id=item_id,
            item_key=item.key,
            verdict=verdict,
            who=who.strip(),
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            note=note,
            question=question,
            options=None if options is None else tuple(options),
        )
        if verdict == "edit":
            self._refuse_worse(worded(item, decision))
        self._append(decision)
        return decision

    def picture(self, item: Item) -> Path:
        return self.build.picture(item.about.image.image)

    def _item(self, item_id: str) -> Item:
        found = [item for item in self.items() if item.item_id == item_id]
        if not found:
            raise ConfigError(
                f"There is no item {item_id!r} in build {self.build.spec.build!r}. `mmplat spubench review` lists them."
            )
        return found[0]

    def _refuse_odd(
        self, item: Item, verdict: str, who: str, question: str | None, options: Sequence[str] | None
    ) -> None:
        if verdict not in get_args(Verdict):
            raise ConfigError(f"A decision is {', '.join(get_args(Verdict))}, not {verdict!r}.")
        if not who.strip():
            raise ConfigError("A decision needs the name of who decides.")
        edited = question is not None or options is not None
        if edited != (verdict == "edit"):
            raise ConfigError("An edit gives another question or other options, and no other decision does.")
        if options is not None and len(options) != len(item.options):
            raise ConfigError(f"An edit gives all {len(item.options)} options in their order, not {len(options)}.")

    def _refuse_worse(self, item: Item) -> None:
        texts = [item.question, *(option.text for option in item.options)]
        reasons = worded_badly(item, self.build.spec) if all(text.strip() for text in texts) else ["a text is empty"]
        if reasons:
            raise ConfigError(f"The edit of {item.item_id} is not kept. {'; '.join(reasons)}. Change these words.")

    def _append(self, decision: Decision) -> None:
        path = self.build.reviews
        with _alone(path):
            before = path.read_bytes() if path.exists() else b""
            write_bytes(path, before + f"{canonical_json(decision.model_dump())}\n".encode())


def worded(item: Item, decision: Decision) -> Item:
    """The item in the words of a decision."""
    if decision.verdict != "edit":
        return item
    texts = decision.options or tuple(option.text for option in item.options)
    options = [
        option.model_copy(update={"text": text.strip()}) for option, text in zip(item.options, texts, strict=True)
    ]
    question = item.question if decision.question is None else decision.question.strip()
    return item.model_copy(update={"question": question, "options": tuple(options)})


@lru_cache(maxsize=8)
def _items(path: Path, *stamp: int | None) -> tuple[Item, ...]:
    """A page reads them at every click: they are parsed again only where the file changed."""
    return tuple(read_lines(path, Item, made_by="mmplat spubench check"))


def _read(path: Path) -> list[Decision]:
    if not path.exists():
        return []
    try:
        return [Decision.model_validate(json.loads(line)) for line in lines_in(path.read_text(encoding="utf-8"))]
    except (ValidationError, ValueError) as error:
        raise ArtifactError(
            f"{path} holds what is no decision ({error}). Nothing else was changed: mend that line."
        ) from error


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits for its turn: pages of one process and processes on one machine write one after another."""
    with path.with_name(f".{path.name}.lock").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
