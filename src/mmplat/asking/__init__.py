"""The only room where a model runs: it fills evidence."""

from mmplat.asking.engine import ask, expected_rows
from mmplat.asking.outcome import Outcome

__all__ = ["Outcome", "ask", "expected_rows"]
