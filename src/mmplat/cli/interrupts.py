"""SIGTERM as Ctrl-C: whoever ends a job before its time ends it in peace."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM, which clusters send before they take a node away, interrupts the block as Ctrl-C does: what was done is kept.

    Only the first of them: a second one must not break off the writing.
    """

    def interrupt(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
