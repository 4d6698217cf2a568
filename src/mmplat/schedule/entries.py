"""What runs when: a file per named campaign, in the configuration of the user as whom it runs.

What lies in the results folder decides nothing: neither a schedule.json of an earlier version, or of somebody else, nor a grid, a
profile or a workflow.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from mmplat.artifacts import Results, read_json, safe_name
from mmplat.errors import ArtifactError, ConfigError, DuplicateName, UnknownName
from mmplat.grid import load_grid
from mmplat.plan import make_plan
from mmplat.records import Record
from mmplat.schedule import clock, private


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
    private.prepare()
    path = _path(results, entry.name)
    if path.exists():
        raise DuplicateName(
            f"There is a schedule {entry.name!r} already ({path}). Remove it first: mmplat schedule remove {entry.name}"
        )
    refuse_inside(results, entry)
    clock.check(entry.cron)
    make_plan(load_grid(entry.grid))
    if not entry.snakefile.is_file():
        raise ConfigError(f"There is no Snakefile {entry.snakefile}. Run this where it lies, or give --snakefile.")
    if entry.profile is not None and not (entry.profile / "config.yaml").is_file():
        raise ConfigError(f"{entry.profile} is no profile: it holds no config.yaml. profiles/default is one.")
    entry.environment()
    content = {"results": str(results.root.resolve()), **entry.model_dump(mode="json")}
    private.write(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def remove(results: Results, name: str) -> None:
    """Forgets a schedule, and what an earlier version left of it; the records of its firings stay."""
    path, left = _path(results, name), _left(results, name)
    if not path.exists() and not left.is_file():
        known = [entry.name for entry in scheduled(results)]
        raise UnknownName("schedule", name, known, where=f" of {results.root}")
    path.unlink(missing_ok=True)
    left.unlink(missing_ok=True)


def scheduled(results: Results) -> list[Scheduled]:
    """The schedules that this user has added for a results folder, by name."""
    return [_read(path, results) for path in sorted(private.folder().glob(f"{private.prefix(results)}*.json"))]


def _read(path: Path, results: Results) -> Scheduled:
    text = private.read(path)
    try:
        content = json.loads(text)
        entry, whose = (
            Scheduled.model_validate({k: v for k, v in content.items() if k != "results"}),
            content["results"],
        )
    except (ValueError, KeyError, AttributeError) as error:
        raise ArtifactError(
            f"{path} was written by another version of mmplat ({error}). Delete it and add the schedule again."
        ) from error
    if whose != str(results.root.resolve()) or path != _path(results, entry.name):
        raise ArtifactError(
            f"{path} is the schedule {entry.name!r} of {whose}, under another name. Delete it and add it again."
        )
    return entry


def _path(results: Results, name: str) -> Path:
    return private.folder() / f"{private.prefix(results)}{safe_name(name)}.json"


def refuse_inside(results: Results, entry: Scheduled) -> None:
    """What decides what runs must not lie where others may write, or where an archive is unpacked."""
    root = results.root.resolve()
    for what, path in (
        ("the workflow", entry.snakefile),
        ("the folder in which Snakemake runs", entry.folder),
        ("the grid", entry.grid),
        ("the profile", entry.profile),
        ("the environment file", entry.env_file),
        ("your configuration", private.folder()),
    ):
        if path is not None and path.resolve().is_relative_to(root):
            raise ConfigError(
                f"Schedule {entry.name!r}: {what} ({path}) lies in the results folder {root}. Whoever may write there would "
                "decide what runs as you. Keep it elsewhere, and add the schedule with its new place."
            )


def not_run(results: Results) -> Iterator[str]:
    """What lies in the results folder as if it were a schedule and is none of this user's: what it is, and how to run it."""
    known = {safe_name(entry.name) for entry in scheduled(results)}
    for path in sorted(results.schedule.glob("*/schedule.json")):
        name = path.parent.name
        if name not in known and name == safe_name(name) and name[0] != "-":  # as every version of mmplat names them
            yield (
                f"{path} is not run: a schedule is kept in {private.folder()} now, since whoever may write to a results folder "
                f"would decide what runs as you. If you know it and want it, run\n  {_adding(path, results)}\nelse delete it: "
                f"mmplat schedule remove {name} --results {shlex.quote(str(results.root))}"
            )


def _adding(path: Path, results: Results) -> str:
    """The command that adds a schedule of an earlier version, as far as the file can be shown."""
    try:
        entry = Scheduled.model_validate(read_json(path, made_by="mmplat schedule add"))
    except (ValueError, OSError, ArtifactError):
        entry = None
    if entry is None or entry.name == "" or safe_name(entry.name) != path.parent.name:
        return "mmplat schedule add NAME --cron EXPRESSION --grid GRID (the file cannot be read)"
    words = ["mmplat", "schedule", "add", entry.name, "--cron", entry.cron, "--grid", str(entry.grid)]
    words += [] if entry.profile is None else ["--profile", str(entry.profile)]
    words += ["--snakefile", str(entry.snakefile)]
    words += [] if entry.env_file is None else ["--env-file", str(entry.env_file)]
    command = f"cd {shlex.quote(str(entry.folder))} && {shlex.join([*words, '--results', str(results.root)])}"
    # It is shown on a terminal, and pasted: a line of somebody else must not hide another one.
    return (
        command if command.isprintable() else "mmplat schedule add … (the file holds characters that cannot be shown)"
    )


def _left(results: Results, name: str) -> Path:
    return results.scheduled(name) / "schedule.json"
