"""Campaigns that MLflow has not got yet: a small file each, written before anything is sent and removed when all is there.

What is to be sent lies in the campaign's own files, so a queue entry is only their fingerprint, and nothing can be lost with it.
"""

from __future__ import annotations

from mmplat.artifacts import Results, read_json, write_json

MADE_BY = "mmplat publish"


def enqueue(results: Results, campaign: str, content: str) -> None:
    """Notes that the campaign, whose published files have this content, is to be sent."""
    path = results.mirror_queue(campaign)
    if not path.exists() or read_json(path, made_by=MADE_BY).get("content") != content:
        write_json(path, {"campaign": campaign, "content": content})


def queued(results: Results) -> dict[str, str]:
    """Campaigns that wait, with their content, the longest waiting first."""
    waiting = sorted(results.mirror_queues, key=lambda path: path.stat().st_mtime)
    entries = [read_json(path, made_by=MADE_BY) for path in waiting]
    return {str(entry["campaign"]): str(entry["content"]) for entry in entries}


def settle(results: Results, campaign: str, content: str) -> None:
    """Takes the campaign off the queue, unless another publish has put newer content there meanwhile."""
    path = results.mirror_queue(campaign)
    if path.exists() and read_json(path, made_by=MADE_BY).get("content") == content:
        path.unlink(missing_ok=True)
