"""A server of the dashboard that is being started: where, and until when to wait for it."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from typing import Any

STARTS_WITHIN_S = 180  # it takes five on a machine that does nothing else


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(served: str, server: subprocess.Popen[Any], *, within_s: float = STARTS_WITHIN_S) -> None:
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        assert server.poll() is None, "streamlit ended while it was starting"
        try:
            with urllib.request.urlopen(f"{served}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"streamlit did not start within {within_s} s")
