"""What every record is: a value, frozen, with no unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of everything that crosses a file or a process."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
