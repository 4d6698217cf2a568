"""A process that publishes again and again, for tests that read meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmplat.artifacts import Results, read_json

GENERATOR = Path(__file__).with_name("store")
# Every other time with other evidence, so that all runs of the campaign are replaced by others.
PUBLISHER = """
import sys
from itertools import count
from pathlib import Path
from generate import write_campaign
from mmplat.artifacts import Results, write_json
from mmplat.store import publish, rebuild
results = Results(Path(sys.argv[1]))
for turn in count():
    write_campaign(results, revision=f"r{turn % 2}", extra_metrics=turn % 2)
    publish(results, "demo")
    if turn % 3 == 2:
        rebuild(results)
    write_json(results.published("demo"), {"turn": turn})
"""


@contextmanager
def publisher(results: Results, environment: dict[str, str]) -> Iterator[Callable[[], int]]:
    """Another process that publishes until the end; called, it says how often so far."""
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(results.root)],
        env={**os.environ, **environment, "PYTHONPATH": str(GENERATOR)},
        stderr=subprocess.PIPE,
        text=True,
    )

    def turns() -> int:
        assert process.poll() is None, process.communicate()[1]
        marker = results.published("demo")
        return int(read_json(marker, made_by="the test")["turn"]) if marker.exists() else 0

    try:
        yield turns
        assert process.poll() is None, process.communicate()[1]
    finally:
        process.kill()
        process.communicate()
