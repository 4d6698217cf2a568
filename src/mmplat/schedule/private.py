"""The user's own folder of schedules: ~/.config/mmplat/schedules, or below XDG_CONFIG_HOME.

A schedule says which Snakefile runs as its user, so it does not lie in the results folder, where a group or an archive may
write. What lies here is taken only where nobody but its user can have written it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mmplat.artifacts import Results, atomic
from mmplat.errors import ArtifactError
from mmplat.ids import content_id

VARIABLE = "XDG_CONFIG_HOME"


def chosen_home() -> str | None:
    """Where this user keeps configuration, if it was chosen; a relative path means nothing there."""
    chosen = os.environ.get(VARIABLE)
    return chosen if chosen and Path(chosen).is_absolute() else None


def folder() -> Path:
    """One file per results folder and name."""
    return Path(chosen_home() or Path.home() / ".config") / "mmplat" / "schedules"


def prefix(results: Results) -> str:
    """Begins the names of all files that belong to a results folder."""
    return f"{content_id(str(results.root.resolve()))}-"


def cron_log(results: Results) -> Path:
    """What cron caught. The shell that writes it follows links, so it lies where nobody else can place one."""
    return folder() / f"{prefix(results)}cron.log"


def prepare() -> None:
    """Makes the folder, for its user alone."""
    for path in (folder().parent, folder()):
        if not path.exists():
            path.mkdir(mode=0o700, parents=True)
    check(folder())


def read(path: Path) -> str:
    """A file of the folder, if it and the folder are its user's alone."""
    check(folder())
    check(path)
    return path.read_text(encoding="utf-8")


def write(path: Path, text: str) -> None:
    prepare()
    with atomic(path) as temporary:
        temporary.chmod(0o600)
        temporary.write_text(text, encoding="utf-8")


def check(path: Path) -> None:
    """Refuses what others may have written: it would decide what runs as this user."""
    state = path.lstat() if path != folder() else path.stat()
    if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
        why = "is no plain file"
    elif state.st_uid != os.getuid():
        why = f"belongs to user {state.st_uid}, and you are user {os.getuid()}"
    elif state.st_mode & 0o022:
        why = f"may be written by others (mode {stat.S_IMODE(state.st_mode):o})"
    else:
        return
    mode = "700" if stat.S_ISDIR(state.st_mode) else "600"
    raise ArtifactError(
        f"{path} {why}. It says what runs by the clock as you, so nothing of it is run. Look at what it says; then make it "
        f"yours alone (chmod {mode} {path}), or delete it and add the schedule again."
    )
