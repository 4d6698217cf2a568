"""Kinds of view: what is changed about a sample before a model is asked. One file per group of kinds."""

from mmplat.views.base import ViewKind, bind, catalog

__all__ = ["ViewKind", "bind", "catalog"]
