"""docs/store.md: every command of the page is run, in its order, on a small campaign."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmplat.artifacts import Results
from mmplat.store import recorded, store_url

PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
LINES = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


def test_every_command_of_the_page_succeeds(
    fake_run: Any, tmp_path: Path, mmplat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path / "results")
    shutil.copytree(fake_run.results.root, results.root)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nobody: tests of the mirror have an MLflow
    commands = [shlex.split(line, comments=True)[1:] for line in LINES if line.startswith("mmplat ")]
    assert len(commands) >= 15
    for words in commands:
        run_id = recorded(store_url(results))[0].run.run_id if "RUN" in words else ""
        said = mmplat(*[run_id if word == "RUN" else word for word in words])
        owes_mlflow = words == ["tracking", "send"]
        assert said.code == int(owes_mlflow), (words, said.err)


def test_the_page_names_every_verdict() -> None:
    from typing import get_args

    from mmplat.audit.verifying import Status

    assert all(f"| `{status}` |" in PAGE for status in get_args(Status))
