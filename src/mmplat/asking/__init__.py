"""The only room where a model runs: it fills evidence."""

from mmplat.asking.engine import Outcome, ask

__all__ = ["Outcome", "ask"]
