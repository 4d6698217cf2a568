"""Why a method gains or fails: tables and figures over what was decided, and over the evidence. No model, no GPU, but for
`attention`, which runs one on a sample of items.

One module per diagnostic. Each measures one model on one suite; `base.run` does so for a campaign and keeps what it found.
"""

from mmplat.diagnostics.base import Diagnostic, keep, run
from mmplat.diagnostics.reading import Measured, measured

__all__ = ["Diagnostic", "Measured", "keep", "measured", "run"]
