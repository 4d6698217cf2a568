"""What whoever looks after a schedule is told of a failure: one file, and one message where a webhook is given."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from http.client import HTTPException, InvalidURL
from pathlib import Path

from mmplat.artifacts import Results, write_bytes
from mmplat.campaign import progress_of
from mmplat.errors import ConfigError, MmplatError
from mmplat.grid import load_grid
from mmplat.plan import read_plan
from mmplat.schedule.entries import scheduled
from mmplat.schedule.firings import Firing, log_of, stamp

WEBHOOK_TIMEOUT_S = 10.0
LINES = 15
"""Of the end of a log."""


def report_failures(results: Results, failed: Sequence[Firing], *, webhook: str | None) -> tuple[Path, str | None]:
    """Writes the summary; returns its path, and why the webhook did not take it.

    Without `webhook`, those of the failed schedules' environment files are told: cron's own environment knows none.
    """
    path = results.schedule / f"failed-{stamp(datetime.now())}.md"
    write_bytes(path, "\n\n".join([f"# {headline(failed)}", *(_section(results, one) for one in failed), ""]).encode())
    urls = [webhook] if webhook else _webhooks(results, failed)
    unsent = [why for why in (post(url, message(failed, path)) for url in urls) if why]
    return path, "; ".join(unsent) or None


def _webhooks(results: Results, failed: Sequence[Firing]) -> list[str]:
    names = {one.schedule for one in failed}
    found: list[str] = []
    for entry in (one for one in scheduled(results) if one.name in names):
        with contextlib.suppress(ConfigError):  # an unreadable file is why it failed, and the summary says so
            found.append(entry.environment().get("MMPLAT_WEBHOOK", ""))
    return list(dict.fromkeys(filter(None, found)))


def headline(failed: Sequence[Firing]) -> str:
    names = ", ".join(f"{one.schedule} ({one.outcome})" for one in failed)
    return f"mmplat on {failed[0].host}: {names}"


def message(failed: Sequence[Firing], summary: Path) -> dict[str, object]:
    """JSON for a webhook; `text` is what chat programs show."""
    return {
        "text": f"{headline(failed)}. Summary: {summary}",
        "summary": str(summary),
        "firings": [one.model_dump(mode="json") for one in failed],
    }


def post(url: str, message: dict[str, object]) -> str | None:
    """Sends a message; returns why it did not arrive. A dead webhook fails nothing."""
    if not url.startswith(("http://", "https://")):
        return "the webhook is no http(s) address"  # which is not repeated: whoever knows it may write there
    try:
        request = urllib.request.Request(url, json.dumps(message).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT_S):
            return None
    except (InvalidURL, UnicodeError) as error:  # these repeat the address
        return f"the webhook is no http(s) address ({type(error).__name__})"
    except (OSError, ValueError, HTTPException) as error:
        return str(error) or type(error).__name__


def _section(results: Results, firing: Firing) -> str:
    lines = [
        f"## {firing.schedule}, due {firing.due:%Y-%m-%d %H:%M}: {firing.outcome}",
        f"- why: {firing.reason}",
        f"- state: {_state(results, firing)}",
        f"- log: {firing.log}",
        f"- record: {firing.path(results)}",
    ]
    return "\n".join(
        [*lines, "", "The end of the log:", "", *(f"    {line}" for line in _tail(log_of(results, firing)))]
    )


def _state(results: Results, firing: Firing) -> str:
    """How far the campaign is, where that can be told."""
    try:
        entry = next(one for one in scheduled(results) if one.name == firing.schedule)
        plan = results.plan(load_grid(entry.grid).campaign)
        progress = progress_of(read_plan(plan), results)
    except StopIteration:
        return "the schedule was removed"
    except MmplatError as error:
        return f"unknown: {error}"
    return "everything was asked and decided" if progress.fine else progress.verdict


def _tail(log: Path | None) -> list[str]:
    if log is None:
        return ["(there is none)"]
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:]
