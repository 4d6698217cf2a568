"""The server wherever it is started: on loopback alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from starting import free_port, wait_for

from mmplat.artifacts import Results

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


def listening(port: int) -> list[str]:
    """The addresses, as /proc writes them, on which somebody listens to the port."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    local = [line[1].split(":") for line in lines if line[3] == LISTENS]
    return [address for address, at in local if int(at, 16) == port]
