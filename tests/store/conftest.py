"""Results of small campaigns, as the decide verb leaves them, and the command line over them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb
import pytest
from generate import write_campaign

from mmplat.artifacts import Results
from mmplat.errors import MmplatError
from mmplat.leaderboard import connect
from mmplat.store import publish


@pytest.fixture(autouse=True)
def no_store_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests use the defaults, whatever the machine's environment points at."""
    for name in ("MMPLAT_STORE_URL", "MMPLAT_RESULTS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def demo(results: Results) -> Results:
    """The files of one campaign, nothing published."""
    write_campaign(results)
    return results


@pytest.fixture
def published(demo: Results) -> Results:
    publish(demo, "demo")
    return demo


@pytest.fixture
def connection(published: Results) -> Iterator[duckdb.DuckDBPyConnection]:
    opened = connect(published)
    yield opened
    opened.close()


@dataclass(frozen=True, slots=True)
class Said:
    out: bytes
    err: str
    code: int


@pytest.fixture
def mmplat(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Said]:
    """Runs the commands as the application does: errors of ours are printed and become an exit code."""
    from mmplat.cli.app import app

    def run(*arguments: str) -> Said:
        code = 0
        try:
            code = app(list(arguments), standalone_mode=False) or 0
        except MmplatError as error:
            print(error, file=sys.stderr)
            code = error.exit_code
        out, err = capfdbinary.readouterr()
        return Said(out, err.decode(), code)

    return run
