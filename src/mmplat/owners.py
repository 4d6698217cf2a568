"""Whose campaigns are whose where several results folders publish into one store, or into one MLflow.

A results folder gets an id once, in `origin.json`, when it first publishes. A moved or copied folder keeps it.
"""

from __future__ import annotations

import getpass
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from mmplat.artifacts import Results, read_json, write_json_new
from mmplat.errors import ArtifactError

MADE_BY = "mmplat publish"


@dataclass(frozen=True, slots=True)
class Owner:
    """A results folder, as the stores that it publishes into know it."""

    id: str
    made: str
    """When, in UTC."""
    user: str
    host: str

    def __str__(self) -> str:
        return f"results folder {self.id} (made by {self.user} on {self.host}, {self.made[:10]})"


def owner_of(results: Results) -> Owner:
    """The id of a results folder; made where there is none yet, so only what writes asks for it."""
    path = results.origin
    if not path.exists():
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json_new(path, asdict(Owner(secrets.token_hex(8), now, _user(), os.uname().nodename)))
    content = read_json(path, made_by=MADE_BY)
    try:
        return Owner(**{name: str(content[name]) for name in ("id", "made", "user", "host")})
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} does not say which results folder this is ({error!r}). Take it back from a copy of the folder. Without "
            f"one, delete it and publish again: the folder gets another id, and takes its campaigns over by `{MADE_BY} "
            "NAME --take-over`."
        ) from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"user {os.getuid()}"
