"""What runs when: one schedule.json per named campaign."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from mmplat.artifacts import Results, read_json, write_json
from mmplat.errors import ArtifactError, ConfigError, DuplicateName, UnknownName
from mmplat.grid import load_grid
from mmplat.plan import make_plan
from mmplat.records import Record
from mmplat.schedule import clock


class Scheduled(Record):
    """A campaign that runs by the clock. Paths are absolute: cron starts in another folder."""

    name: str
    cron: str
    grid: Path
    profile: Path | None
    snakefile: Path
    folder: Path
    """Where Snakemake runs, and keeps its own records and logs."""
    env_file: Path | None = None
    """Lines of NAME=VALUE: cron knows nothing of a login shell. Read at each firing, so that secrets stay in that file."""
    added: datetime
    """Local time without a zone, as in all files of a schedule."""

    def command(self, results: Results) -> list[str]:
        """What a person would type."""
        profile = ["--profile", str(self.profile)] if self.profile else []
        return [
            *(sys.executable, "-P", "-m", "snakemake"),
            *("--snakefile", str(self.snakefile), "--directory", str(self.folder)),
            *profile,
            *("--config", f"grid={self.grid}", f"results={results.root}"),
        ]

    def environment(self) -> dict[str, str]:
        """Settings of the environment file."""
        if self.env_file is None:
            return {}
        try:
            text = self.env_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The environment file of schedule {self.name!r} cannot be read: {error}.") from None
        return dict(_setting(line, self.env_file, at) for at, line in enumerate(text.splitlines(), 1) if _says(line))


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _setting(line: str, path: Path, at: int) -> tuple[str, str]:
    name, equals, value = line.strip().removeprefix("export ").partition("=")
    if not equals or not name.isidentifier():
        # The line is not repeated: it may hold a key, and this message is logged, and told to a webhook.
        raise ConfigError(f"{path}:{at}: this line is no setting. Write NAME=VALUE, one a line; nothing is expanded.")
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return name, value[1:-1] if quoted else value


def add(results: Results, entry: Scheduled) -> None:
    """Checks all that a firing will need, and writes it down."""
    path = _path(results, entry.name)
    if path.exists():
        raise DuplicateName(
            f"There is a schedule {entry.name!r} already ({path}). Remove it first: mmplat schedule remove {entry.name}"
        )
    clock.check(entry.cron)
    make_plan(load_grid(entry.grid))
    if not entry.snakefile.is_file():
        raise ConfigError(f"There is no Snakefile {entry.snakefile}. Run this where it lies, or give --snakefile.")
    if entry.profile is not None and not (entry.profile / "config.yaml").is_file():
        raise ConfigError(f"{entry.profile} is no profile: it holds no config.yaml. profiles/default is one.")
    entry.environment()
    write_json(path, entry.model_dump(mode="json"))


def remove(results: Results, name: str) -> None:
    """Forgets a schedule; the records of its firings stay."""
    path = _path(results, name)
    if not path.exists():
        raise UnknownName(
            "schedule", name, [entry.name for entry in scheduled(results)], where=f" in {results.schedule}"
        )
    path.unlink()


def scheduled(results: Results) -> list[Scheduled]:
    """All schedules of a results folder, by name."""
    return [_read(path) for path in sorted(results.schedule.glob("*/schedule.json"))]


def _read(path: Path) -> Scheduled:
    try:
        return Scheduled.model_validate(read_json(path, made_by="mmplat schedule add"))
    except ValueError as error:
        raise ArtifactError(
            f"{path} was written by another version of mmplat ({error}). Delete it and add it again."
        ) from error


def _path(results: Results, name: str) -> Path:
    return results.scheduled(name) / "schedule.json"
