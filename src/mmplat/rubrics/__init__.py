"""Rubrics: what a judge is asked about a written answer, and what its reply says. One file each, versioned, found by itself."""

from mmplat.rubrics.base import Measures, Rubric, Scores, catalog

__all__ = ["Measures", "Rubric", "Scores", "catalog"]
