"""Decoding configurations and their exact effect on a closed question."""

from mmplat.decoding.configs import parse_decoding, presets
from mmplat.decoding.filters import distribution

__all__ = ["distribution", "parse_decoding", "presets"]
