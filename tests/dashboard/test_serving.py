"""The server wherever it is started: on loopback alone, and for its own pages alone."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starting import free_port, wait_for

from mmplat.artifacts import Results

Serve = Callable[..., AbstractContextManager[str]]
SERVE = Path(__file__).parents[2] / "dashboard" / "serve.py"
LISTENS, LOOPBACK = "0A", "0100007F"
WITHIN_S = 120


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="sockets are looked up in Linux's /proc")
def test_a_server_that_is_started_in_any_folder_listens_on_loopback_alone(made: Results, tmp_path: Path) -> None:
    pytest.importorskip("streamlit", reason="streamlit is not installed: pip install mmplat[ui]")
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("STREAMLIT_", "MMPLAT_"))}
    server = subprocess.Popen(
        [sys.executable, str(SERVE), "--server.port", str(port)],
        cwd=tmp_path, env=inherited | {"MMPLAT_RESULTS": str(made.root)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}", server, within_s=WITHIN_S)
        assert listening(port) == [LOOPBACK]
    finally:
        server.terminate()
        said, _ = server.communicate(timeout=20)
    assert "usage statistics" not in said


@pytest.mark.parametrize("path", ["/", "/sql?sql=FROM+runs", "/review", "/_stcore/health", "/nowhere"])
def test_every_answer_forbids_other_origins_to_show_it_in_a_frame(address: str, path: str) -> None:
    host = urlsplit(address).netloc
    answer = asked(host, path, {})
    assert answer.getheader("Content-Security-Policy") == "frame-ancestors 'none'"
    assert answer.getheader("X-Frame-Options") == "DENY"


UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
OPENED, FORBIDDEN = 101, 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:3000", "http://127.0.0.1:1", "null", "file://"]
)
def test_a_page_of_another_origin_opens_no_channel_also_from_this_machine(address: str, origin: str) -> None:
    host = urlsplit(address).netloc
    assert asked(host, "/_stcore/stream", {**UPGRADE, "Origin": origin}).status == FORBIDDEN
    assert asked(host, "/_stcore/stream", {**UPGRADE, "Origin": address}).status == OPENED


def test_a_host_that_the_lab_names_as_its_own_may_open_a_channel(made: Results, serve: Serve) -> None:
    named = "https://results.lab.example"
    with serve(made, STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS=named) as address:
        host = urlsplit(address).netloc
        for origin, status in (("https://results.lab.example", OPENED), ("https://other.lab.example", FORBIDDEN)):
            assert asked(host, "/_stcore/stream", {**UPGRADE, "Origin": origin}).status == status


def asked(host: str, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse()
    finally:
        connection.close()


def listening(port: int) -> list[str]:
    """The addresses, as /proc writes them, on which somebody listens to the port."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    local = [line[1].split(":") for line in lines if line[3] == LISTENS]
    return [address for address, at in local if int(at, 16) == port]
