"""Debiasing methods: evidence of several views → scores of the candidates. One method per file; `naive` is one."""

from mmplat.methods.base import Method, MethodKind, bind, catalog

__all__ = ["Method", "MethodKind", "bind", "catalog"]
