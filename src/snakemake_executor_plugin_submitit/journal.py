"""Which jobs were submitted and have not ended: a file that outlives the head, so that the next one takes them up.

Snakemake keeps such ids itself, but the Snakemake inside a job overwrites them with nothing when it starts. Lines are only
appended; a head that was killed in the middle of one loses that line. Before a submission its name is noted, so that one of
which the head never heard can be withdrawn.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


class Journal:
    """Key of a job → id on the cluster."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs: dict[str, str] = {}
        self.unconfirmed: set[str] = set()
        """Names of submissions whose ids nobody wrote down."""
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._replay(line)
        self._rewrite()

    def submitting(self, name: str) -> None:
        self.unconfirmed.add(name)
        self._append({"submitting": name})

    def submitted(self, name: str, jobs: Mapping[str, str]) -> None:
        """The submission has ended; without jobs: it was refused."""
        self.unconfirmed.discard(name)
        self.jobs.update(jobs)
        self._append({"submitted": name, "jobs": dict(jobs)})

    def ended(self, key: str) -> None:
        if self.jobs.pop(key, None) is not None:
            self._append({"ended": key})

    def _replay(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            return  # the head was killed while it wrote this
        if "submitting" in entry:
            self.unconfirmed.add(entry["submitting"])
        elif "submitted" in entry:
            self.unconfirmed.discard(entry["submitted"])
            self.jobs.update(entry["jobs"])
        else:
            self.jobs.pop(entry["ended"], None)

    def _rewrite(self) -> None:
        """What still counts, in a new file: the old one may end in half a line."""
        entries: list[Mapping[str, object]] = [{"submitting": name} for name in sorted(self.unconfirmed)]
        entries.append({"submitted": "", "jobs": self.jobs})
        new = self.path.with_suffix(".new")
        new.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
        new.replace(self.path)

    def _append(self, entry: Mapping[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
