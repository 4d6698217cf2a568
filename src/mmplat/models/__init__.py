"""Models: one adapter per family, and the named models that need no download. torch is imported inside functions only."""

from mmplat.models.base import Ask, Family, LoadedModel, Spellings, bind, families, named

__all__ = ["Ask", "Family", "LoadedModel", "Spellings", "bind", "families", "named"]
