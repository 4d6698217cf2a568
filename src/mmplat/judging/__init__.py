"""judge: written answers → judgments, by the model behind an endpoint. Between ask and decide, where a grid names a judge."""

from mmplat.judging.engine import Outcome, judge

__all__ = ["Outcome", "judge"]
