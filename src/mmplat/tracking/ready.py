"""The MLflow store: where it is, and making its tables once, beside the asking.

Creating the tables takes MLflow up to half a minute, and processes that race to do it fail ("duplicate column name"),
so one of them does it under a lock.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmplat.artifacts import Results, make_database_file, read_json, write_json
from mmplat.errors import ArtifactError, Busy, MmplatError, TrackingError
from mmplat.locks import only_writer
from mmplat.urls import masked, scrubbed, unclear

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

INSTALL = "MLflow is not installed; `pip install 'mmplat[tracking]'` brings it"
WAIT_S = 120  # for another process that is making the tables
KNOCK_S = 2.0  # for a server to take a connection
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def tracking_uri(results: Results) -> str:
    """MLFLOW_TRACKING_URI, else SQLite beside the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{results.tracking.resolve()}"


def hidden_uri(uri: str) -> str:
    """The URI as a message may show it."""
    return masked(uri)


def is_own_file(results: Results, uri: str) -> bool:
    """Whether the MLflow store is the file beside this folder's own SQL store."""
    return uri == f"sqlite:///{results.tracking.resolve()}"


def unreadable(uri: str) -> str | None:
    """Why a URI cannot be used, without repeating it; None: it can."""
    reason = unclear(uri)
    return f"MLFLOW_TRACKING_URI cannot be read: {reason}" if reason else None


def prepare(results: Results) -> dict[str, Any]:
    """Makes the MLflow store's tables and writes `tracking_ready`; a failure is its content, not an exception.

    Raises Busy where another process is at it.
    """
    uri = tracking_uri(results)
    with only_writer(results.tracking_lock, what="The MLflow store"):
        if is_ready(results):
            return dict(read_json(results.tracking_ready, made_by="mmplat tracking prepare"))
        started = time.monotonic()
        try:
            if reason := unreadable(uri):
                raise TrackingError(reason)
            if uri.startswith("sqlite:///"):
                make_database_file(Path(uri.removeprefix("sqlite:///")))
            client(uri).search_experiments(max_results=1)
            _let_readers_in(uri)
            said: dict[str, Any] = {"ready": True, "seconds": round(time.monotonic() - started, 1)}
        except Exception as error:  # MLflow raises what its back end raises; none of it may stop a campaign
            said = {"ready": False, "reason": reason_of(error, uri)}
        said["uri"] = hidden_uri(uri)
        write_json(results.tracking_ready, said)
        return said


def is_ready(results: Results) -> bool:
    """Whether the tables of today's URI are known to exist."""
    try:
        said = read_json(results.tracking_ready, made_by="mmplat tracking prepare")
    except ArtifactError:
        return False
    uri = tracking_uri(results)
    file = uri.removeprefix("sqlite:///") if uri.startswith("sqlite:///") else None
    return bool(said["ready"]) and said["uri"] == hidden_uri(uri) and (file is None or Path(file).exists())


def wait_until_ready(results: Results) -> str | None:
    """Prepares the store unless it is, or waits for the process that does; returns why there is none, or None."""
    deadline = time.monotonic() + WAIT_S
    while not is_ready(results):
        try:
            said = prepare(results)
        except Busy as busy:
            if time.monotonic() > deadline:
                return str(busy)
            time.sleep(0.5)
            continue
        if not said["ready"]:
            return str(said["reason"])
    return None


def is_server(uri: str) -> bool:
    """Whether another process has to answer, which may be slow or gone; a SQLite file is neither."""
    return not uri.startswith("sqlite:")


def silent(uri: str) -> str | None:
    """Why nobody can be asked where `uri` points, in one line; None: somebody takes connections, or it is no server.

    Asked first, because MLflow's own clients try a dead database for minutes.
    """
    if reason := unreadable(uri):
        return reason
    try:
        parts = urlsplit(uri)
        if not is_server(uri) or not parts.hostname:
            return None
        port = parts.port or PORTS.get(parts.scheme.split("+")[0], 80)
        with socket.create_connection((parts.hostname, port), timeout=KNOCK_S):
            return None
    except (OSError, ValueError) as error:
        return f"{hidden_uri(uri)} does not answer ({scrubbed(str(error), uri)})"


def client(uri: str) -> MlflowClient:
    """MLflow's client with its chatter, its telemetry and its minutes of retries switched off."""
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # what failed stays queued, and is sent by the next publish
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    }
    for name, value in quiet.items():
        os.environ.setdefault(name, value)  # MLflow reads them when it is imported; a user's own choice stays
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(uri)


def reason_of(error: Exception, uri: str) -> str:
    """Why MLflow failed, in one line without a password."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == "mlflow":
        return INSTALL
    if isinstance(error, MmplatError):
        return str(error)
    lines = str(error).strip().splitlines() or [""]
    return scrubbed(f"{type(error).__name__}: {lines[0]}", uri)[:500]


def _let_readers_in(uri: str) -> None:
    """Write-ahead logging, so that MLflow's UI can read while runs are written; it is a property of the file."""
    if not uri.startswith("sqlite:///"):
        return
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
