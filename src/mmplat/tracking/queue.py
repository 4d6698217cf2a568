"""Campaigns that MLflow has not got yet: a small file each, written before anything is sent and removed when all is there.

What is to be sent lies in the campaign's own files, so a queue entry is only their fingerprint, and nothing can be lost with it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from mmplat.artifacts import Results, read_json, write_json
from mmplat.errors import ArtifactError

MADE_BY = "mmplat publish"


def enqueue(results: Results, campaign: str, content: str, *, take_over: bool = False) -> None:
    """Notes that the campaign, whose published files have this content, is to be sent.

    With `take_over` it takes the place of another results folder's campaign, also when MLflow takes it only later.
    """
    path = results.mirror_queue(campaign)
    entry = _entry(path)
    wanted = {"campaign": campaign, "content": content, "take_over": take_over or takes_over(results, campaign)}
    if entry != wanted:
        write_json(path, wanted)


def takes_over(results: Results, campaign: str) -> bool:
    """Whether the queued campaign takes the place of another results folder's."""
    return bool(_entry(results.mirror_queue(campaign)).get("take_over", False))


def queued(results: Results) -> dict[str, str]:
    """Campaigns that wait, with their content, the longest waiting first."""
    waiting = []
    for path in results.mirror_queues:
        with contextlib.suppress(FileNotFoundError):  # another publisher has sent it at this very moment
            since, entry = path.stat().st_mtime, _entry(path)
            waiting += [(since, str(entry["campaign"]), str(entry["content"]))] if entry else []
    return {campaign: content for _, campaign, content in sorted(waiting)}


def settle(results: Results, campaign: str, content: str) -> None:
    """Takes the campaign off the queue, unless another publish has put newer content there meanwhile."""
    path = results.mirror_queue(campaign)
    if _entry(path).get("content") == content:
        path.unlink(missing_ok=True)


def _entry(path: Path) -> dict[str, Any]:
    """What a file of the queue says; empty where there is none, or no longer."""
    try:
        return dict(read_json(path, made_by=MADE_BY))
    except ArtifactError:
        if path.exists():
            raise
        return {}
