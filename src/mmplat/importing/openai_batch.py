"""Outputs of OpenAI's batch interface: JSON lines with custom_id and response, joined with annotations by custom_id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmplat.importing import llava
from mmplat.importing._rows import rows_of
from mmplat.importing.base import Answer, Format, Given, Told, catalog


def read(given: Given) -> Told:
    return llava.questions(given.questions), _answers(given.answers)


def _answers(path: Path) -> Iterator[Answer]:
    for row in rows_of(path):
        key = row.text("custom_id")
        response = row.data.get("response") or {}
        error = _error(row.data.get("error"), response)
        yield Answer(key, "" if error else _said(response.get("body") or {}), row.place, error=error)


def _error(error: Any, response: dict[str, Any]) -> str | None:
    status = response.get("status_code")
    if error:
        return str(error.get("message", error) if isinstance(error, dict) else error)
    if not response or (status is not None and status != 200):
        return f"the request failed with status {status}"
    return None


def _said(body: dict[str, Any]) -> str:
    """Chat completions, or the newer responses."""
    for choice in body.get("choices", []):
        return str((choice.get("message") or {}).get("content") or choice.get("text") or "")
    parts = [part for item in body.get("output", []) for part in item.get("content") or []]
    return "".join(str(part.get("text") or "") for part in parts)


catalog.add("openai-batch", Format("openai-batch", "output files of OpenAI's batch interface, with annotations", read,
                                   files=("*.jsonl",), annotated=True))  # fmt: skip
