"""The command line as the application runs it, and files as other tools leave them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mmplat.errors import MmplatError


@dataclass(frozen=True, slots=True)
class Ended:
    out: str
    err: str
    code: int

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def mmplat(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ended]:
    from mmplat.cli.app import app

    for name in ("MMPLAT_STORE_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MMPLAT_RESULTS", str(tmp_path / "results"))

    def run(*words: object) -> Ended:
        code = 0
        try:
            code = app([str(word) for word in words], standalone_mode=False) or 0
        except MmplatError as error:
            print(error, file=sys.stderr)
            code = error.exit_code
        said = capsys.readouterr()
        return Ended(said.out, said.err, code)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file: text as it is, a list as JSON lines, anything else as JSON."""

    def to(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "\n".join(json.dumps(row) for row in content)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return to
