"""Results of small campaigns, as the decide verb leaves them, and the command line over them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import duckdb
import pytest
from generate import write_campaign
from sqlalchemy.engine import URL

from mmplat.artifacts import Results
from mmplat.errors import MmplatError
from mmplat.leaderboard import connect
from mmplat.store import publish, store_url

NUMBERS = count()


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """One real server for all tests; skipped with a reason where it is not installed."""
    pytest.importorskip("psycopg", reason="`pip install 'mmplat[postgres]'` brings the driver of PostgreSQL")
    import postgres_server

    with postgres_server.server() as administrator:
        yield administrator


@pytest.fixture
def postgres(postgres_server: URL) -> Iterator[URL]:
    """A database of its own for each test."""
    from postgres_server import drop_database, make_database

    name = f"test {next(NUMBERS)}"
    yield make_database(postgres_server, name)
    drop_database(postgres_server, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, results: Results, monkeypatch: pytest.MonkeyPatch) -> URL:
    """An empty store on either back end, and the environment pointing at it."""
    if request.param == "sqlite":
        return store_url(results)
    url: URL = request.getfixturevalue("postgres")
    monkeypatch.setenv("MMPLAT_STORE_URL", url.render_as_string(hide_password=False))
    return url
