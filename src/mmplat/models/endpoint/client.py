"""An endpoint as a remote model: checked once, then asked many things at once, each of them paid for once."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mmplat.decoding.configs import spelled
from mmplat.errors import ConfigError, ModelError
from mmplat.ids import seed_from
from mmplat.models.base import Ask, Failure, Reply, families
from mmplat.models.endpoint.budget import Budget
from mmplat.models.endpoint.patience import NotAnswered, Patience, Refused, Stopped
from mmplat.models.endpoint.replies import Completion, Kept, Ledger, Unreadable, read
from mmplat.models.endpoint.requests import Request, request_for, shown_by
from mmplat.models.endpoint.settings import OPENAI, VERSION, Settings, settings_of
from mmplat.records import ModelSpec, Prompt

log = logging.getLogger(__name__)

HELLO = "Is snow white? Answer with one word: yes or no."
FEWEST = 2
"""Log-probabilities of two tokens: the least that shows that any are told."""
IN_A_ROW = 10
"""So many failures without one reply between them are no samples' fault."""
WAKE_S = 0.5
"""Ctrl-C is looked for this often: polars takes over SIGINT in a way that does not interrupt a waiting thread."""
SURE = 1.01
"""Probabilities sum to 1, and servers round."""

Item = TypeVar("Item")
Found = TypeVar("Found")


class Endpoint:
    """One model of one endpoint, checked to be there."""

    def __init__(self, spec: ModelSpec) -> None:
        self.settings = settings_of(spec)
        self._key = _key(spec.name, self.settings)
        self._patience = Patience(self.settings, self._scrub)
        self._turns: dict[str, threading.Lock] = {}
        self._failed_in_a_row = 0
        self._checks: list[Completion] = []
        with self._connected():
            self.tells = self._tells_logprobs()
        self.served = self._checks[-1].model
        self.hardware = f"endpoint {self.settings.host}"

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that determines its replies, as far as that is known from outside."""
        settings = self.settings
        whose = {"url": settings.url, "model": settings.model, "served": self.served, "system": settings.system}
        drawn = {"sampled": settings.drawn.settings, "draws": settings.draws, "answer_tokens": settings.answer_tokens}
        return {
            "family": "endpoint",
            "adapter": VERSION,
            **whose,
            **({"told": settings.top_logprobs} if self.tells else drawn),
        }

    def unavailable(self, kind: str) -> str | None:
        return families.get("endpoint").unavailable(kind)

    def answer(self, asks: Iterable[Ask], replies: Path) -> Iterator[tuple[Ask, Reply | Failure]]:
        """What the model tells of each ask."""

        def reply(ask: Ask, kept: Kept, budget: Budget) -> Reply | Failure:
            return self._reply([self._complete(request, kept, budget) for request in self._requests(ask)])

        return self._each(asks, reply, replies)

    def complete(self, prompts: Iterable[Prompt], replies: Path) -> Iterator[tuple[Prompt, Completion | Failure]]:
        """What the model writes to each prompt, once, by the decoding of its settings. Only where `answers` is `sampled`."""

        def written(prompt: Prompt, kept: Kept, budget: Budget) -> Completion | Failure:
            return self._complete(Request(prompt.text, shown_by(prompt), prompt.system, self._drawing(0)), kept, budget)

        return self._each(prompts, written, replies)

    def _each(
        self, items: Iterable[Item], one: Callable[[Item, Kept, Budget], Found | Failure], replies: Path
    ) -> Iterator[tuple[Item, Found | Failure]]:
        """Asks as many at once as `concurrency` says. An error that ends the run is raised after what was on its way."""
        kept, budget = Kept(replies, self.settings, self.served), Budget(self.settings, Ledger(replies, self.settings))
        while self._checks:
            budget.pay(self._checks.pop().usage)
        running: set[Future[tuple[Item, Found | Failure]]] = set()
        ends: list[BaseException] = []
        with self._connected(), ThreadPoolExecutor(self.settings.concurrency) as pool:
            try:
                for item in items:
                    running.add(pool.submit(self._one, item, one, kept, budget))
                    if len(running) >= 2 * self.settings.concurrency:  # no more pictures in memory than that
                        yield from self._ended(running, ends)
                    if ends:
                        break
                while running:
                    yield from self._ended(running, ends)
            except BaseException:  # Ctrl-C, or an error of whoever reads the replies
                self._stop(running)
                raise
        if ends:
            raise ends[0]

    def _ended(
        self, running: set[Future[tuple[Item, Found | Failure]]], ends: list[BaseException]
    ) -> Iterator[tuple[Item, Found | Failure]]:
        """Takes out of `running` what has ended: yields replies and failures, and puts aside what ends the run."""
        done, _ = wait(running, WAKE_S, return_when=FIRST_COMPLETED)
        running -= done
        for future in done:
            if future.cancelled() or isinstance(future.exception(), Stopped):
                continue
            error = future.exception() or self._outage(future.result()[1])
            if error is not None:
                ends.append(error)
                self._stop(running)
            else:
                yield future.result()

    def _outage(self, reply: object) -> ModelError | None:
        """Failures that come one after another are the endpoint's, and asking the other samples would waste them."""
        self._failed_in_a_row = self._failed_in_a_row + 1 if isinstance(reply, Failure) else 0
        if not isinstance(reply, Failure) or self._failed_in_a_row < IN_A_ROW:
            return None
        return ModelError(
            f"{self.settings.url} failed {IN_A_ROW} samples in a row, the last with: {reply.error}. What was asked before is "
            "kept: look at the endpoint, then run the same command again."
        )

    def _stop(self, running: Iterable[Future[Any]]) -> None:
        self._patience.stop.set()
        for future in running:
            future.cancel()

    def _one(
        self, item: Item, one: Callable[[Item, Kept, Budget], Found | Failure], kept: Kept, budget: Budget
    ) -> tuple[Item, Found | Failure]:
        try:
            return item, one(item, kept, budget)
        except (NotAnswered, Unreadable) as error:
            return item, Failure(str(error))
        except BaseException:
            self._patience.stop.set()  # at once: nothing is sent after what ends the run
            raise

    def _reply(self, completions: list[Completion]) -> Reply | Failure:
        if not self.tells:
            seconds = sum(c.seconds for c in completions)
            return Reply((), tuple(c.text for c in completions), spelled(self.settings.drawn), seconds)
        (only,) = completions
        lack = self._lack(only)
        return Reply(only.told, seconds=only.seconds) if lack is None else Failure(lack)

    def _lack(self, completion: Completion) -> str | None:
        """Why a reply is of no use, so that it is not kept and asked again next time; None: it is."""
        if self.tells and not completion.told:
            return "the endpoint told no log-probabilities of this answer"
        if self.tells and completion.mass > SURE:
            return f"the told log-probabilities are none: their probabilities sum to {completion.mass:.4g}"
        return None

    def _requests(self, ask: Ask) -> list[Request]:
        """One that tells, or as many as there are draws, each with a seed of its own."""
        settings = self.settings
        if self.tells:
            return [request_for(ask, settings.system, self._telling(settings.top_logprobs))]
        draws = 1 if settings.drawn.greedy else settings.draws
        seeds = [seed_from(ask.sample.sample_key, ask.view.asked, draw) % 2**31 for draw in range(draws)]
        return [request_for(ask, settings.system, self._drawing(seed)) for seed in seeds]

    def _telling(self, count: int) -> dict[str, Any]:
        # Some servers tell log-probabilities after temperature and filters: at these settings both change nothing.
        neutral = {"temperature": 1.0, "top_p": 1.0}
        model = self.settings.model
        return {"model": model, "max_completion_tokens": 1, "logprobs": True, "top_logprobs": count, **neutral}

    def _drawing(self, seed: int) -> dict[str, Any]:
        settings, how = self.settings, self.settings.drawn
        options = {"temperature": 0.0 if how.greedy else how.temperature, "top_p": how.top_p or 1.0, "seed": seed}
        return {"model": settings.model, "max_completion_tokens": settings.answer_tokens, **options}

    def _complete(self, request: Request, kept: Kept, budget: Budget) -> Completion:
        """The reply to a request: the kept one, or a new one. Equal requests wait for each other, and one is paid."""
        key = request.key
        with self._turns.setdefault(key, threading.Lock()):
            found = kept.get(key)
            if found is None:
                with budget.request() as pay:
                    found = self._sent(request, key)
                    pay(found.usage)
                self._refuse_another(found)
                if self._lack(found) is None:
                    kept.put(key, found)
        return found

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Connections are held while they are used, and closed then."""
        with _client(self.settings, self._key) as self._client:
            yield

    def _sent(self, request: Request, key: str) -> Completion:
        body = request.body

        def send() -> tuple[str, float]:
            began = time.perf_counter()
            response = self._client.chat.completions.with_raw_response.create(**body)
            return response.text, time.perf_counter() - began

        text, seconds = self._patience.answered(send, key)
        return read(self._scrub(text), seconds)

    def _refuse_another(self, completion: Completion) -> None:
        if completion.model != self.served:
            raise ModelError(
                f"{self.settings.url} began to serve {completion.model!r} as {self.settings.model!r} (it was {self.served!r}). "
                "Answers of two models are not mixed: name one of them in `model`, or run the same command again to ask "
                "the new one from the start."
            )

    def _tells_logprobs(self) -> bool:
        """The check before the first sample: is it there, does it take the key, does it tell log-probabilities?"""
        settings = self.settings
        if settings.answers != "sampled":
            refused = self._hello(self._telling(settings.top_logprobs))
            if refused is None and self._checks[-1].told:
                return True
            self._refuse_too_many(refused)
            if settings.answers == "logprobs":
                raise ModelError(
                    f"{settings.url} tells no log-probabilities of {settings.model!r} ({refused or 'none in its reply'}). "
                    "With `answers: sampled` in params, answers are drawn instead."
                )
            log.warning("%s tells no log-probabilities of %r: answers are drawn.", settings.url, settings.model)
        refused = self._hello(self._drawing(0))
        if refused is not None:
            raise ModelError(f"{settings.url} does not take a chat request for {settings.model!r}: {refused}.")
        return False

    def _refuse_too_many(self, refused: str | None) -> None:
        """An endpoint that tells some log-probabilities is not to be taken for one that tells none."""
        if refused is not None and self._hello(self._telling(FEWEST)) is None and self._checks[-1].told:
            raise ModelError(
                f"{self.settings.url} does not tell {self.settings.top_logprobs} log-probabilities: {refused}. Set a smaller "
                "top_logprobs in params."
            )

    def _hello(self, options: dict[str, Any]) -> str | None:
        """Asks one small question; returns why it was refused, None where it was answered."""
        request = Request(HELLO, (), self.settings.system, options)
        try:
            self._checks.append(self._sent(request, request.key))
        except Refused as error:
            return str(error)
        except (NotAnswered, Unreadable) as error:
            raise ModelError(
                f"{self.settings.url} gives no answer: {error}. Nothing was asked. Is it up, and is `url` right?"
            ) from None
        return None

    def _scrub(self, text: str) -> str:
        """What a server says may repeat the key; nothing that is kept or shown does."""
        return text.replace(self._key, "***") if self._key else text


def _key(name: str, settings: Settings) -> str | None:
    """The key, from the environment alone."""
    if settings.variable is None:
        return None
    key = os.environ.get(settings.variable)
    if not key:
        raise ConfigError(
            f"Model {name!r} needs the key of {settings.host} in the environment variable {settings.variable}, which is not "
            "set. Set it where `mmplat ask` (or `mmplat judge`) runs (never in a grid), or name another variable in `key_env`."
        )
    return key


def _client(settings: Settings, key: str | None) -> Any:
    try:
        import openai
    except ImportError as error:
        raise ModelError("Endpoints need the package openai: pip install 'mmplat[endpoint]'.") from error
    # Its own retries know no shared pause. Its account headers come from the environment, for OpenAI alone.
    foreign = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
    headers: Any = {} if settings.host == OPENAI else foreign
    return openai.OpenAI(
        api_key=key or "none",
        base_url=settings.url,
        timeout=settings.timeout_s,
        max_retries=0,
        default_headers=headers,
    )
