"""Models: one adapter per family, and the named models that need no download. torch is imported inside functions only."""

from mmplat.models.base import (
    Ask,
    Failure,
    Family,
    LoadedModel,
    RemoteModel,
    Reply,
    Spellings,
    bind,
    families,
    named,
)

__all__ = [
    "Ask",
    "Failure",
    "Family",
    "LoadedModel",
    "RemoteModel",
    "Reply",
    "Spellings",
    "bind",
    "families",
    "named",
]
