"""Replies as an API spells them, read strictly: what cannot be read fails its sample, and is not guessed at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from mmplat.artifacts import safe_name, write_bytes
from mmplat.errors import ArtifactError
from mmplat.ids import canonical_json, content_id
from mmplat.models.endpoint.settings import Settings

NEVER = -9000.0
"""Servers spell "so unlikely that we do not say" as −9999: that is no number."""


class Top(BaseModel):
    token: str
    logprob: FiniteFloat


class Token(Top):
    """The token that was said, and the likeliest ones in its place."""

    top_logprobs: list[Top] = Field(default_factory=list)


class LogProbs(BaseModel):
    content: list[Token] | None = None


class Message(BaseModel):
    content: str | None = None


class Choice(BaseModel):
    message: Message
    logprobs: LogProbs | None = None


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int = 0


class Completion(BaseModel):
    """The parts of a chat completion that are read; APIs add others."""

    model: str
    choices: list[Choice] = Field(min_length=1)
    usage: Usage | None = None
    seconds: float = 0.0
    """Ours: how long the request took."""

    @property
    def told(self) -> tuple[tuple[str, float], ...]:
        """The likeliest first tokens; empty where the endpoint told none."""
        found = self.choices[0].logprobs
        if found is None or not found.content:
            return ()
        first = found.content[0]
        likeliest = [(top.token, top.logprob) for top in first.top_logprobs if top.logprob > NEVER]
        likeliest.sort(key=lambda pair: -pair[1])  # stable: equal ones stay in the endpoint's order
        # vLLM puts the token that it drew among them even where it is none of them, and then keeps silent about those between.
        drawn_below = len(likeliest) > 1 and likeliest[-1] == (first.token, first.logprob)
        return tuple(likeliest[:-1] if drawn_below else likeliest)

    @property
    def mass(self) -> float:
        """Probability of all told tokens."""
        return sum(math.exp(min(logprob, 1.0)) for _, logprob in self.told)

    @property
    def text(self) -> str:
        return self.choices[0].message.content or ""


class Unreadable(ValueError):
    """A reply that is no chat completion."""


def read(text: str, seconds: float) -> Completion:
    try:
        return Completion.model_validate_json(text).model_copy(update={"seconds": seconds})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        shown = text[:80].replace("\n", " ")
        raise Unreadable(
            f"the reply is no chat completion ({place or 'JSON'}: {first['msg']}); it begins {shown!r}"
        ) from None


class Kept:
    """Replies on disk, one file each, named by what was asked: paid for once. Beside them, what every request cost."""

    def __init__(self, root: Path, settings: Settings, served: str) -> None:
        self.root = root
        # A name that begins to mean another model is another folder.
        whose = {"url": settings.url, "model": settings.model, "served": served}
        self._folder = root / f"{safe_name(settings.model)}-{content_id(whose)}"

    def get(self, key: str) -> Completion | None:
        path = self._path(key)
        if not path.exists():
            return None
        try:
            return Completion.model_validate_json(path.read_bytes())
        except ValidationError:
            raise ArtifactError(
                f"{path} is no kept reply. Delete it: what it held is asked, and paid, again."
            ) from None

    def put(self, key: str, completion: Completion) -> None:
        write_bytes(self._path(key), canonical_json(completion.model_dump(mode="json")).encode(), sync=False)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"


class Ledger:
    """What was spent on one model of one endpoint below a results folder, by all runs and jobs: one line for each reply."""

    def __init__(self, root: Path, settings: Settings) -> None:
        name = content_id({"url": settings.url, "model": settings.model})
        self.path = root / f"{safe_name(settings.model)}-{name}.spent.csv"
        self._read = 0

    def news(self) -> Iterator[Usage]:
        """What was spent since the last call, by this job and by others beside it."""
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            stream.seek(self._read)
            whole = stream.read().rpartition(b"\n")[0]
        self._read += len(whole) + bool(whole)
        for line in whole.decode(errors="replace").splitlines():
            yield self._usage(line)

    def _usage(self, line: str) -> Usage:
        try:
            told, said = line.split(",")
            return Usage(prompt_tokens=int(told), completion_tokens=int(said))
        except ValueError:
            raise ArtifactError(
                f"{self.path} holds a line that says no tokens: {line!r:.60}. A full disk may have cut it off. Mend it (two "
                "numbers: tokens told, tokens said), or delete it; what is spent is the sum of all lines."
            ) from None

    def add(self, usage: Usage) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{usage.prompt_tokens},{usage.completion_tokens}\n")
