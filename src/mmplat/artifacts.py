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
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmplat.errors import ArtifactError
from mmplat.ids import canonical_json, file_id


@dataclass(frozen=True, slots=True)
class Results:
    """The results folder of a lab or a laptop."""

    root: Path

    def suite(self, name: str, key: str) -> Path:
        """Prepared samples: samples.parquet, images/, suite.json (last)."""
        return self.root / "suites" / safe_name(name) / key

    def suite_spec(self, key: str) -> Path:
        """What to prepare, as the plan wrote it; named by content."""
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
        """A batch as the plan wrote it; named by content."""
        return self.root / "batches" / f"{key}.json"

    def batch_done(self, key: str) -> Path:
        """Written when every row of a batch was asked or has failed with a reason."""
        return self.root / "batches" / f"{key}.done.json"

    def heartbeat(self, key: str) -> Path:
        """What the job of a batch says of itself every few seconds, and said last."""
        return self.root / "batches" / f"{key}.heartbeat.json"

    @property
    def heartbeats(self) -> Iterable[Path]:
        return (self.root / "batches").glob("*.heartbeat.json")

    def training(self, key: str) -> Path:
        """A fine-tuning as the plan wrote it; named by content."""
        return self.trained_root / f"{key}.json"

    def trained(self, key: str) -> Path:
        """model/ (a checkpoint or an adapter), losses.jsonl, seen.json (what it was trained on), card.json (last)."""
        return self.trained_root / key

    @property
    def trained_root(self) -> Path:
        return self.root / "trained"

    @property
    def schedule(self) -> Path:
        """What came of campaigns that run unattended: a folder each, and a summary of each failure."""
        return self.root / "schedule"

    def scheduled(self, name: str) -> Path:
        """A record and a log of each firing. What runs when is in the user's own configuration: `schedule/entries.py`."""
        return self.schedule / safe_name(name)

    def campaign(self, name: str) -> Path:
        """Of a campaign of this folder, or of one that came as an archive."""
        guest = self.guest(name).root / "campaigns" / safe_name(name)
        return guest if guest.exists() else self.root / "campaigns" / safe_name(name)

    def guest(self, campaign: str) -> Results:
        """A campaign that came as an archive: a results folder of its own, so that nothing in it is taken for ours."""
        return Results(self.root / "imported" / safe_name(campaign))

    def has_guest(self, campaign: str) -> bool:
        """Whether the campaign came as an archive."""
        return self.guest(campaign).root.exists()

    def of(self, campaign: str) -> Results:
        """Where the batches, suites and evidence of a campaign lie: here, or in the folder of an archive."""
        return self.guest(campaign) if self.has_guest(campaign) else self

    @property
    def guests(self) -> list[Results]:
        """All campaigns that came as archives."""
        return [Results(path.parent) for path in sorted((self.root / "imported").glob("*/archive.json"))]

    @property
    def archive(self) -> Path:
        """Of a guest: which archive it came with, and when."""
        return self.root / "archive.json"

    @property
    def plans(self) -> list[Path]:
        """Of all campaigns, those that came as archives included; by folder."""
        roots = [self, *self.guests]
        return sorted((plan for one in roots for plan in (one.root / "campaigns").glob("*/plan.json")), key=_folder)

    def plan(self, campaign: str) -> Path:
        return self.campaign(campaign) / "plan.json"

    def decided(self, campaign: str, model: str, suite: str) -> Path:
        """predictions.parquet, runs.parquet, metrics.parquet, decided.json (last)."""
        return self.campaign(campaign) / "decided" / f"model={safe_name(model)}" / f"suite={safe_name(suite)}"

    def judged(self, campaign: str, model: str, suite: str) -> Path:
        """Who judged the written answers of a pair, and what could not be judged."""
        return self.decided(campaign, model, suite) / "judged.json"

    def published(self, campaign: str) -> Path:
        return self.campaign(campaign) / "published.json"

    def leaderboard(self, campaign: str, suffix: str = "json") -> Path:
        return self.campaign(campaign) / f"leaderboard.{suffix}"

    def diagnostic(self, campaign: str, name: str, suffix: str) -> Path:
        """What `mmplat diagnose` found: a table (parquet) and a figure (svg)."""
        return self.campaign(campaign) / "diagnostics" / f"{name}.{suffix}"

    @property
    def builds(self) -> Path:
        """Benchmarks that `mmplat spubench` builds, a folder each."""
        return self.root / "spubench"

    def build(self, name: str) -> Path:
        """What each stage of a build found (`<stage>.json` last), images/, reviews.jsonl, release/."""
        return self.builds / safe_name(name)

    @property
    def replies(self) -> Path:
        """What endpoints replied, by what was asked, so that nothing is paid twice; and what was spent."""
        return self.root / "replies"

    @property
    def origin(self) -> Path:
        """Which results folder this is, for stores that several folders publish into; written once, by the first publish."""
        return self.root / "origin.json"

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

    def mirror_queue(self, campaign: str) -> Path:
        """Exists while MLflow lacks runs of the campaign."""
        return self.campaign(campaign) / "mlflow.queued.json"

    @property
    def mirror_queues(self) -> Iterable[Path]:
        return [
            queue for one in (self, *self.guests) for queue in (one.root / "campaigns").glob("*/mlflow.queued.json")
        ]

    @property
    def tracking_ready(self) -> Path:
        """Written once the MLflow store has its tables, or with the reason why there is none."""
        return self.root / "mlflow.ready.json"


def _folder(path: Path) -> str:
    return path.parent.name


def results(root: Path | str | None = None) -> Results:
    """The results folder: as given, else MMPLAT_RESULTS, else ./results."""
    return Results(Path(root or os.environ.get("MMPLAT_RESULTS") or "results"))


def safe_name(name: str) -> str:
    """A name as a folder may carry it: hub names and parameters hold slashes, equals signs and spaces; dots alone are no name."""
    return re.sub(r"[^A-Za-z0-9._+-]+|^\.*$", "_", name)


@contextlib.contextmanager
def atomic(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it when the block ends well, removes it otherwise.

    `sync=False` is for files that are checked against their content when they are read.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with writing_allowed(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not tempfile, which makes files private: results are shared in a lab, as far as its umask says. Asking for the
            # umask means setting it, and threads that do so at once (heartbeats, endpoints) may leave it at 0 for good.
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        if sync:
            _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ArtifactError(
                f"The disk is full while writing {path} ({error.strerror}). Everything written before is whole; "
                "free some space and run the same command again: it continues."
            ) from error
        raise
    finally:
        with contextlib.suppress(PermissionError):  # where nothing may be made, nothing was
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_allowed(path: Path) -> Iterator[None]:
    """Says whose results these are where the file system lets us read them and not write."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ArtifactError(
                f"{path} cannot be written ({error.strerror}). Name a place that you may write. For results of others that is a "
                "folder of your own (--results, or MMPLAT_RESULTS), or one that is shared with you: docs/running.md says how."
            ) from error
        raise


def make_database_file(path: Path) -> None:
    """An empty file for SQLite to fill, as the umask says: one that SQLite makes itself is never a group's to write."""
    with writing_allowed(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(0o666)


def write_bytes(path: Path, data: bytes, *, sync: bool = True, as_of: int | None = None) -> None:
    """With `as_of` (see `time_in`) the file is as old as what it was made from."""
    with atomic(path, sync=sync) as temporary:
        temporary.write_bytes(data)
        if as_of is not None:
            os.utime(temporary, ns=(as_of, as_of))


def write_lines(path: Path, lines: Iterable[str]) -> Path | None:
    """Writes a file of lines that models wrote and people may have changed; returns where the earlier one lies now.

    An earlier file that has lines which the new one lacks is kept beside it, under a name of its own: it may hold what was
    mended by hand, or written by a model that is not there any more.
    """
    data = "".join(f"{line}\n" for line in lines).encode()
    kept = None
    if path.exists() and not set(path.read_bytes().splitlines()) <= set(data.splitlines()):
        kept = path.with_name(f"{path.stem}.{file_id(path, length=8)}{path.suffix}")
        path.replace(kept)
    write_bytes(path, data)
    return kept


def write_json(path: Path, value: Any, *, as_of: int | None = None) -> None:
    write_bytes(path, _spelled(value), as_of=as_of)


def _spelled(value: Any) -> bytes:
    """JSON, indented for people and sorted for diffs."""
    return (json.dumps(json.loads(canonical_json(value)), indent=1, sort_keys=True) + "\n").encode()


def time_in(folder: Path) -> int | None:
    """Nanoseconds since the epoch by the clock that dates the files of a folder, which may be a server's; None: no folder.

    Taken before sources are read, and given to the file that is made from them: a source that changes meanwhile is newer
    than the file, so Snakemake makes it again.
    """
    if not folder.exists():
        return None
    temporary = folder / f".time.{secrets.token_hex(4)}.tmp"
    with writing_allowed(temporary):
        temporary.touch()
    try:
        return temporary.stat().st_mtime_ns
    finally:
        temporary.unlink(missing_ok=True)


def write_json_once(path: Path, value: Any) -> None:
    """For files named by their content: an existing one is left alone, so its time triggers nothing."""
    if not path.exists():
        write_json(path, value)


def rewrite_json(path: Path, value: Any) -> None:
    """For files named by a part of their content: one that says something else is replaced, and keeps its time.

    A workflow does again what depends on a newer file, and what depends on the name alone has not changed.
    """
    data = _spelled(value)
    if not path.exists():
        write_bytes(path, data)
    elif path.read_bytes() != data:
        write_bytes(path, data, as_of=path.stat().st_mtime_ns)


def write_json_new(path: Path, value: Any) -> None:
    """For what is chosen once: of several processes that write it at the same time, all find what the first one wrote."""
    chosen = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    write_json(chosen, value)
    try:
        os.link(chosen, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links: the last of those that race wins
        chosen.replace(path)
    finally:
        chosen.unlink(missing_ok=True)


def read_json(path: Path, *, made_by: str) -> Any:
    """A JSON file of ours; `made_by` is the command that makes it when it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. `{made_by}` makes it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is not valid JSON ({error}). Delete it and run `{made_by}` again.") from error


def refuse_altered(path: Path, digest: str | None) -> None:
    """Raises unless a table of a pair is the one that decided.json vouches for; an older one names none (None)."""
    if digest is not None and path.exists() and file_id(path, length=64) != digest:
        raise ArtifactError(
            f"{path} is not what was decided: it was altered, or is being decided anew. Where nothing runs, delete "
            f"{path.parent} and run `mmplat decide` again: it asks no model."
        )


def _sync(path: Path) -> None:
    """Data reach the disk before the name does, or a power cut leaves a named empty file."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
