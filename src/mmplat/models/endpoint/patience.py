"""Sending a request until it is answered, by the cause of each failure: what passes is tried again, the rest is told."""

from __future__ import annotations

import email.utils
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from mmplat.errors import ModelError
from mmplat.ids import seed_from
from mmplat.models.endpoint.settings import Settings

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Waits double from the first to the longest, each shortened by up to a half so that requests do not return together."""
LONGEST_PAUSE_S = 600.0
"""An endpoint that asks for a longer pause than this is asked another day."""
SAID = 200
"""Letters of an endpoint's own words that a message repeats."""

TOO_MANY = 429
PASSING = {408, 409, 425, TOO_MANY}
DEAD_ENDS = {401, 403, 404}


class NotAnswered(Exception):
    """This request has no answer and will have none; others may."""


class Refused(NotAnswered):
    """The endpoint does not take this very request."""


class Stopped(Exception):
    """Another request ended the run before this one was answered."""


class Patience:
    """Shared by all requests to an endpoint: where one is told to slow down, all do."""

    def __init__(self, settings: Settings, scrub: Callable[[str], str]) -> None:
        self._settings, self._scrub = settings, scrub
        self._resume = 0.0
        self.stop = threading.Event()

    def answered(self, send: Callable[[], T], key: str) -> T:
        """What `send` returns in the end. `key` names the request: its waits are the same in every run."""
        import openai

        for attempt in range(self._settings.max_retries + 1):
            self._sleep(self._resume - time.monotonic())
            try:
                return send()
            except openai.APIError as error:
                cause, status = self.cause(error), getattr(error, "status_code", None)
                self._refuse(error, cause, status)
                wait = self._wait(error, cause, attempt, key)
            if attempt < self._settings.max_retries:
                log.info("%s: %s; trying again in %.1f s", self._settings.url, cause, wait)
                self._sleep(wait)
        raise NotAnswered(f"{cause}, {self._settings.max_retries + 1} times")

    def cause(self, error: openai.APIError) -> str:
        """One line: the status and the endpoint's words, without the key should they repeat it."""
        status = getattr(error, "status_code", None)
        if status is None:
            reason = f"{error.__cause__ or error.message}" or type(error).__name__
            return self._scrub(f"no answer ({type(error).__name__}: {reason})"[:SAID])
        body = error.body if isinstance(error.body, Mapping) else {}
        words = " ".join(str(body.get("message") or error.message).split())
        return self._scrub(f"status {status}: {words}"[:SAID])

    def _refuse(self, error: openai.APIError, cause: str, status: int | None) -> None:
        """Raises where trying again cannot help."""
        if status in DEAD_ENDS or getattr(error, "code", None) == "insufficient_quota":
            raise ModelError(f"{self._settings.url} {self._way_out(status, cause)}") from None
        if status is not None and status < 500 and status not in PASSING:
            raise Refused(cause) from None

    def _way_out(self, status: int | None, cause: str) -> str:
        """What a dead end is, and where out."""
        variable = self._settings.variable
        if status == 401:
            holds = (
                f"the key in {variable} was not accepted" if variable else "a key is needed, and `key_env` names none"
            )
            return f"answers 401: {holds}. Set the variable that `key_env` names to a key of this endpoint."
        if status == 403:
            return (
                f"answers {cause}. The key in {variable or 'no variable'} may not use model {self._settings.model!r}."
            )
        if status == 404:
            return f"answers {cause}. Check `url` (with /v1 at its end?) and `model` ({self._settings.model!r})."
        return f"answers {cause}. What was asked is kept: settle the account and run the same command again."

    def _wait(self, error: openai.APIError, cause: str, attempt: int, key: str) -> float:
        """Seconds until the next try: as told, else doubling. After "too many" every request waits."""
        response = getattr(error, "response", None)
        told = retry_after(response.headers) if response is not None else None
        if told is not None and told > LONGEST_PAUSE_S:
            raise ModelError(
                f"{self._settings.url} answers {cause}, and asks to wait {told:.0f} s. What was asked is kept: run the same "
                "command again then."
            ) from None
        jitter = seed_from(key, attempt) % 1000 / 2000
        wait = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S) * (1 - jitter) if told is None else told
        if told is not None or getattr(error, "status_code", None) == TOO_MANY:
            self._resume = max(self._resume, time.monotonic() + wait)
        return wait

    def _sleep(self, seconds: float) -> None:
        if self.stop.wait(max(seconds, 0.0)):
            raise Stopped


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait, given as such or as a date; None: it does not say."""
    text = headers.get("retry-after", "").strip()
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    date = email.utils.parsedate_tz(text)
    return None if date is None else max(email.utils.mktime_tz(date) - time.time(), 0.0)
