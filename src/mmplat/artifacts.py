"""Where every file of a campaign lies, and how it gets there: the only place that spells a path.

Everything is written to a temporary neighbour and renamed, so a reader sees a whole file or none. Where a folder has
metadata, it is written last: its existence means that the rest is complete.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmplat.errors import ArtifactError, Busy
from mmplat.ids import canonical_json


@dataclass(frozen=True, slots=True)
class Results:
    """The results folder of a lab or a laptop."""

    root: Path

    def suite(self, name: str, key: str) -> Path:
        """Prepared samples: samples.parquet, images/, suite.json (last)."""
        return self.root / "suites" / safe_name(name) / key

    def suite_spec(self, key: str) -> Path:
        """What to prepare, as the plan wrote it; named by content, never rewritten."""
        return self.root / "suites" / f"{key}.json"

    def evidence(self, model: str, suite: str, model_key: str) -> Path:
        """Evidence parts of one model identity on one suite: part-*.parquet, evidence.json (identity)."""
        return self.root / "evidence" / f"model={safe_name(model)}" / f"suite={safe_name(suite)}" / model_key

    @property
    def evidence_root(self) -> Path:
        return self.root / "evidence"

    @property
    def suites_root(self) -> Path:
        return self.root / "suites"

    def batch(self, key: str) -> Path:
        """A batch as the plan wrote it; named by content, never rewritten."""
        return self.root / "batches" / f"{key}.json"

    def batch_done(self, key: str) -> Path:
        """Written when every row of a batch was asked or has failed with a reason."""
        return self.root / "batches" / f"{key}.done.json"

    def campaign(self, name: str) -> Path:
        return self.root / "campaigns" / safe_name(name)

    def plan(self, campaign: str) -> Path:
        return self.campaign(campaign) / "plan.json"

    def decided(self, campaign: str, model: str, suite: str) -> Path:
        """predictions.parquet, runs.parquet, metrics.parquet, decided.json (last)."""
        return self.campaign(campaign) / "decided" / f"model={safe_name(model)}" / f"suite={safe_name(suite)}"

    def published(self, campaign: str) -> Path:
        return self.campaign(campaign) / "published.json"

    def leaderboard(self, campaign: str, suffix: str = "json") -> Path:
        return self.campaign(campaign) / f"leaderboard.{suffix}"

    @property
    def store(self) -> Path:
        """The default SQL store."""
        return self.root / "mmplat.db"

    @property
    def tracking(self) -> Path:
        """The default MLflow store, beside the SQL store."""
        return self.root / "mlflow.db"

    @property
    def tracking_lock(self) -> Path:
        """Held while the MLflow store gets its tables: processes that race to create it fail."""
        return self.root / ".mlflow"

    def mirror_lock(self, campaign: str) -> Path:
        """Held while a campaign is mirrored to MLflow."""
        return self.campaign(campaign) / ".mlflow"

    @property
    def tracking_ready(self) -> Path:
        """Written once the MLflow store has its tables, or with the reason why there is none."""
        return self.root / "mlflow.ready.json"


def results(root: Path | str | None = None) -> Results:
    """The results folder: as given, else MMPLAT_RESULTS, else ./results."""
    return Results(Path(root or os.environ.get("MMPLAT_RESULTS") or "results"))


def safe_name(name: str) -> str:
    """A name as a folder may carry it: hub names and parameters hold slashes, equals signs and spaces."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", name)


@contextlib.contextmanager
def atomic(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it when the block ends well, removes it otherwise.

    `sync=False` is for files that are checked against their content when they are read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if sync:
            _sync(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files private; results are shared in a lab
        temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ArtifactError(
                f"The disk is full while writing {path} ({error.strerror}). Everything written before is whole; "
                "free some space and run the same command again: it continues."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, *, sync: bool = True) -> None:
    with atomic(path, sync=sync) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Indented for people, sorted for diffs."""
    write_bytes(path, (json.dumps(json.loads(canonical_json(value)), indent=1, sort_keys=True) + "\n").encode())


def write_json_once(path: Path, value: Any) -> None:
    """For files named by their content: an existing one is left alone, so its time triggers nothing."""
    if not path.exists():
        write_json(path, value)


def read_json(path: Path, *, made_by: str) -> Any:
    """A JSON file of ours; `made_by` is the command that makes it when it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. `{made_by}` makes it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is not valid JSON ({error}). Delete it and run `{made_by}` again.") from error


@contextlib.contextmanager
def only_writer(folder: Path, *, what: str) -> Iterator[None]:
    """Holds `folder` for this process; a second process is told who holds it instead of writing beside it."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / ".writer"
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
        raise Busy(
            f"{what} is being written by {who} (lock {folder / '.lock'}). Wait for it, or stop it, and run this again: "
            "what it has finished is kept."
        ) from None
    try:
        holder.write_text(f"process {os.getpid()} on {os.uname().nodename}", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _sync(path: Path) -> None:
    """Data reach the disk before the name does, or a power cut leaves a named empty file."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
