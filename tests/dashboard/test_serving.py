"""The server wherever it is started: on loopback alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from mmplat.artifacts import Results

SERVE = Path(__file__).parents[2] / "dashboard" / "serve.py"
LISTENS, LOOPBACK = "0A", "0100007F"
WITHIN_S = 120


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="sockets are looked up in Linux's /proc")
def test_a_server_that_is_started_in_any_folder_listens_on_loopback_alone(made: Results, tmp_path: Path) -> None:
    pytest.importorskip("streamlit", reason="streamlit is not installed: pip install mmplat[ui]")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("STREAMLIT_", "MMPLAT_"))}
    server = subprocess.Popen(
        [sys.executable, str(SERVE), "--server.port", str(port)],
        cwd=tmp_path, env=inherited | {"MMPLAT_RESULTS": str(made.root)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_until_it_answers(port, server)
        assert listening(port) == [LOOPBACK]
    finally:
        server.terminate()
        said, _ = server.communicate(timeout=20)
    assert "usage statistics" not in said


def wait_until_it_answers(port: int, server: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < WITHIN_S:
        assert server.poll() is None, "the server ended while it was starting"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not answer within {WITHIN_S} s")


def listening(port: int) -> list[str]:
    """The addresses, as /proc writes them, on which somebody listens to the port."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    local = [line[1].split(":") for line in lines if line[3] == LISTENS]
    return [address for address, at in local if int(at, 16) == port]
