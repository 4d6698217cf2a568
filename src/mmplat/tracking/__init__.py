"""The MLflow mirror: each run of a campaign as a run of MLflow, for people who live there.

A mirror and never more: nothing reads it back, and when it fails, the campaign is published all the same and queued.
"""

from mmplat.tracking.mirror import Mirrored, mirror
from mmplat.tracking.queue import enqueue, queued, settle, takes_over
from mmplat.tracking.ready import prepare, tracking_uri
from mmplat.tracking.trainings import mirror_trainings

__all__ = [
    "Mirrored",
    "enqueue",
    "mirror",
    "mirror_trainings",
    "prepare",
    "queued",
    "settle",
    "takes_over",
    "tracking_uri",
]
