"""Evidence: what a model says about one view of one sample. Asked for once, read as often as there are decisions."""

from mmplat.evidence.rows import Evidence, Rows

__all__ = ["Evidence", "Rows"]
