"""Tiny random checkpoints of every architecture under contract: name → what writes one into a folder."""

from checkpoints_a import CHECKPOINTS as FIRST
from checkpoints_b import CHECKPOINTS as SECOND

CHECKPOINTS = {**FIRST, **SECOND}
